"""Interfaces, rules and requests that the tests of the genetic proposer share. No task of the project is needed."""

from __future__ import annotations

from pathlib import Path

from discovery.candidate import check
from discovery.proposers.base import Brief, Operator, Parent, Request
from evaluators.task import Interface, Value

BASELINES = Path(__file__).parents[2] / "evaluators" / "smtt" / "baselines"


def sequencing(first: str = "lengths", second: str = "wanted") -> Interface:
    """Two arrays of one unit and length to a permutation."""
    return Interface(
        "order",
        "Return an order.",
        (
            Value(first, "array", "int64", "", unit="s", low=1, length="n"),
            Value(second, "array", "int64", "", unit="s", low=0, length="n"),
        ),
        Value("order", "permutation", "int64", "", low=0, length="n"),
    )


INDEX = Interface(
    "rank",
    "Return one number an item.",
    (
        Value("cost", "array", "float64", "", unit="eur", low=0, length="m"),
        Value("weight", "array", "float64", "", unit="kg", low=0.1, length="m"),
        Value("usable", "mask", "bool", "", length="m"),
        Value("budget", "scalar", "float64", "", unit="eur", low=0),
    ),
    Value("rank", "array", "float64", "", length="m"),
)
COUNTS = Interface(
    "share",
    "Return whole pieces in 0..50.",
    (
        Value("demand", "array", "float64", "", unit="pieces", low=0, length="k"),
        Value("stock", "scalar", "int64", "", unit="pieces", low=0),
    ),
    Value("pieces", "array", "int64", "", unit="pieces", low=0, high=50, length="k"),
)

MASKED = """import numpy as np

def order(lengths, wanted):
    n = len(lengths)
    waiting = np.ones(n, dtype=bool)
    found = np.empty(n, dtype=np.int64)
    time = 0
    for k in range(n):
        open_ones = np.flatnonzero(waiting)
        key = np.maximum(wanted[open_ones], time + lengths[open_ones])
        job = open_ones[np.argmin(key)]
        found[k] = job
        waiting[job] = False
        time += lengths[job]
    return found
"""
FILTERED = """import numpy as np

def order(lengths, wanted):
    waiting = np.argsort(lengths, kind='stable')
    time = 0
    found = []
    while len(waiting) > 0:
        key = np.maximum(wanted[waiting], time + lengths[waiting])
        chosen = waiting[np.argmin(key)]
        found.append(chosen)
        time = time + lengths[chosen]
        waiting = waiting[waiting != chosen]
    return found
"""
LISTED = """def order(lengths, wanted):
    left = list(range(len(lengths)))
    time = 0
    found = []
    while left:
        job = min(left, key=lambda j: (max(wanted[j], time + lengths[j]), lengths[j]))
        left.remove(job)
        found.append(job)
        time += lengths[job]
    return found
"""
STATIC = """import numpy as np

def order(lengths, wanted):
    return np.argsort(wanted, kind='stable')
"""
RANKED = """import numpy as np

def rank(cost, weight, usable, budget):
    value = np.where(usable, cost / weight, budget)
    return value - cost * 0.5
"""
SHARED = """import numpy as np

def share(demand, stock):
    return np.minimum(np.rint(demand).astype(np.int64), 50)
"""
PARAMETRISED = """import numpy as np

SEARCH_SPACE = {'w1': {'low': -2.0, 'high': 2.0}, 'gain': {'low': 0.5, 'high': 2.0, 'log': True}}

def order(lengths, wanted, *, w1=0.25, gain=1.5):
    key = wanted + w1 * lengths * (lengths / np.mean(lengths))
    return np.argsort(np.maximum(key, gain * lengths), kind='stable')
"""
PROGRAMS = (
    (MASKED, sequencing()),
    (FILTERED, sequencing()),
    (LISTED, sequencing()),
    (STATIC, sequencing()),
    (PARAMETRISED, sequencing()),
    (RANKED, INDEX),
    (SHARED, COUNTS),
)


def brief(interface: Interface) -> Brief:
    return Brief(interface, "", "minimize", "%", 1.0)


def parent(code: str, interface: Interface) -> Parent:
    return Parent(check(code, interface).hash, code, 1.0)


def request(
    interface: Interface,
    *codes: str,
    slot: int = 0,
    operator: Operator = "improve",
    seed: int = 1,
    known: frozenset[str] = frozenset(),
) -> Request:
    parents = tuple(parent(c, interface) for c in codes)
    return Request(slot, 0, operator, seed, brief(interface), parents, known=known)


def test_the_samples_are_candidates() -> None:
    for code, interface in PROGRAMS:
        assert parent(code, interface).hash
