"""The user's own trace: Azure's CSV, Mooncake's JSON Lines or ours."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from evaluators.serving import trace_files
from evaluators.serving.core.calls import Request
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode.workload import engine, from_trace
from evaluators.task import TaskError

LONGEST_GAP = 3600.0
MAX_CALLS = 20_000


def read(path: Path, model: str, card: str, tp: int) -> tuple[Engine, tuple[Request, ...]]:
    """The trace of a file, and an engine whose iterations hold its longest prompt. Raises TaskError: what is wrong,
    what was expected, what to do."""
    trace = trace_files.read(path)
    if len(trace) > MAX_CALLS:
        raise TaskError(
            f"{path} holds {len(trace)} requests; a trace of this task has at most {MAX_CALLS}: split it"
        )
    gap = max((b - a for a, b in pairwise(trace.arrivals)), default=0.0)
    if gap > LONGEST_GAP:
        raise TaskError(
            f"{path}: nothing arrives for {gap:.0f} s; split the trace at gaps above {LONGEST_GAP:.0f} s"
        )
    served_by = engine(model, card, tp, max(trace.prompts))
    holds = served_by.blocks * served_by.block
    for id_, prompt, output in zip(trace.ids, trace.prompts, trace.outputs, strict=True):
        if prompt + output > holds:
            raise TaskError(
                f"{path}: request {id_!r} has {prompt + output} tokens, more than the {holds} that the cache of "
                f"{model} on {tp} × {card} holds; leave it out or choose another card"
            )
    return served_by, from_trace(trace)
