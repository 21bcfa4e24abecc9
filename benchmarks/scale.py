"""What limits a campaign on many cores, by simulation: a run's super-steps with its three resources, event by event.

    python benchmarks/scale.py
    python benchmarks/scale.py --check

A super-step proposes batch g+1 while it evaluates batch g, then tunes, then integrates; nothing of the next one begins
before. Three queues serve it: the model (so many requests at once), the cores, and the one process that checks replies
and writes the ledger. Costs come from benchmarks/README.md or the flags; times are drawn log-normally from a seed.
``--check`` measures the costs here and compares a small real run with what is predicted for it.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

CANDIDATES = 1_000_000
SAMPLED = 60_000
"""Candidates that are simulated; a campaign of more is as many times as long, since its steps are alike."""


@dataclass(frozen=True)
class Machine:
    """A campaign and what serves it. Times in seconds; ``spread`` is the standard deviation of a time's logarithm."""

    batch: int = 8
    cores: int = 1000
    in_flight: int = 8
    """Requests that the model's server answers at once."""
    reply: float = 8.0
    """Median of a model's reply."""
    evaluation: float = 1.0
    """Median of a candidate on screen and search split, on one core."""
    overhead: float = 0.003
    """Zygote and child, on that core."""
    host: float = 0.0037
    """The loop's own process: proposal, check, ledger and graph, a candidate."""
    integration: float = 0.0003
    """The share of ``host`` that comes at the end of a batch, a candidate."""
    step: float = 0.02
    """A super-step's own cost: checkpoints and their sync, the look around."""
    tuned: float = 0.25
    """Most studies, as a share of a batch."""
    better: float = 0.10
    """Candidates that beat the median of their island and are tuned, as a share of a batch."""
    trials: int = 20
    pruned: float = 0.35
    """What a trial takes on average, as a share of an evaluation."""
    spread: float = 0.5


class Queue:
    """Servers that take whoever comes first."""

    def __init__(self, servers: int) -> None:
        self._free = [0.0] * servers
        self.busy = 0.0

    def serve(self, arrival: float, seconds: float) -> float:
        """When the service ends."""
        begin = max(arrival, self._free[0])
        heapq.heapreplace(self._free, begin + seconds)
        self.busy += seconds
        return begin + seconds


@dataclass(frozen=True)
class Course:
    """How long a campaign takes, s, and the share of that in which each resource was busy."""

    seconds: float
    model: float
    cores: float
    host: float

    def bottleneck(self, machine: Machine) -> str:
        """The resource that is busy nearly always; where none is, the steps wait for their slowest member."""
        busy = {"the model": self.model, "the cores": self.cores, "the one loop": self.host}
        name = max(busy, key=lambda key: busy[key])
        return name if busy[name] > 0.6 else f"the batch of {machine.batch:,}"


def campaign(machine: Machine, candidates: int, seed: int = 0) -> Course:
    """A campaign, super-step by super-step. Every candidate is proposed in one and evaluated in the next."""
    draw = random.Random(seed)
    model, cores, host = Queue(machine.in_flight), Queue(machine.cores), Queue(1)
    now, waiting = 0.0, 0
    for first in range(0, candidates + machine.batch, machine.batch):
        asked = min(machine.batch, max(0, candidates - first))
        replies = [model.serve(now, _drawn(draw, machine.reply, machine)) for _ in range(asked)]
        runs = [cores.serve(now, _evaluation(draw, machine)) for _ in range(waiting)]
        each = (machine.host - machine.integration) / 2  # half at the reply, half when the scores are stored
        ends = [host.serve(at, each) for at in sorted([*replies, *runs])]
        now = max(ends, default=now)
        studies = min(round(waiting * machine.better), math.ceil(machine.batch * machine.tuned))
        now = max((_study(now, draw, machine, cores) for _ in range(studies)), default=now)
        now = host.serve(now, machine.step + waiting * machine.integration)
        waiting = asked
    return Course(
        now, *(q.busy / now / n for q, n in ((model, machine.in_flight), (cores, machine.cores), (host, 1)))
    )


def _study(at: float, draw: random.Random, machine: Machine, cores: Queue) -> float:
    """Trials follow one another, since each is drawn from those before it. A core is taken for all of them."""
    return cores.serve(at, sum(_evaluation(draw, machine, machine.pruned) for _ in range(machine.trials - 1)))


def _evaluation(draw: random.Random, machine: Machine, share: float = 1.0) -> float:
    return machine.overhead + share * _drawn(draw, machine.evaluation, machine)


def _drawn(draw: random.Random, median: float, machine: Machine) -> float:
    return median * math.exp(machine.spread * draw.gauss(0.0, 1.0)) if median else 0.0


def predicted(machine: Machine, candidates: int) -> Course:
    """The course of a large campaign from that of one which is a few hundred steps long, or as long as itself."""
    some = min(candidates, max(SAMPLED, 40 * machine.batch))
    course = campaign(machine, some)
    return replace(course, seconds=course.seconds * candidates / some)


