"""Whether a long run stays within bounds: memory, ledger and checkpoints of 2,000 samples of the genetic proposer.

The task is the toy one of the tests, whose candidates take almost no time. Prints the resident memory of the process as
the run goes on, and what is on disk at its end:

    python benchmarks/soak.py --samples 2000
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from discovery.config import RunSettings, load
from discovery.progress import Progress
from discovery.run import start
from evaluators.registry import BUILT_IN

MARKS = 5


def resident() -> float:
    """Megabytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def size(folder: Path) -> float:
    """Megabytes of the files in a folder."""
    return sum(p.stat().st_size for p in folder.iterdir() if p.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-tune", action="store_true")
    options = parser.parse_args()
    BUILT_IN["knapsack"] = "toy.task:Knapsack"
    seen: dict[int, tuple[float, float, float]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)

        def listen(progress: Progress) -> None:
            mark = int(progress.samples.used * MARKS // options.samples)
            if progress.phase == "searching" and progress.batch and mark not in seen:
                kept = folder / "checkpoints"
                seen[mark] = (resident(), time.process_time(), size(kept) if kept.is_dir() else 0.0)
                print(
                    f"after {progress.samples.used:,.0f} samples: {seen[mark][0]:.0f} MB resident, "
                    f"checkpoints {seen[mark][2]:.2f} MB",
                    flush=True,
                )

        flags = {
            "db": str(folder / "ledger.sqlite"),
            "proposer": "genetic",
            "samples": options.samples,
            "seed": options.seed,
            "tune": not options.no_tune,
        }
        report = start(RunSettings("knapsack", load(flags).settings, ()), on_progress=listen)
        steps = sorted(seen)
        print(f"{report.samples:,} samples, {report.valid:,} valid candidates, best {report.best.score:.2f}")
        print(f"ledger {size(folder):.1f} MB, checkpoints {size(folder / 'checkpoints'):.2f} MB")
        early, late = seen[steps[1]], seen[steps[-1]]
        print(f"memory late / early: {late[0] / early[0]:.2f} ({late[0] - early[0]:+.1f} MB)")


if __name__ == "__main__":
    main()
