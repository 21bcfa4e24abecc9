"""Seeded workloads with the marginals of public traces: they need no data, and a seed gives the same trace everywhere.

What is kept of a trace (``data/workloads.json``, made by ``benchmarks/serving_marginals.py``): quantiles of the prompt,
quantiles of the output for each quarter of the prompts, rate and burstiness, and for Mooncake's how often a prompt goes
on from an earlier one, how long after, and from how much of it. Everything else is chance: no users, no topics, no day.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from functools import cache
from itertools import count as numbers
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators import bits
from evaluators.serving.chance import Floats, arrivals, uniform
from evaluators.serving.trace import PREFIX_BLOCK, Trace
from evaluators.task import TaskError

Lengths = npt.NDArray[np.int64]

TABLE = Path(__file__).parent / "data" / "workloads.json"
STEADY = (1.0,)
DAY = (
    *(0.55, 0.45, 0.4, 0.35, 0.35, 0.4, 0.55, 0.8, 1.1, 1.35, 1.45, 1.4),
    *(1.3, 1.35, 1.5, 1.55, 1.5, 1.4, 1.25, 1.15, 1.1, 1.05, 0.95, 0.75),
)
"""A stylised day by the hour, mean 1: the public traces with lengths last an hour and tell nothing of it."""
MAX_REQUESTS = 1_000_000


def kinds() -> tuple[str, ...]:
    """The workloads there are."""
    return tuple(_table()["workloads"])


def generate(
    kind: str,
    count: int,
    seed: int,
    *,
    rate: float | None = None,
    variation: float | None = None,
    cycle: tuple[float, ...] = STEADY,
    period: float = 86400.0,
    longest: int | None = None,
) -> Trace:
    """``count`` requests of a kind, at ``rate`` a second with the coefficient of variation ``variation`` of the gaps
    (those of the public trace by default), faster and slower along ``cycle`` (positive numbers of mean 1, e.g. DAY) in
    each ``period`` seconds. Prompt and output together have at most ``longest`` tokens: longer prompts are cut, then
    outputs.

    Raises TaskError for an unknown kind and for numbers that make no trace.
    """
    if kind not in kinds():
        raise TaskError(f"there is no workload {kind!r}; choose one of {', '.join(kinds())}")
    entry = _table()["workloads"][kind]
    rate = entry["rate"] if rate is None else rate
    variation = entry["variation"] if variation is None else variation
    _check(count, rate, variation, cycle, period, longest)
    stream = bits.stream(seed, kinds().index(kind))
    times = arrivals(bits.stream(stream, 0), count, rate, variation, cycle, period)
    chain = entry.get("chain")
    goes_on = np.zeros(count, bool)
    if chain:
        goes_on = uniform(bits.stream(stream, 1), count) < chain["share"]
    prompts, outputs = _lengths(entry, stream, goes_on)
    if longest is not None:
        prompts = np.minimum(prompts, longest - 1)
        outputs = np.minimum(outputs, longest - prompts)
    sizes = prompts.tolist()
    prefixes: tuple[tuple[int, ...], ...] = ((),) * count
    if chain:
        ages = _quantile(chain["levels"], chain["ages"], uniform(bits.stream(stream, 4), count))
        parts = _quantile(chain["levels"], chain["parts"], uniform(bits.stream(stream, 5), count))
        earlier = list(zip(goes_on.tolist(), ages.tolist(), parts.tolist(), strict=True))
        prefixes = _chains(times.tolist(), sizes, earlier, chain["look"], chain["root"])
    return Trace(
        name=kind,
        ids=tuple(f"{kind}-{number}" for number in range(count)),
        arrivals=tuple(times.tolist()),
        prompts=tuple(sizes),
        outputs=tuple(outputs.tolist()),
        prefixes=prefixes,
    )


def _check(
    count: int, rate: float, variation: float, cycle: tuple[float, ...], period: float, longest: int | None
) -> None:
    if not 1 <= count <= MAX_REQUESTS:
        raise TaskError(f"{count} requests were asked for; expected 1 to {MAX_REQUESTS}")
    if not 0 < rate < math.inf:
        raise TaskError(f"the rate is {rate} requests a second; expected a number above 0")
    if not 0.1 <= variation <= 20:
        raise TaskError(f"the variation of gaps is {variation}; expected 0.1 to 20 (1 = Poisson)")
    if (
        not cycle
        or min(cycle) <= 0
        or abs(math.fsum(cycle) / len(cycle) - 1) > 1e-6
        or not 0 < period < math.inf
    ):
        raise TaskError("a cycle is positive numbers whose mean is 1, along a period above 0 seconds")
    if longest is not None and longest < 2:
        raise TaskError(f"the longest request has {longest} tokens; expected 2 or more")


def _lengths(entry: dict[str, Any], stream: int, goes_on: npt.NDArray[np.bool_]) -> tuple[Lengths, Lengths]:
    """(prompts, outputs). A prompt's quarter is taken among all prompts of the trace."""
    levels, count = _table()["levels"], len(goes_on)
    place = uniform(bits.stream(stream, 2), count)
    prompts = _quantile(levels, entry["prompt"], place)
    if "chained" in entry:
        prompts = np.where(goes_on, _quantile(levels, entry["chained"], place), prompts)
    quarter = np.searchsorted(np.array(entry["quarters"]), prompts, side="right")
    place = uniform(bits.stream(stream, 3), count)
    outputs = np.choose(quarter, [_quantile(levels, table, place) for table in entry["output"]])
    return _whole(prompts), _whole(outputs)


def _whole(values: Floats) -> Lengths:
    return np.maximum(1, np.floor(values + 0.5)).astype(np.int64)


def _quantile(levels: list[float], table: list[float], place: Floats) -> Floats:
    """The quantiles at ``place``, linear between the levels."""
    x, y = np.array(levels), np.array(table, dtype=np.float64)
    left = np.minimum(np.searchsorted(x, place, side="right") - 1, len(x) - 2)
    share = (place - x[left]) / (x[left + 1] - x[left])
    values: Floats = y[left] + share * (y[left + 1] - y[left])
    return values


def _chains(
    times: list[float], prompts: list[int], earlier: list[tuple[bool, float, float]], look: int, root: bool
) -> tuple[tuple[int, ...], ...]:
    """Prefix ids. ``earlier`` says of each prompt whether it goes on from an earlier one, about how many seconds older,
    and from what part of its blocks: of ``look`` requests before that moment, the one it takes most of. ``root``: all
    begin with the same block."""
    fresh = numbers(int(root))
    made: list[tuple[int, ...]] = []
    for time, prompt, (goes_on, age, part) in zip(times, prompts, earlier, strict=True):
        blocks = -(-prompt // PREFIX_BLOCK)
        start: tuple[int, ...] = (0,) * root
        if goes_on:
            near = bisect_right(times, time - age, 0, len(made))
            candidates = made[max(0, near - look) : near or look]
            best = max(candidates, key=lambda ids: _taken(len(ids), part, blocks), default=())
            start = best[: _taken(len(best), part, blocks)] or start
        made.append(start + tuple(next(fresh) for _ in range(blocks - len(start))))
    return tuple(made)


def _taken(held: int, part: float, blocks: int) -> int:
    """How many blocks a prompt of ``blocks`` takes over from one of ``held``; none if it is shorter than that."""
    taken = int(part * held + 0.5)
    return taken if taken <= blocks else 0


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found
