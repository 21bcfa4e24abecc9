"""One engine serves calls that arrive: an instance of the task ``serving`` as bytes, and back.

The payload holds all that a simulation needs (iteration times, cache, limits, calls), so that it is a pure function of
it. This module and the simulator are in the sandbox with the candidate: neither knows a reference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine, Scenario

Ints = npt.NDArray[np.int64]

MICROSECOND = SECOND // 10**6
DECISION_SECONDS = 0.001
"""Processor time of a decision, s: some two hundred times that of Sarathi-Serve's."""
POLL = SECOND // 4
UNTIL = 120 * SECOND
"""An idle engine asks again after POLL; what has not ended UNTIL after the last arrival never does. In ps."""
ENTRY_BYTES = 4
MOST_TABULATED = 8192
LONGEST_GAP = 3600.0
MAX_CALLS = 20_000


@dataclass(frozen=True)
class Problem:
    """The scenario, the limits by the kind of a call, and how many entries the event log has."""

    scenario: Scenario
    objectives: tuple[Objective, ...]
    entries: int

    @property
    def engine(self) -> Engine:
        return self.scenario.engines[0]

    @property
    def rate(self) -> float:
        """Calls a second that arrive."""
        calls = self.scenario.requests
        return rate(len(calls), (calls[-1].arrival - calls[0].arrival) // MICROSECOND)


def rate(calls: int, span: int) -> float:
    """Calls a second: as many as there are over ``span`` µs, from the first to the last, and a gap."""
    return (calls - 1) * 1e6 / span if span > 0 else float(calls)


def entries(calls: int, prompts: int) -> int:
    """Entries of the event log, one a decision and one a chunk: enough for chunks of 64 tokens on average, and twelve
    decisions a call in which nothing is computed; the rest is for an engine that stands still until it is noticed. Once
    they are used up the policy is asked no more."""
    return 24 * calls + prompts // 32 + 300


def encode(
    engine: Engine, objectives: tuple[Objective, ...], times: Ints, prompts: Ints, outputs: Ints, kinds: Ints
) -> bytes:
    """The payload: a line of JSON, then little-endian arrays: steps of the table of times by tokens (i4, ps), gaps
    between arrivals (u4, µs), prompts and outputs (u2, or u4 where one is longer), kinds (u1). ``times`` in µs."""
    costs = engine.costs
    table = np.array(costs.tokens[: min(engine.budget, MOST_TABULATED) + 1], np.int64)
    lengths = "<u2" if max(prompts.max(), outputs.max()) < 1 << 16 else "<u4"
    head = {
        "engine": [engine.blocks, engine.block, engine.cap, engine.budget],
        "costs": [costs.decode, costs.prefill, costs.mixed, costs.engine],
        "limits": [[o.ttft, o.tbt] for o in objectives],
        "table": len(table) - 1,
        "calls": len(times),
        "lengths": lengths,
    }
    parts = [
        np.diff(table).astype("<i4"), np.diff(times, prepend=times[:1]).astype("<u4"), prompts.astype(lengths),
        outputs.astype(lengths), kinds.astype("<u1"),
    ]  # fmt: skip
    return json.dumps(head).encode() + b"\n" + b"".join(part.tobytes() for part in parts)


@lru_cache(maxsize=128)
def decode(payload: bytes) -> Problem:
    """The problem of a payload. Entry 0 of the table, an iteration without tokens, takes no time."""
    line, _, rest = payload.partition(b"\n")
    head = json.loads(line)
    calls, at = head["calls"], 0
    columns = []
    for dtype, count in (
        ("<i4", head["table"]), ("<u4", calls), (head["lengths"], calls), (head["lengths"], calls), ("<u1", calls),
    ):  # fmt: skip
        columns.append(np.frombuffer(rest, dtype, count, at).astype(np.int64))
        at += np.dtype(dtype).itemsize * count
    steps, gaps, prompts, outputs, kinds = columns
    decoding, prefill, mixed, host = (tuple(numbers) for numbers in head["costs"])
    costs = Costs((0, *np.cumsum(steps).tolist()), decoding, prefill, mixed, host)
    blocks, block, cap, budget = head["engine"]
    arrivals = np.cumsum(gaps) * MICROSECOND
    rows = zip(*(c.tolist() for c in (arrivals, prompts, outputs, kinds)), strict=True)
    requests = tuple(Request(str(n), *row) for n, row in enumerate(rows))
    return Problem(
        Scenario((Engine(costs, blocks, block, cap, budget),), requests, poll=POLL, until=UNTIL),
        tuple(Objective(ttft, tbt) for ttft, tbt in head["limits"]),
        entries(calls, int(prompts.sum())),
    )
