"""The referee: trains with a schedule at the base rate that suits it, and compares with linear decay.

Multipliers count by their shape alone: they are divided by their mean. The base rate is the best on seeds of its own,
first in steps of 2 (:data:`COARSE`), then of the fourth root of 2 (:data:`TUNING`); the grid goes on wherever the best
one is at its edge. What counts is the mean gap on other seeds (:data:`SCORING`), the same for every schedule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.schedules import sgd
from evaluators.schedules.portable import Floats, total
from evaluators.schedules.problem import Posed, Problem, decode, single
from evaluators.task import Figure, ImpossibleAnswer, Instance, InvalidAnswer, Judgement, in_classes

TUNING = tuple(range(24))
COARSE = TUNING[:12]
SCORING = tuple(range(100, 148))
PILOT = 1_000
"""Seed of the pilot run."""
HIGHEST = 1e6
"""The largest multiplier."""
AROUND = 2
"""The first grid has so many rates, in steps of 2, on either side of the one that suits linear decay."""
FARTHEST = 40
"""So many steps of 2 from there the search of a base rate ends."""
FOURTH_ROOT = math.sqrt(math.sqrt(2.0))
FINER = (1.0 / math.sqrt(2.0), 1.0 / FOURTH_ROOT, 1.0, FOURTH_ROOT, math.sqrt(2.0))
WORST = 10.0
"""The most that a run counts for, in gaps at the start: one that diverges counts so much."""
FLOOR = 1e-6
"""The least that a gap counts for, in gaps at the start: optima are known to a tenth of it."""


@dataclass(frozen=True)
class Trained:
    """The base ``rate`` that a schedule got, in units of the mean of its multipliers, and the mean ``gap``."""

    rate: float
    gap: float


def judge(instance: Instance, answer: bytes) -> Judgement:
    """The mean gap, objective after the last step less the optimum, and its ratio to that of linear decay.

    Raises InvalidAnswer for multipliers that are not finite, negative, too large or all 0, or when every base rate
    diverges; ImpossibleAnswer when the gap beats a proved optimum, ValueError when the instance has no reference."""
    steps = instance.answer_bytes // 8
    if len(answer) != instance.answer_bytes:
        raise InvalidAnswer(f"the answer has {len(answer)} bytes; {steps} steps need {instance.answer_bytes}")
    shape = shaped(np.frombuffer(answer, "<f8").astype(np.float64))
    value = trained(decode(instance.withheld), shape).gap
    if instance.reference is None:
        raise ValueError(f"instance {instance.id!r} has no reference")
    if instance.reference_kind == "proved optimum" and value < instance.reference:
        raise ImpossibleAnswer(
            f"a gap of {value:.6g} on {instance.id!r} beats the proved optimum {instance.reference:.6g}"
        )
    # Before there is a reference an instance is measured against 0.
    return Judgement(value, value / (instance.reference or 1.0))


def shaped(multipliers: Floats) -> Floats:
    """Multipliers of mean 1. Raises InvalidAnswer as :func:`judge` does."""
    wrong = np.flatnonzero(~((multipliers >= 0) & (multipliers <= HIGHEST)))
    if len(wrong):
        at = int(wrong[0])
        raise InvalidAnswer(
            f"the multiplier of step {at + 1} is {multipliers[at]:g}; expected numbers from 0 to {HIGHEST:g}"
        )
    whole = math.fsum(multipliers.tolist())
    if whole <= 0:
        raise InvalidAnswer("all multipliers are 0, so that nothing is learned; some must be above 0")
    return multipliers / (whole / len(multipliers))


def trained(posed: Posed, shape: Floats) -> Trained:
    """What a schedule of mean 1 makes of a problem. Raises InvalidAnswer when every base rate diverges."""
    rate = tuned(posed, shape)
    (mean,) = gaps(posed, shape, [rate], SCORING)
    return Trained(rate, max(float(mean), FLOOR * start_gap(posed)))


def start_gap(posed: Posed) -> float:
    """The objective before the first step, less the optimum; at least the least normal number."""
    start = float(posed.problem.objective(posed.problem.start(1))[0])
    return max(start - posed.optimum, 1e-300)


def gaps(posed: Posed, shape: Floats, rates: Sequence[float], seeds: Sequence[int]) -> Floats:
    """The mean gap over the seeds, float64[rates]; a run that ends far above its start counts as far as
    :data:`WORST`."""
    most = WORST * start_gap(posed)
    found = sgd.final(posed.problem, shape, rates, seeds) - posed.optimum
    found = np.where(found < most, found, most)  # what is not a number is not below
    return total(found.T) / len(seeds)


def tuned(posed: Posed, shape: Floats) -> float:
    """The base rate of the least mean gap on the seeds for tuning. Raises InvalidAnswer when all diverge."""
    known: dict[int, float] = {}

    def look(first: int, last: int) -> None:
        powers = range(max(first, -FARTHEST), min(last, FARTHEST) + 1)
        rates = [posed.rate * 2.0**k for k in powers]
        known.update(zip(powers, gaps(posed, shape, rates, COARSE).tolist(), strict=True))

    def best() -> int:
        return min(known, key=lambda k: (known[k], k))

    look(-AROUND, AROUND)
    while (at := best()) in (min(known), max(known)) and abs(at) < FARTHEST:
        if at == min(known):
            look(at - 2 * AROUND, at - 1)
        else:
            look(at + 1, at + 2 * AROUND)
    if known[at] >= WORST * start_gap(posed):
        raise InvalidAnswer("training diverges with these multipliers at every base rate")
    rates = [float(posed.rate * 2.0**at * finer) for finer in FINER]
    means = gaps(posed, shape, rates, TUNING)
    return rates[int(means.argmin())]


def linear(steps: int) -> Floats:
    """Linear decay: 1 at the first step, 1/T at the last."""
    return np.arange(steps, 0, -1) / steps


def first_rate(problem: Problem) -> float:
    """Where the search of linear decay's base rate begins: one over the mean squared length of an example."""
    squares = total(problem.features * problem.features)
    return float(len(squares) / total(squares))


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """On how many problems the gap is below linear decay's, and the worst class."""
    rows = [(i, v / i.reference) for i, v in zip(instances, values, strict=True) if i.reference]
    if not rows:
        return ()
    means = in_classes([i for i, _ in rows], [ratio for _, ratio in rows], "geometric")
    worst = max(means, key=means.__getitem__)
    return (
        Figure("better than linear decay", float(sum(ratio < 1 for _, ratio in rows)), f"of {len(rows)}"),
        Figure(f"worst class ({worst})", means[worst]),
    )


def posed(problem: Problem, optimum: float) -> tuple[Posed, float]:
    """A problem with the base rate of linear decay, and linear decay's gap, which scores are measured against. It is
    found from that rate, so that linear decay scores exactly 1. Raises InvalidAnswer when linear decay diverges."""
    shape = shaped(linear(problem.steps))
    rate = tuned(Posed(problem, optimum, first_rate(problem)), shape)
    found = Posed(problem, optimum, rate)
    return found, trained(found, shape).gap


def pilot(posed: Posed) -> Floats:
    """The gradient norms of a run of linear decay at its base rate, float64[steps]; at least a millionth of the
    largest."""
    found = sgd.norms(posed.problem, shaped(linear(posed.problem.steps)), posed.rate, PILOT)
    return single(np.maximum(found, 1e-6 * found.max()))
