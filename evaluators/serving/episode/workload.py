"""From workloads and cards to instances: what the makers of all serving tasks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode.problem import ENTRY_BYTES, MICROSECOND, Problem, encode
from evaluators.serving.timing import kv_cache, timing
from evaluators.serving.trace import Trace
from evaluators.serving.workloads import STEADY, generate
from evaluators.task import Instance

CAP = 128
"""Calls that run at once, as in vLLM's and Vidur's settings of the time."""
BUDGET = 4608
"""Tokens of an iteration: a prompt of 4,096 and 512 beside it."""
CONTEXT = 4096
POLL = SECOND // 4
UNTIL = 120 * SECOND
"""An idle engine asks again after POLL; what has not ended UNTIL after the last arrival never does. In ps."""
FIRST_ID = 1 << 16
"""Ids of prefixes begin above whatever is counted in a payload."""


@dataclass(frozen=True)
class Part:
    """Calls of one kind: a share of the load, with limits in seconds; ``variation`` of the gaps between arrivals. Along
    ``cycle`` they come faster and slower from the first call to the last."""

    workload: str
    share: float
    ttft: float
    tbt: float
    variation: float | None = None
    cycle: tuple[float, ...] = STEADY


def requests(
    parts: Sequence[Part], calls: int, load: float, seed: int, longest: int = CONTEXT
) -> tuple[Request, ...]:
    """About ``calls`` requests of all parts, ``load`` a second; prompt and output together have at most ``longest``
    tokens."""
    rows: list[tuple[int, int, int, int, tuple[int, ...]]] = []
    for kind, part in enumerate(parts):
        trace = generate(
            part.workload, round(calls * part.share), 10 * seed + kind, rate=load * part.share,
            variation=part.variation, cycle=part.cycle, period=calls / load, longest=longest,
        )  # fmt: skip
        rows += _rows(trace, kind)
    return _numbered(sorted(rows))


def from_trace(trace: Trace) -> tuple[Request, ...]:
    """The requests of a trace, all of one kind; the ids of prefixes are numbered as they come, from FIRST_ID on."""
    ids: dict[int, int] = {}
    prefixes = tuple(
        tuple(ids.setdefault(id_, FIRST_ID + len(ids)) for id_ in prefix) for prefix in trace.prefixes
    )
    return _numbered(_rows(replace(trace, prefixes=prefixes), 0))


def _rows(trace: Trace, kind: int) -> list[tuple[int, int, int, int, tuple[int, ...]]]:
    """(µs, prompt, output, kind, prefix) of each request."""
    times = (round(1e6 * time) for time in trace.arrivals)
    kinds = (kind for _ in trace.ids)
    return list(zip(times, trace.prompts, trace.outputs, kinds, trace.prefixes, strict=True))


def _numbered(rows: Sequence[tuple[int, int, int, int, tuple[int, ...]]]) -> tuple[Request, ...]:
    """Requests whose names are their numbers, the first at 0."""
    start = rows[0][0]
    return tuple(
        Request(str(number), (time - start) * MICROSECOND, prompt, output, kind, prefix=prefix)
        for number, (time, prompt, output, kind, prefix) in enumerate(rows)
    )


def objective(ttft: float, tbt: float) -> Objective:
    """Limits given in seconds."""
    return Objective(round(ttft * SECOND), round(tbt * SECOND))


@cache
def engine(model: str, card: str, tp: int, longest: int) -> Engine:
    """The engine of a model on ``tp`` cards, whose iterations hold the ``longest`` prompt. Raises TaskError."""
    cache = kv_cache(model, card, tp)
    budget = max(BUDGET, longest + BUDGET - CONTEXT)
    return Engine(Costs.of(timing(model, card, tp)), cache.blocks, cache.tokens, CAP, budget)


def instance(id_: str, group: str, problem: Problem, seconds: float) -> Instance:
    """An instance whose reference is the offered load; ``seconds`` of processor time for each entry of its log."""
    return Instance(
        id=id_,
        group=group,
        size=len(problem.scenario.requests),
        payload=encode(problem),
        answer_bytes=ENTRY_BYTES * problem.entries,
        limit=seconds * problem.entries,
        reference=problem.rate,
        reference_kind="bound",
    )
