"""Rules for the toy task with parts that do nothing, and a way to run a rule here: only texts of these tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from toy.task import Knapsack, decode

TASK = Knapsack({})

PLANTED = """\"\"\"Density, with a bonus that is the same for every item.\"\"\"
import numpy as np

SEARCH_SPACE = {"power": {"low": 0.5, "high": 2.0}, "z": {"low": 0.1, "high": 4.0, "log": True}}


def bonus(values, z):
    return z * values.mean()


def rank(weights, volumes, capacity, *, power=1.0, z=0.5):
    # the same for all items, so it changes no order
    extra = bonus(weights, z)
    return weights / volumes**power + extra
"""
TANGLED = """import numpy as np
import math

SEARCH_SPACE = {"a": {"low": 0.1, "high": 2.0}, "mode": ["x", "y"]}


def helper(values, limit):
    total = 0
    for v in values:
        if v > limit and v > 1:
            total += v
    return total


def rank(weights, volumes, capacity, *, a=0.5, mode="x"):
    n = len(weights)
    share = helper(volumes, capacity / 2) / max(1, n)
    keys = np.zeros(n)
    big = [v for v in volumes.tolist() if v > share]
    for i in range(n):
        if mode == "x":
            keys[i] = weights[i] - a * share
        elif len(big) > 2 or capacity > 100:
            keys[i] = weights[i] / volumes[i]
        else:
            keys[i] = min(weights[i], volumes[i]) ** 2
        keys[i] += math.sqrt(weights[i]) if a > 1 else 0.0
    order = sorted(range(n), key=lambda i: (-keys[i], volumes[i]))
    slack = capacity
    while slack > 0 and order:
        slack = slack - volumes[order[0]]
        order = order[1:]
    return np.clip(np.where(keys > 0, keys, keys - 1), -1e6, 1e6) + 0.0 * slack
"""


def function_of(code: str, name: str = "rank") -> Callable[..., Any]:
    """The function of one of the texts above, or of what was made from one."""
    space: dict[str, Any] = {}
    exec(compile(code, "<rule>", "exec"), space)  # noqa: S102
    return space[name]  # type: ignore[no-any-return]


def answers(code: str, count: int = 6) -> list[object]:
    """What a rule returns on the first instances, or the type of what it raises."""
    rule = function_of(code)
    found: list[object] = []
    for instance in TASK.instances("screen").instances[:count]:
        capacity, weights, volumes = decode(instance.payload)
        try:
            with np.errstate(all="ignore"):
                result = np.asarray(rule(weights.copy(), volumes.copy(), capacity), dtype=float)
        except Exception as error:
            found.append(type(error))
            continue
        found.append([round(float(x), 9) if math.isfinite(x) else str(x) for x in np.atleast_1d(result)])
    return found
