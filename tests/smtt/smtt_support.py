"""What the SMTT tests share: an independent oracle, small instances and a way to run a candidate file."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.smtt.problem import encode, limit
from evaluators.task import Instance, Task


def least_tardiness(p: list[int], d: list[int]) -> int:
    """The optimum by dynamic programming over all 2^n sets, which shares nothing with the solver."""
    n = len(p)
    best = [0] * (1 << n)
    for chosen in range(1, 1 << n):
        members = [j for j in range(n) if chosen >> j & 1]
        end = sum(p[j] for j in members)
        best[chosen] = min(best[chosen ^ (1 << j)] + max(0, end - d[j]) for j in members)
    return best[-1]


def small_instances(count: int, most: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random instances with many ties, common due dates and all degrees of tardiness."""
    rng = np.random.default_rng(seed)
    shapes = list(product((2, 5, 40), (0.0, 0.2, 0.6, 1.2)))
    for k in range(count):
        longest, spread = shapes[k % len(shapes)]
        n = int(rng.integers(1, most + 1))
        p = rng.integers(1, longest + 1, n)
        yield p, rng.integers(0, int(p.sum() * spread) + 1, n)


def tardiness(p: Any, d: Any, sequence: Any) -> int:
    """The objective by its definition, in plain Python."""
    time = total = 0
    for job in sequence:
        time += int(p[job])
        total += max(0, time - int(d[job]))
    return total


def instance(p: Any, d: Any, reference: float | None = None, kind: Any = "proved optimum") -> Instance:
    p, d = np.asarray(p, dtype=np.int64), np.asarray(d, dtype=np.int64)
    return Instance("one", "user", len(p), encode(p, d), 8 * len(p), limit(len(p)), reference, kind)


def answer_of(task: Task) -> Callable[..., bytes]:
    return runpy.run_path(str(task.adapter))["answer"]  # type: ignore[no-any-return]


def function_of(task: Task, name: str) -> Callable[..., Any]:
    path = task.baselines()[name].path
    assert isinstance(path, Path)
    return runpy.run_path(str(path))[task.interface.function]  # type: ignore[no-any-return]
