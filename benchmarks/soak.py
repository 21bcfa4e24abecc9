"""Whether a long run stays within bounds: memory, descriptors, processes, temporary files, ledger and checkpoints.

The genetic proposer on the toy task of the tests, whose candidates take almost no time; every twentieth slot gets a
candidate that never ends, one that eats memory and one that crashes, so that children are killed all the time. Samples
itself as it goes, and ends with 1 when something grew or was left behind:

    python benchmarks/soak.py --samples 2000
    python benchmarks/soak.py --minutes 60
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "crash")]

from killing import descendants
from toy.loop import rule

from discovery import run as engine
from discovery.config import RunSettings, load
from discovery.progress import Progress
from discovery.proposers.base import Message, Reply, Request
from discovery.proposers.genetic import GeneticProposer
from evaluators.registry import BUILT_IN

RUDE = {
    7: rule("while True: weights = weights + {salt} - {salt}"),
    12: rule("return [bytearray(1 << 28) for k in range({salt} + 64)]"),
    17: rule("return (lambda f: f(f, {salt}))(lambda f, n: f(f, n + 1))"),
}
"""By slot modulo 20."""
ENDLESS = 10_000_000
SHOWN = 20
DESCRIPTORS = Path("/proc/self/fd")
MOST_GROWTH = 2.0
"""Megabytes of memory a thousand samples (of which there must be so many): a run keeps what it knows of each."""


class Rude(GeneticProposer):
    """The genetic proposer, which now and then hands out a candidate that must be killed."""

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:
        code = RUDE.get(request.slot % 20)
        if code is None:
            return super().ask(request, messages)
        return Reply(code.replace("{salt}", str(request.slot)), self.name)


@dataclass(frozen=True)
class Mark:
    """What the process held at one moment; megabytes, of its descendants for ``zygotes``."""

    samples: float
    seconds: float
    memory: float
    zygotes: float
    processes: int
    descriptors: int
    temporary: int
    checkpoints: float


def count(folder: Path) -> int:
    """How many things are in a folder."""
    return sum(1 for _ in folder.iterdir())


def resident(pid: int) -> float:
    """Megabytes of a process that are in memory now; 0 when it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def size(folder: Path) -> float:
    """Megabytes of the files in a folder."""
    return sum(p.stat().st_size for p in folder.iterdir() if p.is_file()) / 1e6 if folder.is_dir() else 0.0


def watched(folder: Path, samples: Callable[[], float], every: float, ended: threading.Event) -> list[Mark]:
    """Marks, one ``every`` so many seconds until the run has ended."""
    marks: list[Mark] = []
    start = time.monotonic()
    while not ended.wait(every):
        children = descendants(os.getpid())
        marks.append(
            Mark(
                samples(),
                time.monotonic() - start,
                resident(os.getpid()),
                sum(map(resident, children)),
                len(children),
                count(DESCRIPTORS),
                count(folder / "tmp"),
                size(folder / "checkpoints"),
            )
        )
        if len(marks) % SHOWN == 1:
            print(
                "{:>9,.0f}{:>9.0f}{:>9.0f}{:>9.0f}{:>7}{:>7}{:>7}{:>9.2f}".format(*astuple(marks[-1])),
                flush=True,
            )
    return marks


def grown(marks: list[Mark]) -> list[str]:
    """What was more in the last quarter of the run than in the second."""
    quarter = len(marks) // 4
    early, late = marks[quarter : 2 * quarter], marks[-quarter:]

    def middle(name: str, part: list[Mark]) -> float:
        return statistics.median(getattr(m, name) for m in part)

    found = []
    for name, slack in (
        ("processes", 1),
        ("descriptors", 2),
        ("temporary", 0),
        ("zygotes", 10),
        ("checkpoints", 5),
    ):
        before, after = middle(name, early), middle(name, late)
        print(f"{name}: {before:g} in the second quarter, {after:g} in the last")
        if after > before + slack:
            found.append(name)
    more, rows = (middle(name, late) - middle(name, early) for name in ("memory", "samples"))
    print(f"memory: {more:+.1f} MB over {rows:,.0f} samples, {1000 * more / rows:+.2f} MB a thousand")
    return [*found, *(["memory"] if rows > 1000 and 1000 * more > MOST_GROWTH * rows else [])]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-tune", action="store_true")
    options = parser.parse_args()
    BUILT_IN["knapsack"] = "toy.task:Knapsack"
    engine.make_proposer = lambda *_: Rude()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "tmp")
        flags = {
            "db": str(folder / "ledger.sqlite"),
            "proposer": "genetic",
            "samples": options.samples or (ENDLESS if options.minutes else 2000),
            "minutes": options.minutes,
            "seed": options.seed,
            "tune": not options.no_tune,
        }
        seen = [Progress("", "knapsack", "maximize", "", "genetic", "preparing")]
        ended, marks = threading.Event(), []
        every = max(0.5, (options.minutes or 1) * 60 / 400)
        columns = ("samples", "seconds", "memory", "zygotes", "proc", "fds", "tmp", "checkpts")
        print("{:>9}{:>9}{:>9}{:>9}{:>7}{:>7}{:>7}{:>9}".format(*columns))
        watcher = threading.Thread(
            target=lambda: marks.extend(watched(folder, lambda: seen[-1].samples.used, every, ended))
        )
        watcher.start()
        before = count(DESCRIPTORS)
        try:
            report = engine.start(
                RunSettings("knapsack", load(flags).settings, ()),
                on_progress=lambda p: seen.__setitem__(-1, p),
            )
        finally:
            ended.set()
            watcher.join()
        lost = ", ".join(f"{n} {kind}" for kind, n in report.failures.items())
        print(
            f"{report.samples:,} samples in {report.seconds / 60:.1f} minutes, {report.valid:,} valid, lost {lost}; "
            f"best {report.best.score:.2f}; ledger {size(folder):.1f} MB, "
            f"checkpoints {size(folder / 'checkpoints'):.2f} MB"
        )
        found = grown(marks)
        left = (
            len(descendants(os.getpid())),
            count(DESCRIPTORS) - before,
            count(folder / "tmp"),
        )
        print("left at the end: {} processes, {} descriptors, {} temporary files".format(*left))
        if found or left[0] or left[1] > 0 or left[2]:
            sys.exit(f"it grew or left something behind: {', '.join(found) or left}")


if __name__ == "__main__":
    main()
