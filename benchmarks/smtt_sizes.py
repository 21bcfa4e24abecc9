"""How gaps and processor times of the SMTT baselines and of the exact solver grow with the number of jobs.

    python benchmarks/smtt_sizes.py [--sizes 50 100 200 500] [--families pvw heavy] [--names mdd decmdd …]

One instance for each of the 20 cells, from seeds that belong to no split. Prints the mean floored gap (%) against
proved optima, and times as multiples of MDD's at the same size; exact needs numba beyond 200 jobs.
"""

from __future__ import annotations

import argparse
import runpy
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.registry import load
from evaluators.smtt.instances import CELLS, Spec, generate
from evaluators.smtt.problem import encode, limit, total_tardiness
from evaluators.smtt.proving import solve

SEED = 900_000
NAMES = ("edd", "mdd", "atc", "nbr", "mdd-insertion", "decmdd", "ils")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="*", type=int, default=[50, 100, 200, 500])
    parser.add_argument("--families", nargs="*", default=["pvw", "heavy"])
    parser.add_argument("--names", nargs="*", default=list(NAMES))
    options = parser.parse_args()
    task = load("smtt")
    answer = runpy.run_path(str(task.adapter))["answer"]
    functions = {name: runpy.run_path(str(task.baselines()[name].path))["schedule"] for name in options.names}
    for family in options.families:
        for n in options.sizes:
            problems = [generate(Spec(family, n, *cell, SEED)) for cell in CELLS]
            solve(*problems[0])  # loads and compiles
            optima, taken = [], []
            for p, d in problems:
                start = time.process_time()
                optima.append(solve(p, d).optimum)
                taken.append(time.process_time() - start)
            rows = {"exact": (0.0, statistics.mean(taken), max(taken))}
            for name, function in functions.items():
                gaps, taken = [], []
                for (p, d), optimum in zip(problems, optima, strict=True):
                    start = time.process_time()
                    sequence = np.frombuffer(answer(function, encode(p, d), {}), "<i8")
                    taken.append(time.process_time() - start)
                    gaps.append(
                        100 * (total_tardiness(p, d, sequence) - optimum) / max(optimum, int(p.sum()))
                    )
                rows[name] = (statistics.mean(gaps), statistics.mean(taken), max(taken))
            unit = rows["mdd"][1] if "mdd" in rows else 1.0
            for name, (gap, mean, worst) in rows.items():
                share = f"{100 * worst / limit(n):6.2f} % of the limit at most"
                times = (
                    f"{mean / unit:9.2f} x mdd ({1000 * mean:9.2f} ms, worst {1000 * worst:9.2f} ms, {share})"
                )
                sys.stdout.write(f"{family:6} n={n:<5} {name:14} gap {gap:8.3f} %  {times}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
