"""The tests that decide: early stop and promotion. Paired on common instances, one-sided, seeded.

Scores may be minimised or maximised; everything here first turns them so that a positive difference favours the
candidate. Where a task averages its scores geometrically the differences are those of their logarithms, and what is
told of them is turned back into a relative improvement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from evaluators.task import Direction, Mean, positive

FLIPS = 99_999
MOST_FLIPS = 9_999_999
"""As many as a look may take; some ten seconds on a block of 320."""
MARGIN = 0.005
"""The smallest effect worth promoting, relative to the champion."""
STOP_LEVEL = 0.01
GATE_LEVEL = 0.05


@dataclass(frozen=True)
class PairedResult:
    """``effect``: relative improvement of the stratified mean over the champion's (positive = better). ``p``: one-sided
    p-value of H0 "not better by the margin". ``low``, ``high``: 95 % interval of the effect."""

    effect: float
    p: float
    low: float
    high: float


def alpha(look: int) -> float:
    """Level of look number ``look`` (from 1): 0.05·6/(π²k²), which sums to 0.05 over all looks."""
    return GATE_LEVEL * 6 / (math.pi**2 * look**2)


def flips_for(look: int) -> int:
    """Sign flips for look ``look``: FLIPS while the smallest p that they can give lies ten times below the level (to
    look 17), then as many as that takes, at most MOST_FLIPS. FLIPS again from the look on that even those cannot let
    pass, since nothing could be won."""
    level = alpha(look)
    if level * (1 + MOST_FLIPS) <= 1:
        return FLIPS
    return min(max(FLIPS, math.ceil(10 / level)), MOST_FLIPS)


def gains(
    candidate: Sequence[float], rival: Sequence[float], direction: Direction, mean: Mean = "arithmetic"
) -> NDArray[np.float64]:
    """Per-instance gain of the candidate over the rival, positive = better; the logarithm of the ratio where the mean
    is geometric. Raises TaskError where it is and a score is not above 0."""
    a, b = np.asarray(candidate, dtype=np.float64), np.asarray(rival, dtype=np.float64)
    if mean == "geometric":
        positive(a.tolist())
        positive(b.tolist())
        difference = np.log(b / a)
    else:
        difference = b - a
    return difference if direction == "minimize" else -difference


def relative(gain: float, direction: Direction) -> float:
    """A gain in logarithms as the improvement relative to the rival's score; positive = better. Never above 1 when
    minimising, as no improvement of a positive score is."""
    return math.expm1(gain) if direction == "maximize" else -math.expm1(-gain)


def _least(margin: float, direction: Direction) -> float:
    """The gain in logarithms of an improvement by ``margin``: the inverse of :func:`relative`."""
    return math.log1p(margin) if direction == "maximize" else -math.log1p(-margin)


def one_sided_p(values: NDArray[np.float64]) -> float:
    """p of the paired t-test that the mean of ``values`` is at most 0 (small = positive beyond doubt)."""
    from scipy.special import stdtr

    m = len(values)
    if m < 2:
        return 1.0
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    if deviation <= 1e-15 * max(1.0, abs(mean)):
        return 0.0 if mean > 0 else 1.0
    return float(stdtr(m - 1, -mean / (deviation / math.sqrt(m))))


@cache
def quarters(total: int) -> tuple[int, ...]:
    """Numbers of scores after which the early stop looks: ¼, ½ and ¾ of ``total``."""
    return tuple(sorted({math.ceil(total * q) for q in (0.25, 0.5, 0.75)} - {total}))


@dataclass(frozen=True)
class EarlyStop:
    """The watch of the search split: stop when paired worse than ``rival`` (the island's median full member) with
    p < 0.01, looked at after ¼, ½ and ¾. Pure, so stored scores meet the same verdict."""

    rival: tuple[float, ...]
    direction: Direction
    mean: Mean = "arithmetic"

    def stop(self, scores: Sequence[float], total: int) -> bool:
        m = len(scores)
        if m not in quarters(total) or m > len(self.rival):
            return False
        return one_sided_p(-gains(scores, self.rival[:m], self.direction, self.mean)) < STOP_LEVEL

    def stops_at(self, scores: Sequence[float], total: int) -> int | None:
        """The first look at which stored scores would have been stopped, or None."""
        return next((m for m in quarters(total) if m <= len(scores) and self.stop(scores[:m], total)), None)


def weights(groups: Sequence[str]) -> NDArray[np.float64]:
    """Weight of each instance in the mean over groups of the group means."""
    counts: dict[str, int] = {}
    for group in groups:
        counts[group] = counts.get(group, 0) + 1
    return np.array([1.0 / (len(counts) * counts[g]) for g in groups])


def paired_test(
    candidate: Sequence[float],
    champion: Sequence[float],
    groups: Sequence[str],
    direction: Direction,
    seed: int,
    *,
    margin: float = MARGIN,
    flips: int = FLIPS,
    mean: Mean = "arithmetic",
) -> PairedResult:
    """One-sided paired permutation test by ``flips`` seeded sign flips, stratified: the statistic is the mean over
    groups of the mean gain within the group. H0: not better than the champion by ``margin`` (relative; for a
    minimised positive score: candidate ≥ 0.995 × champion). With a geometric ``mean`` it is that test on logarithms.

    Raises ValueError when the three sequences differ in length; TaskError as :func:`gains` does."""
    if not len(candidate) == len(champion) == len(groups):
        raise ValueError(
            f"paired test of {len(candidate)} and {len(champion)} scores in {len(groups)} groups"
        )
    w = weights(groups)
    gain = gains(candidate, champion, direction, mean)
    if mean == "geometric":
        shifted = w * (gain - _least(margin, direction))
    else:
        shifted = w * (gain - margin * np.abs(np.asarray(champion, dtype=np.float64)))
    observed = float(shifted.sum())
    slack = 1e-12 * float(np.abs(shifted).sum())
    as_extreme = sum(int(np.count_nonzero(sums >= observed - slack)) for sums in _flips(shifted, seed, flips))
    effect, low, high = paired_interval(candidate, champion, groups, direction, mean)
    return PairedResult(effect, (1 + as_extreme) / (1 + flips), low, high)


def paired_interval(
    candidate: Sequence[float],
    champion: Sequence[float],
    groups: Sequence[str],
    direction: Direction,
    mean: Mean = "arithmetic",
) -> tuple[float, float, float]:
    """Relative improvement of the stratified mean over the champion's (positive = better), with the ends of its 95 %
    interval; zeros where the champion's mean is 0. With a geometric ``mean`` the interval is that of the mean gain in
    logarithms, turned back, so that it need not be symmetric. Raises TaskError as :func:`gains` does."""
    w, gain = weights(groups), gains(candidate, champion, direction, mean)
    effect, half = float(w @ gain), 1.96 * _stratified_error(gain, groups)
    if mean == "geometric":
        ends = effect - half, effect + half
        return relative(effect, direction), relative(ends[0], direction), relative(ends[1], direction)
    baseline = abs(float(w @ np.asarray(champion, dtype=np.float64)))
    if not baseline:
        return 0.0, 0.0, 0.0
    effect, half = effect / baseline, half / baseline
    return effect, effect - half, effect + half


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values adjusted for their number, in the same order: rejecting those below a level keeps the chance of any
    false rejection below it, however the tests depend on one another.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure"."""
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda n: p_values[n])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)


