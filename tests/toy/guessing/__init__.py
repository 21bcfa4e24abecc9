"""An answer task with an oracle, for tests only: guess a number that only the trusted side knows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evaluators import lines, shipped
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
SIZES = {"screen": (3, 100), "search": (6, 1000), "gate": (6, 5000), "final": (4, 9000)}
"""Instances and largest numbers by split."""


def secret(instance: Instance) -> int:
    return int.from_bytes(hashlib.sha256(instance.id.encode()).digest()[:8], "little") % (instance.size + 1)


class Guessing:
    """The task bound to its options, of which there are none."""

    name = "guessing"
    summary = "guess a number with few questions"
    direction: Direction = "minimize"
    unit = "away"
    measured = False
    version = "1"
    interface = Interface(
        function="guess",
        summary="Return a number between the bounds.",
        arguments=(
            Value("low", "scalar", "int64", "the least that it can be", low=0),
            Value("high", "scalar", "int64", "the most that it can be", low=0),
        ),
        returns=Value("number", "scalar", "int64", "the guess"),
    )
    seeds: tuple[str, ...] = ("bisection",)
    options: tuple[Option, ...] = ()
    adapter = HERE / "adapter.py"
    memory = 64 * 2**20
    gate_blocks = 1
    query_bytes = 8

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)

    def oracle(self, instance: Instance) -> Callable[[bytes], bytes | None]:
        left = instance.size.bit_length()

        def ask(question: bytes) -> bytes | None:
            nonlocal left
            guess, known = int.from_bytes(question, "little", signed=True), secret(instance)
            if not 0 <= guess <= instance.size:
                raise InvalidAnswer(f"asked for {guess}; expected 0 to {instance.size}")
            left -= 1
            return None if left < 0 else b"=" if guess == known else b">" if guess < known else b"<"

        return ask

    def baselines(self) -> Mapping[str, Baseline]:
        return shipped.candidates(HERE / "baselines")

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return {}

    def instances(self, split: Split) -> InstanceSet:
        count, most = SIZES[split]
        return InstanceSet(split, tuple(_made(f"{split}-{k}", most + k) for k in range(count)))

    def gate(self, block: int) -> InstanceSet:
        if block:
            raise TaskError(f"task 'guessing' has no gate block {block}")
        count, most = SIZES["gate"]
        return InstanceSet("gate-0", tuple(_made(f"look-{k}", most + 100 + k) for k in range(count)))

    def read(self, path: Path) -> InstanceSet:
        """Lines with the largest number."""
        made = []
        for line, text in lines.lines(path, 20, "a number"):
            if not text.isdecimal() or not 1 <= int(text) < 2**32:
                line.refuse("expected a number")
            made.append((line, _made(f"mine-{line.number}", int(text))))
        return lines.collect(path, made, 10, "a number")

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        guess = int.from_bytes(answer, "little", signed=True)
        if len(answer) != 8 or not 0 <= guess <= instance.size:
            raise InvalidAnswer("this is no number in the range")
        away = abs(guess - secret(instance))
        assert instance.reference is not None
        if instance.reference_kind != "baseline" and away < instance.reference:
            raise ImpossibleAnswer(f"{away} is below {instance.reference:g}")
        return Judgement(float(away), float(away))

    def figures(self, instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:  # noqa: ARG002
        return (Figure("found", float(sum(v == 0 for v in values))),)


def _made(id_: str, most: int) -> Instance:
    return Instance(id_, "all", most, most.to_bytes(4, "little"), 8, 0.05, 0.0, "bound")
