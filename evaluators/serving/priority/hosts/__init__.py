"""How vLLM uses an exported heuristic of ``serving-priority``: as a scheduler, or as priorities of requests."""

from __future__ import annotations

from pathlib import Path

from evaluators.task import HostAdapter

HERE = Path(__file__).parent
SCHEDULER_USAGE = """\
vLLM runs it where this package is installed. It reorders the waiting queue before every iteration; all else is vLLM's:

    vllm serve MODEL --scheduler-cls {{ package }}.vllm_scheduler.RankedScheduler

A request's class is its `priority` field (0 urgent, 1, 2 can wait; other numbers count as the nearest of these). vLLM
calls this interface not public: the scheduler was tested with 0.32, says so where it finds another version, and does
not start where the queue is not what it knows. Should the heuristic fail, requests are served as they came, and the log
says why once.
"""
PRIORITY_USAGE = """\
Where the scheduler cannot be replaced, a client gives each request a number for vLLM's own policy `priority` (a part of
its public API; the lowest number is served first):

    vllm serve MODEL --scheduling-policy priority

    from {{ package }}.vllm_client import priority
    client.completions.create(..., max_tokens=200, extra_body={"priority": priority(prompt_tokens=900, max_tokens=200)})

The number is made when the request is sent, so it knows no preemptions. It gives the order of the heuristic where that
grows with a request's age by as much for one as for another, and an approximation elsewhere.
"""

HOSTS = (
    HostAdapter(
        "vllm", "vllm_scheduler.py", HERE / "vllm_scheduler.py.j2", SCHEDULER_USAGE, ("vllm>=0.32,<0.33",)
    ),
    HostAdapter("vllm", "vllm_client.py", HERE / "vllm_client.py.j2", PRIORITY_USAGE),
)
