"""Measures whether a look at the SMTT gate sees a true gain of 5 %: the paired deviation of MDD-like improvements.

    python benchmarks/smtt_gate_power.py

The champion is MDD, the candidates are max(d, t + a·p) + b·p with weights that gain some 3 to 20 %. For each the script
prints the true gain (over all 16 look blocks), the standard error of the paired stratified difference in one look, the
chance that one look at level 0.05·6/π² finds it when the gain is scaled to 5 % (shifting every difference alike), and
the share of the 16 looks that find the candidate as it is. Normal approximation in place of sign flips.
"""

from __future__ import annotations

import math
import runpy
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.registry import load
from evaluators.task import InstanceSet, Task

LEVEL = 0.05 * 6 / math.pi**2
MARGIN = 0.995
CANDIDATES = ((1.0, 0.05), (1.0, 0.1), (1.0, 0.2), (0.95, 0.3), (0.95, 0.6))


def scores(task: Task, instances: InstanceSet, a: float, b: float) -> np.ndarray:
    path = task.baselines()["weighted-mdd"].path
    function = runpy.run_path(str(path))["priority"]
    answer = runpy.run_path(str(task.adapter))["answer"]
    parameters = {"a": a, "b": b}
    return np.array([task.judge(i, answer(function, i.payload, parameters)).score for i in instances])


def stratified(groups: np.ndarray, differences: np.ndarray) -> tuple[float, float]:
    """The mean over groups and its standard error from the deviation within groups."""
    means, variances = [], []
    for group in np.unique(groups):
        inside = differences[groups == group]
        means.append(inside.mean())
        variances.append(inside.var(ddof=1) / len(inside))
    return float(np.mean(means)), math.sqrt(float(np.sum(variances))) / len(means)


def main() -> None:
    task = load("smtt-index")
    blocks = [task.gate(k) for k in range(task.gate_blocks)]
    groups = np.array([i.group for i in blocks[0]])
    champion = [scores(task, block, 1.0, 0.0) for block in blocks]
    base = float(np.mean(champion))
    normal = NormalDist()
    critical = normal.inv_cdf(1 - LEVEL)
    sys.stdout.write(f"champion {base:.4f} %, one look: {len(groups)} instances\n")
    for a, b in CANDIDATES:
        found = [scores(task, block, a, b) for block in blocks]
        gain = 1 - float(np.mean(found)) / base
        looks = [stratified(groups, MARGIN * c - f) for c, f in zip(champion, found, strict=True)]
        error = float(np.sqrt(np.mean([e * e for _, e in looks])))
        power = normal.cdf((0.05 - (1 - MARGIN)) * base / error - critical)
        hits = sum(mean / e > critical for mean, e in looks) / len(looks)
        line = f"gain {100 * gain:5.1f} %  error {error:.4f}  power at 5 % {power:.3f}  found in {100 * hits:.0f} %"
        sys.stdout.write(f"a={a} b={b}: {line} of the looks\n")


if __name__ == "__main__":
    main()
