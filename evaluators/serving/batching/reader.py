"""The user's own trace (Azure's CSV, Mooncake's JSON Lines or ours): one instance, named like the file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from evaluators.serving import trace_files
from evaluators.serving.batching.instances import engine, instance
from evaluators.serving.batching.problem import LONGEST_GAP, MAX_CALLS
from evaluators.serving.core.metrics import Objective
from evaluators.task import InstanceSet, TaskError


def read(path: Path, model: str, card: str, tp: int, objective: Objective) -> InstanceSet:
    """The trace of a file. Raises TaskError: what is wrong, what was expected, what to do."""
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
    times = np.round(1e6 * np.array(trace.arrivals)).astype(np.int64)
    columns = (times, np.array(trace.prompts), np.array(trace.outputs), np.zeros(len(trace), np.int64))
    return InstanceSet(path.name, (instance(path.stem, "mine", served_by, (objective,), *columns),))
