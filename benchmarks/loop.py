"""What an isolated evaluation costs in the loop: processor time a candidate of a candidate that takes 1 ms itself.

A task with one screen and four search instances, distinct candidates that spin for 1 ms in all, proposals from a
recording, no tuning. After a run that warms everything up, short and long runs alternate; the slope between the two
leaves out what a run costs once. Prints processor time a candidate, of this process (the loop) and of its children
(zygotes and candidates), and the ratio to the same candidates run in process without isolation:

    python benchmarks/loop.py --samples 400 --rounds 3
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time
from pathlib import Path

from spending import CALLS, SPIN, Bench, bench

from discovery.config import RunSettings, load
from discovery.proposers.base import Reply
from discovery.proposers.replay import write_cassette
from discovery.run import start


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


def in_loop(samples: int, folder: Path) -> tuple[float, float]:
    """Processor time of one run: of the loop and of its children, s."""
    folder.mkdir()
    replies = {(k, 0): Reply(SPIN.format(salt=k + 1), "bench") for k in range(samples)}
    write_cassette(folder / "replies.jsonl", "bench", replies)
    settings = load(
        {
            "db": str(folder / "ledger.sqlite"),
            "proposer": "replay",
            "samples": samples,
            "tune": False,
            "workers": 1,
        }
    ).settings
    before = processor_time()
    report = start(RunSettings("bench", settings, (), str(folder / "replies.jsonl")))
    if report.valid != samples:
        sys.exit(f"only {report.valid} of {samples} candidates were valid: {report.reason}")
    after = processor_time()
    return after[0] - before[0], after[1] - before[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    samples, few = options.samples, options.samples // 4
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    with bench(turns_for(0.001 / CALLS)) as folder:
        in_loop(few, folder / "warm")
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
