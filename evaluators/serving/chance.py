"""Random gaps between arrivals with their own arithmetic: only operations that IEEE 754 rounds one way, so that a seed
gives the same numbers on every machine and with every release of numpy (see :mod:`evaluators.bits`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluators import bits

Floats = npt.NDArray[np.float64]

LN_2 = 0.6931471805599453
ROUNDS = 64
"""Attempts at a rejected draw; one in five is rejected, so that all fail once in 10^45 draws."""


def uniform(state: int, count: int) -> Floats:
    """``count`` numbers in (0, 1) of a stream, multiples of 2**-53 shifted by half of one."""
    return ((bits.draws(state, 0, count) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def logarithm(x: Floats) -> Floats:
    """ln of positive numbers: x = m · 2^e with m in [√½, √2), ln m = 2 artanh((m - 1)/(m + 1)) by its series."""
    m, e = np.frexp(x)
    low = m < 0.7071067811865476
    m, e = np.where(low, 2.0 * m, m), np.where(low, e - 1, e)
    s = (m - 1.0) / (m + 1.0)
    square, total = s * s, np.zeros_like(s)
    for k in range(21, 0, -2):
        total = total * square
        total = total + 1.0 / k
    return 2.0 * (total * s) + e * LN_2


def exponential(x: Floats) -> Floats:
    """e^x of numbers of at most 0: x = r + n ln 2 with |r| ≤ ln 2 / 2, e^r by its series; 0 below -700."""
    n = np.floor(np.maximum(x, -700.0) / LN_2 + 0.5)
    r = np.maximum(x, -700.0) - n * LN_2
    total = np.ones_like(r)
    for k in range(16, 0, -1):
        total = total * r
        total = total / k + 1.0
    return np.where(x < -700.0, 0.0, np.ldexp(total, n.astype(np.int64)))


def gamma(stream: int, shape: float, count: int) -> Floats:
    """``count`` draws of Gamma(shape), mean ``shape``: a sum of whole exponentials, and for the rest a Beta(a, 1 - a)
    times an exponential, the Beta by Jöhnk's rejection (Devroye, "Non-Uniform Random Variate Generation", 1986)."""
    whole = int(shape)
    rest = shape - whole
    total = np.zeros(count)
    for part in range(whole):
        total = total - logarithm(uniform(bits.stream(stream, 0, part), count))
    if rest < 1e-9:
        return total
    fraction, open_ = np.zeros(count), np.arange(count)
    for attempt in range(ROUNDS):
        u, v = (uniform(bits.stream(stream, side, attempt), count)[open_] for side in (1, 2))
        x = exponential(logarithm(u) / rest)
        y = exponential(logarithm(v) / (1.0 - rest))
        taken = (x + y <= 1.0) & (x + y > 0.0)
        fraction[open_[taken]] = x[taken] / (x[taken] + y[taken])
        open_ = open_[~taken]
        if not len(open_):
            break
    return total - fraction * logarithm(uniform(bits.stream(stream, 3, 0), count))


def arrivals(
    stream: int, count: int, rate: float, variation: float, cycle: tuple[float, ...], period: float
) -> Floats:
    """``count`` arrival times in seconds, ascending: a renewal process of ``rate`` a second whose gaps are Gamma with
    the coefficient of variation ``variation`` (1 = Poisson, above = bursts), run on a clock that goes ``cycle[i]``
    times as fast in step i of each ``period`` seconds; the mean of ``cycle`` is 1."""
    shape = 1.0 / (variation * variation)
    passed = np.cumsum(gamma(stream, shape, count)) / (shape * rate)
    step = period / len(cycle)
    ends = np.cumsum(np.array(cycle) * step)
    starts = np.concatenate([[0.0], ends[:-1]])
    turns = np.floor(passed / period)
    inside = passed - turns * period
    slot = np.minimum(np.searchsorted(ends, inside, side="right"), len(cycle) - 1)
    times: Floats = (
        turns * period + slot * step + np.maximum(0.0, inside - starts[slot]) / np.array(cycle)[slot]
    )
    return times
