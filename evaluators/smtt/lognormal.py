"""The heavy-tailed processing times: a lognormal rounded to integers and clipped to 1 … 1000, without any libm.

A rounded lognormal is a discrete law, so one table of cumulative probabilities decides it: entry k-1 is
floor(2**32 · Φ((ln(k + ½) - ln MEDIAN) / SIGMA)) for k = 1 … 999, computed in 40-digit decimal arithmetic (module
``decimal``: correctly rounded, the same everywhere) and shipped as ``data/lognormal.npy``; a test computes it anew.
A draw of 32 bits then is 1 + the number of entries that are not above it.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluators.bits import Bits

MEDIAN = 20
SIGMA = Decimal("1.5")
LARGEST = 1000
TABLE = Path(__file__).parent / "data" / "lognormal.npy"
PI = Decimal("3.14159265358979323846264338327950288419716939937510")


def compute_table() -> list[int]:
    """The table from its definition (a second of pure Python); needed only to make and to check the shipped one."""
    with localcontext() as context:
        context.prec = 40
        middle = Decimal(MEDIAN).ln()
        points = [((Decimal(2 * k + 1) / 2).ln() - middle) / SIGMA for k in range(1, LARGEST)]
        return [int((normal_cdf(z) * 2**32).to_integral_value("ROUND_FLOOR")) for z in points]


def normal_cdf(z: Decimal) -> Decimal:
    """Φ(z) = ½ + φ(z)·(z + z³/3 + z⁵/15 + …), a series of positive terms for z > 0 (Marsaglia 2004)."""
    term = total = z
    divisor = 1
    while abs(term) > Decimal("1e-36"):
        divisor += 2
        term = term * z * z / divisor
        total += term
    return Decimal("0.5") + total * (-z * z / 2).exp() / (2 * PI).sqrt()


@cache
def table() -> npt.NDArray[np.uint64]:
    """The shipped table, uint64[999], ascending."""
    shipped: npt.NDArray[np.uint32] = np.load(TABLE, allow_pickle=False)
    return shipped.astype(np.uint64)


def processing_times(bits: Bits) -> npt.NDArray[np.int64]:
    """One processing time in 1 … 1000 for each 64 random bits."""
    return 1 + np.searchsorted(table(), bits >> np.uint64(32), side="right").astype(np.int64)