def _flips(values: NDArray[np.float64], seed: int, flips: int) -> Iterator[NDArray[np.float64]]:
    """``flips`` sums of ``values`` with random signs, in pieces. Raw bits of PCG64, whose stream numpy promises to
    keep."""
    bits = np.random.PCG64(seed)
    words = -(-len(values) // 64)
    total = float(values.sum())
    for start in range(0, flips, 4096):
        rows = min(4096, flips - start)
        raw = bits.random_raw(rows * words).astype("<u8", copy=False).view(np.uint8).reshape(rows, words * 8)
        kept = np.unpackbits(raw, axis=1, count=len(values)).astype(np.float64)
        yield 2.0 * (kept @ values) - total


def _stratified_error(gain: NDArray[np.float64], groups: Sequence[str]) -> float:
    """Standard error of the mean over groups of the group means."""
    cells: dict[str, list[float]] = {}
    for group, value in zip(groups, gain, strict=True):
        cells.setdefault(group, []).append(float(value))
    # A class of one instance says nothing about its own spread; that of all instances stands in for it.
    overall = float(np.var(gain, ddof=1)) if len(gain) > 1 else 0.0
    variance = sum((float(np.var(v, ddof=1)) if len(v) > 1 else overall) / len(v) for v in cells.values())
    return math.sqrt(variance) / len(cells)
