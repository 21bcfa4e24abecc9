"""What an isolated evaluation costs in the loop: processor time a candidate of a candidate that takes 1 ms itself.

A task with one screen and four search instances, distinct candidates that spin for 1 ms in all, proposals from a
recording, no tuning. Prints processor time of all processes (loop, zygotes, children) a candidate, and its ratio to
the same candidates run in process without isolation, measured in the same run:

    python benchmarks/loop.py --samples 400
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from discovery.config import RunSettings, load
from discovery.proposers.base import Reply
from discovery.proposers.replay import write_cassette
from discovery.run import start
from evaluators.registry import BUILT_IN
from evaluators.task import Baseline, Figure, Instance, InstanceSet, Interface, Judgement, Option, Value

ADAPTER = """
import struct


def answer(function, payload, parameters):
    return struct.pack("<d", float(function(struct.unpack("<q", payload)[0], **parameters)))
"""
SPIN = """
def work(size):
    total = {salt}
    for k in range(size):
        total += k * k
    return float(total)
"""
CALLS = 5


class Bench:
    """An answer task whose candidates only spend time. ``size`` loop turns make 0.2 ms."""

    name = "bench"
    summary = "spends time"
    direction = "minimize"
    unit = ""
    measured = False
    version = "1"
    interface = Interface(
        "work",
        "Spend time.",
        (Value("size", "scalar", "int64", "turns", low=0),),
        Value("sum", "scalar", "float64", "sum"),
    )
    seeds = ("seed",)
    options: tuple[Option, ...] = ()
    settings: Mapping[str, str] = {}
    memory = 64 << 20
    gate_blocks = 1
    folder: Path
    size: int

    def __init__(self, settings: Mapping[str, str]) -> None:
        del settings
        self.adapter = self.folder / "adapter.py"

    def baselines(self) -> Mapping[str, Baseline]:
        return {"seed": Baseline("seed", "baseline", "this benchmark", self.folder / "seed.py")}

    def shipped_scores(self) -> Mapping[str, object]:
        return {}

    def instances(self, split: str) -> InstanceSet:
        count = 1 if split == "screen" else CALLS - 1
        payload = self.size.to_bytes(8, "little")
        return InstanceSet(
            split,
            tuple(Instance(f"{split}{k}", "all", 1, payload, 8, 1.0, 0.0, "baseline") for k in range(count)),
        )

    def gate(self, block: int) -> InstanceSet:
        del block
        return self.instances("gate")

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        del instance, answer
        return Judgement(1.0, 1.0)

    def figures(self, instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
        del instances, values
        return ()


def processor_time() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


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


def in_loop(samples: int, folder: Path) -> float:
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
    begin = processor_time()
    report = start(RunSettings("bench", settings, (), str(folder / "replies.jsonl")))
    if report.valid != samples:
        sys.exit(f"only {report.valid} of {samples} candidates were valid: {report.reason}")
    return processor_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=400)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "adapter.py").write_text(ADAPTER)
        (folder / "seed.py").write_text(SPIN.format(salt=0))
        Bench.folder, Bench.size = folder, turns_for(0.001 / CALLS)
        BUILT_IN["bench"] = "__main__:Bench"
        small, large = folder / "small", folder / "large"
        small.mkdir()
        large.mkdir()
        # The slope between two lengths leaves out imports and start-up.
        few = samples // 4
        cost = (in_loop(samples, large) - in_loop(few, small)) / (samples - few)
        plain = in_process(samples, Bench.size)
    print(f"in the loop: {1000 * cost:.2f} ms of processor time a candidate")
    print(f"in process:  {1000 * plain:.2f} ms; ratio {cost / plain:.1f}")


if __name__ == "__main__":
    main()
