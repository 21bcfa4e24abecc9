"""Whether a set of texts keeps the quality of full decoding, and what is told of it.

A policy keeps the quality when the pooled quality is at least FLOOR of full decoding's, by the lower end of a
one-sided 95 % interval from a paired bootstrap over the texts of each family, and when each family's own share is
at least FAMILY_FLOOR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from evaluators.task import Figure, Instance

FLOOR, FAMILY_FLOOR = 0.98, 0.96
LEVEL = 0.05
RESAMPLES = 4000
COMPETENT = 0.5
"""Families that full decoding answers less well have no floor of their own: there is little to keep."""
GAMMA = 4
"""Exponent of the retention in QPS, as in SchED (Mohamed et al. 2025, arXiv:2512.02892)."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Retention:
    """``pooled`` quality as a share of full decoding's, the ``lower`` end of its interval, and the share of each
    family. ``power``: about the chance that a policy whose true share is 99 % passes the test of the pooled quality,
    given how often texts came out differently here."""

    pooled: float
    lower: float
    families: dict[str, float]
    full: dict[str, float]
    power: float

    @property
    def breach(self) -> str | None:
        """What is not kept, one sentence; None where all is."""
        if not any(self.full.values()):
            return (
                "full decoding answers none of these texts well, so that there is no quality to keep; of a recording "
                "look at its metric, mask token and chat template"
            )
        low = {f: r for f, r in self.families.items() if r < FAMILY_FLOOR and self.full[f] >= COMPETENT}
        if low:
            worst = min(low, key=lambda f: (low[f], f))
            more = f", and {len(low) - 1} more families are below" if len(low) > 1 else ""
            return (
                f"the texts of {worst} keep {low[worst]:.1%} of the quality of full decoding; each family must keep "
                f"{FAMILY_FLOOR:.0%}{more} (all texts: {self.pooled:.1%})"
            )
        if self.lower < FLOOR:
            return (
                f"{self.pooled:.1%} of the quality of full decoding is kept, but only {self.lower:.1%} for sure "
                f"(lower end of a 95 % interval); {FLOOR:.0%} must be"
            )
        return None


def retention(groups: Sequence[str], quality: Sequence[float], full: Sequence[float]) -> Retention:
    """What a set of texts keeps, one entry a text: its family, the quality that a policy gave it, and that of full
    decoding, from 0 to 1. A family that full decoding answers nowhere keeps all; where every family is such, that is a
    breach."""
    q, f = np.asarray(quality, dtype=np.float64), np.asarray(full, dtype=np.float64)
    cells: dict[str, list[int]] = {}
    for at, group in enumerate(groups):
        cells.setdefault(group, []).append(at)
    shares = {g: _share(q[rows].sum(), f[rows].sum()) for g, rows in cells.items()}
    sums = np.zeros((2, RESAMPLES))
    for number, rows in enumerate(cells.values()):
        both = np.stack([q[rows], f[rows]])
        sums += both @ _counts(len(rows), number)
    ratios = np.divide(sums[0], sums[1], out=np.ones(RESAMPLES), where=sums[1] > 0)
    pooled = _share(q.sum(), f.sum())
    # A share of 99 % comes with at least as many texts lost, however few came out differently here.
    error = max(float(ratios.std()), float(np.sqrt(0.01 / max(1.0, f.sum()))))
    return Retention(
        pooled=pooled,
        lower=float(np.quantile(ratios, LEVEL)),
        families=shares,
        full={g: float(f[rows].mean()) for g, rows in cells.items()},
        power=float(ndtr((0.99 - FLOOR) / error - 1.645)),
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 1.0


def _counts(size: int, number: int) -> Floats:
    """How often each of ``size`` texts is in each resample: float64 (size, RESAMPLES). Drawn from raw bits of
    PCG64, whose stream numpy promises to keep."""
    bits = np.random.PCG64([number, size])
    counts = np.zeros((size, RESAMPLES))
    columns = np.arange(RESAMPLES)
    for _ in range(size):
        drawn = (bits.random_raw(RESAMPLES) >> np.uint64(32)) * np.uint64(size) >> np.uint64(32)
        counts[drawn.astype(np.intp), columns] += 1.0
    return counts


def kept(instances: Sequence[Instance], values: Sequence[float]) -> Retention:
    """:func:`retention` of scored instances, whose raw objective is the quality and whose reference full decoding's."""
    full = [i.reference for i in instances if i.reference is not None]
    if len(full) < len(instances):
        raise ValueError("there is no telling what is kept where full decoding's quality is not known")
    return retention([i.group for i in instances], values, full)


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """What is kept, for people."""
    found = kept(instances, values)
    worst = min(found.families, key=lambda f: (found.families[f], f))
    full = np.mean([i.reference for i in instances if i.reference is not None])
    return (
        Figure("quality of full decoding", 100 * float(full), "%"),
        Figure("quality kept", 100 * found.pooled, "%"),
        Figure("lower bound of the quality kept", 100 * found.lower, "%"),
        Figure(f"quality kept in {worst}, the worst family", 100 * found.families[worst], "%"),
        Figure("power of the test at 99 % kept", 100 * found.power, "%"),
    )


def speeds(
    instances: Sequence[Instance], values: Sequence[float], passes: Sequence[int], totals: Sequence[int]
) -> tuple[Figure, ...]:
    """Speed-ups of sums of forward passes, and QPS: the pooled speed-up times the pooled share of quality to the
    power of GAMMA, as in the paper, and the geometric mean of the same over families."""
    found = kept(instances, values)
    rows: dict[str, list[int]] = {}
    for at, instance in enumerate(instances):
        rows.setdefault(instance.group, []).append(at)
    used, full = np.asarray(passes, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    by_family = {g: float(full[r].sum() / used[r].sum()) for g, r in rows.items()}
    speed = _geometric(list(by_family.values()))
    pooled = float(full.sum() / used.sum())
    qps = _geometric([by_family[g] * found.families[g] ** GAMMA for g in rows])
    return (
        Figure("forward passes a text", float(used.mean())),
        Figure("speed-up of all texts together", pooled),
        Figure("speed-up over families, of sums of passes", speed),
        Figure("QPS", pooled * found.pooled**GAMMA),
        Figure("QPS over families", qps),
        *(Figure(f"QPS of {g}", by_family[g] * found.families[g] ** GAMMA) for g in rows),
    )


def _geometric(values: Sequence[float]) -> float:
    """The geometric mean; 0 where one is 0."""
    array = np.asarray(values)
    return float(np.exp(np.log(array).mean())) if (array > 0).all() else 0.0
