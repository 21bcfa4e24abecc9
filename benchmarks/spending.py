"""The task of the benchmarks: candidates that only spend time, and a proposer that answers at once, so that what is
measured is everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from discovery import run as engine
from discovery.proposers.base import EDITS, Message, Reply, Request
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


class Instant:
    """A proposer that takes no time: each slot gets another candidate."""

    name, model, paid, most_tokens, operators = "instant", None, False, 0, EDITS

    def prompt(self, request: Request) -> tuple[Message, ...]:
        del request
        return ()

    def reserve(self, messages: tuple[Message, ...]) -> int:
        del messages
        return 0

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:
        del messages
        return Reply(SPIN.format(salt=request.slot + 1), "instant")


@contextmanager
def bench(size: int) -> Iterator[Path]:
    """A folder in which runs of the task ``bench`` may keep their ledgers; a call takes ``size`` turns."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "adapter.py").write_text(ADAPTER)
        (folder / "seed.py").write_text(SPIN.format(salt=0))
        Bench.folder, Bench.size = folder, size
        BUILT_IN["bench"] = "spending:Bench"
        proposer, engine.make_proposer = engine.make_proposer, lambda *_: Instant()
        try:
            yield folder
        finally:
            engine.make_proposer = proposer
