"""How many evaluations of ``memory-alloc`` on its search split one worker does in an hour, through the sandbox.

    python benchmarks/memory_speed.py [NAME …] [--repeats 20]

An evaluation is a whole one as in a run: a fresh child, all instances of the split, every answer judged. Also told
are the processor time of the candidate's calls and, without the sandbox, the time of a greedy pass by the number of
buffers.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from discovery.execution.base import StageJob
from discovery.execution.make import make_executor
from evaluators.memory.alloc.adapter import Board
from evaluators.memory.alloc.instances import SEARCHED, Spec, generate
from evaluators.registry import load

ONE_PASS = ("first-fit-size", "first-fit-length", "best-fit-size", "random", "squeaky-wheel")


def rates(names: list[str], repeats: int) -> None:
    """Print the rate of each baseline."""
    task = load("memory-alloc")
    instances = task.instances("search")
    executor = make_executor(task, "local", 1)
    print(f"{'baseline':18} {'an hour':>9} {'wall s':>8} {'candidate s':>12}")
    for name in names:
        path = task.baselines()[name].path
        assert path is not None
        code = path.read_text(encoding="utf-8")
        walls, used = [], []
        for number in range(repeats + 1):
            start = time.perf_counter()
            result = executor.submit(StageJob(f"{code}\n# {number}\n", instances, {})).result()
            assert result.outcome == "scored", result.reason
            walls.append(time.perf_counter() - start)
            used.append(sum(result.cpu))
        wall = float(np.median(walls[1:]))  # the first one starts the executor
        print(f"{name:18} {3600 / wall:9.0f} {wall:8.3f} {float(np.median(used[1:])):12.3f}")
    executor.close()


def passes() -> None:
    """Print the time of a greedy pass by size, overlaps known, and with finding them."""
    print(f"\n{'buffers':>8} {'pass ms':>8} {'first ms':>9}")
    for n in (60, 150, 300, 450):
        first, again = [], []
        for seed, family in enumerate(SEARCHED):
            buffers = generate(Spec(family, n, seed))
            order = np.argsort(-buffers.size, kind="stable").tolist()
            start = time.process_time()
            board = Board(buffers.lower, buffers.upper, buffers.size)
            board.place(order, None)
            middle = time.process_time()
            board.place(order, None)
            first.append(middle - start)
            again.append(time.process_time() - middle)
        print(f"{n:8} {1000 * float(np.mean(again)):8.2f} {1000 * float(np.mean(first)):9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=list(ONE_PASS))
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    rates(options.names, options.repeats)
    passes()


if __name__ == "__main__":
    main()
