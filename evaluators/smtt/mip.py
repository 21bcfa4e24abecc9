"""The positional-assignment model of total tardiness, solved by HiGHS through ``scipy.optimize.milp``.

x[j, k] = 1 if job j stands at position k; position k completes at C[k] = C[k-1] + Σ_j p_j x[j, k]; its tardiness is
t[k] >= C[k] - Σ_j d_j x[j, k], t >= 0; minimise Σ t. Source: Wagner (1959) for the positional variables, Baker & Keller
(2010), "Solving the single-machine sequencing problem using integer programming", for total tardiness. Of use to about
20 jobs; it is here as an independent check and because papers report it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from evaluators.smtt.problem import Ints

LARGEST = 120
"""Beyond this HiGHS finds nothing within minutes, and one step of it may overrun any time limit."""


@dataclass(frozen=True)
class Incumbent:
    """What HiGHS ended with: an integer ``bound`` below the optimum and the best sequence found, if any."""

    bound: int
    sequence: tuple[int, ...] | None


def solve(processing_times: Ints, due_dates: Ints, seconds: float) -> Incumbent:
    """Run HiGHS for at most ``seconds``. More than :data:`LARGEST` jobs are not tried: bound 0, no sequence."""
    n = len(processing_times)
    if n > LARGEST:
        return Incumbent(0, None)
    p, d = processing_times.astype(np.float64), due_dates.astype(np.float64)
    eye, ones = sparse.identity(n, format="csr"), np.ones((1, n))
    none = sparse.csr_matrix((n, 2 * n))
    each_job = sparse.hstack([sparse.kron(eye, ones), none])
    each_position = sparse.hstack([sparse.kron(ones, eye), none])
    steps = eye - sparse.eye(n, k=-1)
    completion = sparse.hstack([sparse.kron(p.reshape(1, n), -eye), steps, sparse.csr_matrix((n, n))])
    tardiness = sparse.hstack([sparse.kron(d.reshape(1, n), -eye), eye, -eye])
    found = milp(
        c=np.concatenate([np.zeros(n * n + n), np.ones(n)]),
        integrality=np.concatenate([np.ones(n * n), np.zeros(2 * n)]),
        bounds=Bounds(0.0, np.concatenate([np.ones(n * n), np.full(2 * n, np.inf)])),
        constraints=[
            LinearConstraint(each_job.tocsr(), 1.0, 1.0),
            LinearConstraint(each_position.tocsr(), 1.0, 1.0),
            LinearConstraint(completion.tocsr(), 0.0, 0.0),
            LinearConstraint(tardiness.tocsr(), -np.inf, 0.0),
        ],
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    bound = getattr(found, "mip_dual_bound", None)
    return Incumbent(_rounded(bound), None if found.x is None else _sequence(found.x[: n * n].reshape(n, n)))


def _rounded(bound: float | None) -> int:
    """The least integer that the bound allows; HiGHS's tolerances are below a part in 10⁶."""
    if bound is None or not math.isfinite(bound) or bound <= 0:
        return 0
    return max(0, math.ceil(bound - 1e-6 * max(1.0, bound)))


def _sequence(assigned: npt.NDArray[np.float64]) -> tuple[int, ...]:
    """The job of each position; rows and columns sum to one, so rounding gives a permutation."""
    return tuple(int(j) for j in np.argmax(assigned, axis=0))
