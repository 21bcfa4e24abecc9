"""Exponentials, logarithms and sums whose last bit is the same on every machine.

Addition, multiplication, division and square roots of doubles are rounded alike everywhere; a library's exponential,
and the order in which a fast matrix product adds, are not. What decides scores is built from these operations alone,
each an elementwise call of numpy, so that neither its vector instructions nor a BLAS has a say.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LN2_HIGH = float.fromhex("0x1.62e42fefa3800p-1")
LN2_LOW = float.fromhex("0x1.ef35793c76730p-45")
"""Their sum is the logarithm of 2; multiples of the first one by whole numbers to 1,024 are exact."""
LN2 = LN2_HIGH + LN2_LOW
FACTORIALS = tuple(1.0 / math.factorial(k) for k in range(12, -1, -1))
ODDS = tuple(1.0 / k for k in range(21, 0, -2))
FARTHEST = 700.0
"""Exponents are cut off here, either way: beyond it a double is near its ends."""


def exp(x: Floats) -> Floats:
    """The exponential, to a relative error of some 1e-15: x = k ln 2 + r, and twelve terms of the series in r."""
    near = np.clip(x, -FARTHEST, FARTHEST)
    k = np.rint(near / LN2)
    r = near - k * LN2_HIGH
    r -= k * LN2_LOW
    found = np.full_like(r, FACTORIALS[0])
    for coefficient in FACTORIALS[1:]:
        found *= r
        found += coefficient
    # What is not a number is no exponent either; the cast gives some whole number, and the product stays what it is.
    with np.errstate(invalid="ignore"):
        whole = k.astype(np.int32)
    return np.asarray(np.ldexp(found, whole), np.float64)


def log(x: Floats) -> Floats:
    """The natural logarithm of numbers above 0: the mantissa m by the series of 2 artanh((m - 1)/(m + 1))."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < math.sqrt(0.5)
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    exponent = exponent - small
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    found = np.full_like(square, ODDS[0])
    for coefficient in ODDS[1:]:
        found *= square
        found += coefficient
    return np.asarray(exponent * LN2_HIGH + (2.0 * ratio * found + exponent * LN2_LOW), np.float64)


def total(terms: Floats) -> Floats:
    """The sum along the first axis, from the first row to the last."""
    whole = np.ascontiguousarray(terms)
    if whole.size == len(whole):  # rows of one number, which a reduction would add pairwise
        return np.asarray(np.add.accumulate(whole, axis=0)[-1], np.float64)
    return np.asarray(np.add.reduce(whole, axis=0), np.float64)
