"""The task ``knapsack``: pack items of the greatest weight into a bag of limited volume (more is better).

Instances are drawn by SHA-256, optima are found by trying all subsets, so nothing is shipped and nothing is slow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from evaluators.registry import bind
from evaluators.task import (
    Baseline,
    Direction,
    Figure,
    ImpossibleAnswer,
    Instance,
    InstanceSet,
    Interface,
    InvalidAnswer,
    Judgement,
    Option,
    ShippedScore,
    Split,
    TaskError,
    Value,
)

HERE = Path(__file__).parent
GROUPS = ("even", "steep", "tight")
SIZES = {"screen": (6, 3), "search": (10, 24), "gate": (12, 36), "final": (13, 12)}
"""Items and instances by split."""
POOL = 3


class Knapsack:
    """The task bound to its options."""

    name: str = "knapsack"
    summary: str = "fill a bag of limited volume with the greatest weight"
    direction: Direction = "maximize"
    unit: str = "% of the optimum"
    measured: bool = False
    version: str = "1"
    interface: Interface = Interface(
        function="rank",
        summary="Return a rank for each item; the bag is filled from the highest rank down with whatever fits.",
        arguments=(
            Value("weights", "array", "int64", "weight of each item", unit="kg", low=1, high=99, length="n"),
            Value(
                "volumes", "array", "int64", "volume of each item", unit="litre", low=1, high=99, length="n"
            ),
            Value("capacity", "scalar", "int64", "volume of the bag", unit="litre", low=1),
        ),
        returns=Value("ranks", "array", "float64", "highest goes in first", length="n"),
        facts=("Items that do not fit any more are left out.",),
    )
    seeds: tuple[str, ...] = ("heaviest", "trivial")
    options: tuple[Option, ...] = (
        Option("gate", "fixed", "one gate or a pool of blocks", ("fixed", "pool")),
    )
    adapter: Path = HERE / "adapter.py"
    memory: int = 64 * 2**20

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)
        self.gate_blocks = POOL if self.settings["gate"] == "pool" else 1

    def baselines(self) -> Mapping[str, Baseline]:
        found = {
            p.stem: Baseline(p.stem, "baseline", "folklore", p)
            for p in sorted((HERE / "baselines").glob("*.py"))
        }
        return {**found, "all-subsets": Baseline("all-subsets", "reference", "tries everything")}

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return {}

    def instances(self, split: Split) -> InstanceSet:
        if split not in SIZES:
            raise TaskError(f"task 'knapsack' has no split {split!r}; expected {', '.join(SIZES)}")
        return _drawn(split, split)

    def gate(self, block: int) -> InstanceSet:
        if not 0 <= block < self.gate_blocks:
            raise TaskError(
                f"task 'knapsack' has no gate block {block}; expected 0 to {self.gate_blocks - 1}"
            )
        return _drawn(f"gate-{block}", "gate")

    def read(self, path: Path) -> InstanceSet:
        """Lines of ``id capacity weight:volume …``."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise TaskError(f"{path} cannot be read: {error}") from None
        found = [_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
        if not found:
            raise TaskError(f"{path} holds no instances; expected lines of 'id capacity weight:volume …'")
        return InstanceSet(path.name, tuple(found))

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        capacity, weights, volumes = decode(instance.payload)
        if len(answer) != len(weights):
            raise InvalidAnswer(
                f"the answer has {len(answer)} bytes; {len(weights)} items need {len(weights)}"
            )
        packed = np.frombuffer(answer, dtype=np.uint8)
        if packed.max(initial=0) > 1:
            raise InvalidAnswer("each byte of the answer must be 0 or 1")
        volume, value = int(volumes @ packed), int(weights @ packed)
        if volume > capacity:
            raise InvalidAnswer(f"the items need {volume} litre; the bag holds {capacity}")
        if instance.reference is None:
            raise ValueError(f"instance {instance.id!r} has no reference")
        if instance.reference_kind == "proved optimum" and value > instance.reference:
            raise ImpossibleAnswer(f"weight {value} beats the proved optimum {instance.reference:.0f}")
        return Judgement(float(value), 100.0 * value / max(instance.reference, 1.0))

    def figures(self, instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
        solved = sum(v == i.reference for i, v in zip(instances, values, strict=True))
        return (Figure("share optimal", 100.0 * solved / len(instances), "%"),)


def decode(payload: bytes) -> tuple[int, np.ndarray, np.ndarray]:
    """Capacity, weights and volumes."""
    numbers = np.frombuffer(payload, dtype="<i8")
    n = len(numbers) // 2
    return int(numbers[0]), numbers[1 : n + 1], numbers[n + 1 :]


def optimum(capacity: int, weights: np.ndarray, volumes: np.ndarray) -> int:
    """The greatest weight of all 2**n subsets."""
    subsets = (np.arange(1 << len(weights))[:, None] >> np.arange(len(weights))) & 1
    return int((subsets @ weights)[subsets @ volumes <= capacity].max())


def _instance(
    id_: str, group: str, capacity: int, items: Sequence[tuple[int, int]], proved: bool
) -> Instance:
    weights, volumes = (np.array(side, dtype="<i8") for side in zip(*items, strict=True))
    reference = float(optimum(capacity, weights, volumes)) if proved else None
    payload = np.array([capacity, *weights, *volumes], dtype="<i8").tobytes()
    return Instance(
        id=id_,
        group=group,
        size=len(items),
        payload=payload,
        answer_bytes=len(items),
        limit=0.25,
        reference=reference,
        reference_kind="proved optimum" if proved else "baseline",
    )


@cache
def _drawn(name: str, split: str) -> InstanceSet:
    n, count = SIZES[split]
    return InstanceSet(name, tuple(_draw(name, number, n) for number in range(count)))


def _draw(name: str, number: int, n: int) -> Instance:
    bits = b"".join(hashlib.sha256(f"{name}/{number}/{part}".encode()).digest() for part in range(4))
    group = GROUPS[number % len(GROUPS)]
    high = {"even": 30, "steep": 99, "tight": 60}[group]
    items = [(1 + bits[2 * k] % high, 1 + bits[2 * k + 1] % high) for k in range(n)]
    share = 4 if group == "tight" else 2
    return _instance(f"{name}-{number}", group, max(1, sum(v for _, v in items) // share), items, proved=True)


def _line(path: Path, number: int, line: str) -> Instance:
    try:
        id_, capacity, *items = line.split()
        pairs = [(int(w), int(v)) for w, v in (item.split(":") for item in items)]
        if not pairs or int(capacity) < 1 or min(min(p) for p in pairs) < 1:
            raise ValueError
    except ValueError:
        raise TaskError(
            f"{path}, line {number}: expected 'id capacity weight:volume …' with numbers from 1"
        ) from None
    return _instance(id_, "all", int(capacity), pairs, proved=False)
