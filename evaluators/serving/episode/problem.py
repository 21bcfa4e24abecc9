"""Engines serve calls that arrive: an instance of a serving task as bytes, and back.

The payload holds all that a simulation needs (iteration times, caches, links, limits, calls), so that it is a pure
function of it. This module and :mod:`evaluators.serving.episode.desk` are in the sandbox with the candidate: neither
knows a reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine, Scenario

Ints = npt.NDArray[np.int64]

MICROSECOND = SECOND // 10**6
ENTRY_BYTES = 4
MOST_TABULATED = 8192
TIMES = ("every", "poll", "control", "until")
"""What a payload keeps of a scenario besides its engines and requests."""
DEFAULTS = {f.name: f.default for f in fields(Engine) if f.name != "costs"}


@dataclass(frozen=True)
class Problem:
    """The scenario, the limits by the kind of a call, and how many entries the event log has. Calls are named by their
    number, the first comes at 0, and arrivals are whole microseconds."""

    scenario: Scenario
    objectives: tuple[Objective, ...]
    entries: int

    @property
    def engine(self) -> Engine:
        """The first engine."""
        return self.scenario.engines[0]

    @property
    def rate(self) -> float:
        """Calls a second that arrive: as many as there are from the first to the last, and a gap."""
        calls = self.scenario.requests
        span = calls[-1].arrival - calls[0].arrival
        return (len(calls) - 1) * SECOND / span if span > 0 else float(len(calls))


def encode(problem: Problem) -> bytes:
    """The payload: a line of JSON, then little-endian arrays: for each distinct engine speed the steps of its table of
    times by tokens (i4, ps), from the time of one token on, which is in the JSON: it loads all weights and is longer
    than an i4 can say. Of the calls the gaps between arrivals (u4, µs), prompts and outputs (u2, or u4 where one is
    longer), kinds (u1), and where there are any hints (u4), the numbers of prefix spans (u2) and their ids (u4)."""
    scenario = problem.scenario
    speeds: list[tuple[Costs, int]] = []
    engines = []
    for engine in scenario.engines:
        speed = (engine.costs, min(engine.budget, MOST_TABULATED))
        if speed not in speeds:
            speeds.append(speed)
        other = {n: v for n in DEFAULTS if (v := getattr(engine, n)) != DEFAULTS[n]}
        engines.append({"costs": speeds.index(speed), "blocks": engine.blocks, **other})
    rows = [(r.arrival, r.prompt, r.output, r.kind, r.hint, len(r.prefix)) for r in scenario.requests]
    arrivals, prompts, outputs, kinds, hints, spans = np.array(rows, np.int64).T
    ids = [id_ for r in scenario.requests for id_ in r.prefix]
    lengths = "<u2" if max(prompts.max(), outputs.max()) < 1 << 16 else "<u4"
    head = {
        "engines": engines,
        "costs": [[c.decode, c.prefill, c.mixed, c.engine] for c, _ in speeds],
        "tables": [size for _, size in speeds],
        "ones": [c.tokens[1] for c, _ in speeds],
        "limits": [[o.ttft, o.tbt] for o in problem.objectives],
        "entries": problem.entries,
        "calls": len(rows),
        "lengths": lengths,
        "hints": bool(hints.any()),
        "spans": len(ids),
        **{name: getattr(scenario, name) for name in TIMES},
    }
    parts = [_steps(c.tokens[: size + 1]) for c, size in speeds]
    gaps = np.diff(arrivals // MICROSECOND, prepend=arrivals[:1] // MICROSECOND)
    parts += [gaps.astype("<u4"), prompts.astype(lengths), outputs.astype(lengths), kinds.astype("<u1")]
    parts += [hints.astype("<u4")] if head["hints"] else []
    parts += [spans.astype("<u2"), np.array(ids, "<u4")] if ids else []
    return json.dumps(head).encode() + b"\n" + b"".join(part.tobytes() for part in parts)


def _steps(times: Sequence[int]) -> npt.NDArray[np.int32]:
    """What each token takes beside those before it, the first one nothing."""
    steps = np.diff(np.array(times, np.int64))
    steps[0] = 0
    if np.abs(steps).max() >= 1 << 31:
        raise ValueError(f"a token more takes {np.abs(steps).max()} ps, more than a payload can hold")
    return steps.astype("<i4")


@lru_cache(maxsize=128)
def decode(payload: bytes) -> Problem:
    """The problem of a payload. Entry 0 of a table, an iteration without tokens, takes no time."""
    line, _, rest = payload.partition(b"\n")
    head: dict[str, Any] = json.loads(line)
    arrays = _Arrays(rest)
    speeds = [
        Costs((0, *(one + np.cumsum(arrays.take("<i4", size))).tolist()), *map(tuple, numbers))
        for one, size, numbers in zip(head["ones"], head["tables"], head["costs"], strict=True)
    ]
    engines = tuple(Engine(**{**e, "costs": speeds[e["costs"]]}) for e in head["engines"])
    requests = tuple(_requests(head, arrays))
    return Problem(
        Scenario(engines, requests, **{name: head[name] for name in TIMES}),
        tuple(Objective(ttft, tbt) for ttft, tbt in head["limits"]),
        head["entries"],
    )


class _Arrays:
    """Arrays that stand one after another."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, dtype: str, count: int) -> Ints:
        found = np.frombuffer(self._data, dtype, count, self._at).astype(np.int64)
        self._at += np.dtype(dtype).itemsize * count
        return found


def _requests(head: dict[str, Any], arrays: _Arrays) -> Iterator[Request]:
    calls, nothing = head["calls"], np.zeros(head["calls"], np.int64)
    arrivals = np.cumsum(arrays.take("<u4", calls)) * MICROSECOND
    lengths = [arrays.take(head["lengths"], calls) for _ in range(2)]
    kinds = arrays.take("<u1", calls)
    hints = arrays.take("<u4", calls) if head["hints"] else nothing
    spans = arrays.take("<u2", calls) if head["spans"] else nothing
    ids = arrays.take("<u4", head["spans"]).tolist()
    columns = [c.tolist() for c in (arrivals, *lengths, kinds, hints)]
    ends = pairwise(accumulate(spans.tolist(), initial=0))
    rows = enumerate(zip(zip(*columns, strict=True), ends, strict=True))
    for number, ((arrival, prompt, output, kind, hint), (start, end)) in rows:
        yield Request(str(number), arrival, prompt, output, kind, hint, tuple(ids[start:end]))