def table(campaigns: Iterable[tuple[str, Machine, int]], candidates: int) -> None:
    """Print the course of each campaign: its name, a run of it, and how many such runs share the candidates."""
    print("| campaign | hours | candidates/s | model busy | cores busy | loop busy | limited by |")
    print("|---|---|---|---|---|---|---|")
    for name, machine, runs in campaigns:
        found = predicted(machine, candidates // runs)
        shares = " | ".join(f"{100 * s:.0f} %" for s in (found.model, found.cores, found.host))
        limit = found.bottleneck(machine)
        print(
            f"| {name} | {found.seconds / 3600:,.1f} | {candidates / found.seconds:,.1f} | {shares} | {limit} |"
        )


def variants(base: Machine) -> list[tuple[str, Machine, int]]:
    """One thing changed after another, each where the one before it was the limit."""
    served = replace(base, batch=1024, in_flight=1024)
    share = replace(base, batch=64, in_flight=64, cores=max(1, base.cores // 16))
    quick = replace(served, reply=0.0, in_flight=1)
    return [
        ("as a run is by default: batch 8, 8 replies at once", base, 1),
        ("batch 64", replace(base, batch=64), 1),
        ("batch 64, 64 replies at once", replace(base, batch=64, in_flight=64), 1),
        ("batch 1,024, 1,024 replies at once", served, 1),
        ("… without tuning", replace(served, tuned=0.0), 1),
        ("… without tuning, replies in 2 s", replace(served, tuned=0.0, reply=2.0), 1),
        ("no model (genetic), batch 1,024", quick, 1),
        ("no model, batch 1,024, without tuning", replace(quick, tuned=0.0), 1),
        ("16 runs beside one another, each batch 64 and 64 replies at once", share, 16),
        ("64 such runs", replace(share, cores=max(1, base.cores // 64)), 64),
        (
            "64 such runs, evaluations of 20 s",
            replace(share, cores=max(1, base.cores // 64), evaluation=20.0),
            64,
        ),
    ]


# -- the check --


def check(samples: int) -> None:
    """Costs measured on one small run, and another one predicted from them and measured."""
    from loop import processor_time, turns_for
    from spending import SPIN, Instant, bench

    from discovery import run as engine
    from discovery.config import RunSettings, load
    from discovery.proposers.base import Message, Reply, Request

    class Slow(Instant):
        """Answers after a while that is drawn by slot."""

        median = 0.0

        def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:
            del messages
            machine = Machine()
            with gate:
                time.sleep(_drawn(random.Random(request.slot), self.median, machine))
            return Reply(SPIN.format(salt=request.slot + 1), "slow")

    def measured(folder: Path, machine: Machine) -> tuple[float, float, float]:
        """Wall time, processor time of the loop, and of its children, s."""
        folder.mkdir()
        Slow.median = machine.reply
        engine.make_proposer = lambda *_: Slow()
        flags = {"db": str(folder / "l.sqlite"), "proposer": "genetic", "samples": samples, "tune": False}
        flags |= {"batch": machine.batch, "workers": machine.cores}
        before, start = processor_time(), time.monotonic()
        engine.start(RunSettings("bench", load(flags).settings, ()))
        wall, after = time.monotonic() - start, processor_time()
        return wall, after[0] - before[0], after[1] - before[1]

    gate = threading.Semaphore(8)
    one = 0.002
    with bench(turns_for(one / 5)) as folder:
        idle = Machine(cores=1, reply=0.0)
        measured(folder / "warm", idle)
        found: dict[int, list[tuple[float, ...]]] = {4: [], 32: []}
        for n in range(3):
            for batch, rows in found.items():
                rows.append(measured(folder / f"cost{batch}-{n}", replace(idle, batch=batch)))
        (small, child, wall), (large, _, _) = (
            (statistics.median(column) / samples for column in (loops, children, walls))
            for walls, loops, children in (zip(*found[batch], strict=True) for batch in (4, 32))
        )
        stretch = wall / (small + child)
        step = max(0.0, (small - large) / (1 / 4 - 1 / 32))
        host = large - step / 32
        print(
            f"a candidate of {1e3 * one:g} ms: loop {1e3 * host:.2f} ms and {1e3 * step:.2f} ms a super-step, child "
            f"{1e3 * child:.2f} ms of processor time;\nwall time {stretch:.2f} × that: other work on this machine, "
            "and syncs of the disk"
        )
        for batch, reply, cores in ((8, 0.5, 2), (16, 0.5, 2), (32, 1.0, 2)):
            machine = Machine(
                batch=batch, cores=cores, reply=reply,
                evaluation=one * stretch, overhead=(child - one) * stretch,
                host=host * stretch, integration=0.0, step=step * stretch, tuned=0.0,
            )  # fmt: skip
            real = measured(folder / f"real{batch}", machine)[0]
            said = campaign(machine, samples).seconds
            print(
                f"batch {batch}, replies in {reply:g} s, {cores} workers: predicted {said:.1f} s, "
                f"measured {real:.1f} s, ratio {said / real:.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    parser.add_argument("--cores", type=int, default=1000)
    parser.add_argument("--reply", type=float, default=8.0, help="median of a reply, s")
    parser.add_argument(
        "--evaluation", type=float, default=1.0, help="median of an evaluation on one core, s"
    )
    parser.add_argument("--host", type=float, default=3.7, help="the loop's own cost of a candidate, ms")
    parser.add_argument("--check", action="store_true", help="compare a small real run with its prediction")
    parser.add_argument("--samples", type=int, default=128, help="of each run of the check")
    options = parser.parse_args()
    if options.check:
        check(options.samples)
        return
    base = Machine(
        cores=options.cores, reply=options.reply, evaluation=options.evaluation, host=options.host / 1e3
    )
    table(variants(base), options.candidates)


if __name__ == "__main__":
    main()
