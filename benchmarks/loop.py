"""What an isolated evaluation costs in the loop: processor time a candidate of a candidate that takes 1 ms itself.

A task with one screen and four search instances, distinct candidates that spin for 1 ms in all, a proposer that answers
at once, no tuning. After a run that warms everything up, short and long runs alternate; the slope between the two
leaves out what a run costs once. Prints processor time a candidate, of this process (the loop) and of its children
(zygotes and candidates), and the ratio to the same candidates run in process without isolation:

    python benchmarks/loop.py --samples 400 --rounds 3

With ``--filled`` it goes on with runs that hold so many candidates already, and compares what the loop itself costs a
candidate there, with a listener as the command line has one:

    python benchmarks/loop.py --filled 1000 50000
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from shutil import rmtree

from filling import fill
from spending import CALLS, SPIN, Bench, bench

from discovery.config import RunSettings, load
from discovery.progress import Progress, StopSignal
from discovery.run import resume, start


def processor_time() -> tuple[float, float]:
    """Of this process and of its ended children, s."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime


def turns_for(seconds: float) -> int:
    """Loop turns that take ``seconds`` of processor time here."""
    scope: dict[str, object] = {}
    exec(SPIN.format(salt=0), scope)
    start_time = time.process_time()
    scope["work"](1_000_000)  # type: ignore[operator]
    return int(1_000_000 * seconds / (time.process_time() - start_time))


def in_process(samples: int, size: int) -> float:
    begin = time.process_time()
    for salt in range(samples):
        scope: dict[str, object] = {}
        exec(SPIN.format(salt=salt), scope)
        for _ in range(CALLS):
            scope["work"](size)  # type: ignore[operator]
    return (time.process_time() - begin) / samples


def chosen(folder: Path, samples: int) -> RunSettings:
    """A run of so many samples in a ledger of its own."""
    flags = {"db": str(folder / "ledger.sqlite"), "proposer": "genetic", "samples": samples}
    return RunSettings("bench", load({**flags, "tune": False, "workers": 1}).settings, ())


def in_loop(samples: int, folder: Path) -> tuple[float, float]:
    """Processor time of one run: of the loop and of its children, s."""
    folder.mkdir()
    before = processor_time()
    report = start(chosen(folder, samples))
    if report.valid != samples:
        sys.exit(f"only {report.valid} of {samples} candidates were valid: {report.reason}")
    after = processor_time()
    return after[0] - before[0], after[1] - before[1]


def beyond(filled: int, samples: int, folder: Path) -> tuple[float, float]:
    """A run that holds ``filled`` candidates goes on for ``samples`` more: processor time of this process, s, for
    rebuilding its state and then for each candidate."""
    folder.mkdir()
    settings = chosen(folder, filled + samples)
    stop = StopSignal()
    stop.request()
    run = start(settings, stop=stop).run
    fill(folder / "ledger.sqlite", run, filled, settings.settings.batch)
    rmtree(folder / "checkpoints")  # they point at a run that holds nothing
    seen: dict[int, float] = {}

    def listen(progress: Progress) -> None:
        if progress.phase == "searching":
            seen.setdefault(progress.batch, time.process_time())

    began = time.process_time()
    report = resume(settings.settings.db, run, on_progress=listen)
    if report.samples != filled + samples:
        sys.exit(f"{report.samples} samples, not {filled + samples}")
    # The first batches fill what later ones find warm, the last ones are not asked for any more.
    batches = sorted(seen)[4:-3]
    each = (seen[batches[-1]] - seen[batches[0]]) / (batches[-1] - batches[0]) / settings.settings.batch
    return seen[min(seen)] - began, each


def compare(sizes: list[int], samples: int, rounds: int, folder: Path) -> None:
    """Print what a candidate costs the loop in runs of these sizes, rounds interleaved."""
    found: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
    for number in range(rounds):
        for size in sizes:
            found[size].append(beyond(size, samples, folder / f"filled{size}-{number}"))
    costs = {size: statistics.median(each for _, each in rows) for size, rows in found.items()}
    for size, rows in found.items():
        restored = statistics.median(back for back, _ in rows)
        print(
            f"a run of {size:,}: the loop itself {1000 * costs[size]:.2f} ms a candidate; "
            f"state rebuilt in {restored:.1f} s, {1000 * restored / size:.2f} ms a candidate"
        )
    print(f"ratio {costs[max(sizes)] / costs[min(sizes)]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--filled", type=int, nargs="+")
    options = parser.parse_args()
    samples, few = options.samples, options.samples // 4
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    with bench(turns_for(0.001 / CALLS)) as folder:
        in_loop(few, folder / "warm")
        if options.filled:
            compare(options.filled, samples, options.rounds, folder)
            return
        slopes: list[tuple[float, float]] = []
        plain: list[float] = []
        for number in range(options.rounds):
            short = in_loop(few, folder / f"short{number}")
            long = in_loop(samples, folder / f"long{number}")
            slopes.append(tuple((b - a) / (samples - few) for a, b in zip(short, long, strict=True)))  # type: ignore[arg-type]
            plain.append(in_process(samples, Bench.size))
    own, children = (1000 * statistics.median(s[k] for s in slopes) for k in (0, 1))
    cost = 1000 * statistics.median(sum(s) for s in slopes)
    least = 1000 * min(sum(s) for s in slopes)
    alone = 1000 * statistics.median(plain)
    print(f"in the loop: {cost:.2f} ms of processor time a candidate (median; least {least:.2f})")
    print(f"  the loop itself {own:.2f} ms, zygotes and candidates {children:.2f} ms")
    print(f"in process:  {alone:.2f} ms; ratio {cost / alone:.1f}")


if __name__ == "__main__":
    main()
