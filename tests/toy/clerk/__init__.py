"""A policy task for tests only. Its views have arrays of two lengths that change from decision to decision, numbers of
every type, and its replies are whole numbers; the event log is the order of service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evaluators import lines, shipped
from evaluators.plain import Draw
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
from toy.clerk.simulator import simulate

HERE = Path(__file__).parent
SIZES = {"screen": (4, 6), "search": (10, 12), "gate": (10, 20), "final": (6, 40)}
"""Instances and jobs by split."""


class Clerk:
    """The task bound to its options, of which there are none."""

    name = "clerk"
    summary = "serve waiting jobs so that they wait little"
    direction: Direction = "minimize"
    unit = "%"
    measured = False
    version = "1"
    interface = Interface(
        function="choose",
        summary="Return the position of the waiting job that is served next.",
        arguments=(
            Value("lengths", "array", "int64", "length of each waiting job", unit="time", low=1, length="n"),
            Value("waits", "array", "float64", "how long each waits", unit="time", low=0, length="n"),
            Value("urgent", "mask", "bool", "whether it is urgent", length="n"),
            Value("ends", "array", "float64", "ends of the latest jobs", unit="time", low=0, length="m"),
            Value("time", "scalar", "float64", "the time now", unit="time", low=0),
        ),
        returns=Value("position", "scalar", "int64", "position of the next job", low=0),
    )
    seeds: tuple[str, ...] = ("shortest",)
    options: tuple[Option, ...] = ()
    adapter = HERE / "simulator.py"
    memory = 64 * 2**20
    gate_blocks = 1
    decision_limit = 0.01

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)

    simulate = staticmethod(simulate)

    def baselines(self) -> Mapping[str, Baseline]:
        return shipped.candidates(HERE / "baselines")

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return {}

    def instances(self, split: Split) -> InstanceSet:
        count, jobs = SIZES[split]
        return InstanceSet(split, tuple(self._drawn(f"{split}-{k}", jobs) for k in range(count)))

    def gate(self, block: int) -> InstanceSet:
        if block:
            raise TaskError(f"task 'clerk' has no gate block {block}")
        count, jobs = SIZES["gate"]
        return InstanceSet("gate-0", tuple(self._drawn(f"look-{k}", jobs) for k in range(count)))

    def read(self, path: Path) -> InstanceSet:
        """Lines with the number of jobs."""
        made = []
        for line, text in lines.lines(path, 20, "a number"):
            if not text.isdecimal() or not 1 <= int(text) <= 50:
                line.refuse("expected a number of jobs")
            made.append((line, self._drawn(f"mine-{line.number}", int(text))))
        return lines.collect(path, made, 10, "a number")

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        arrivals, lengths, urgent = np.frombuffer(instance.payload, "<i8").reshape(3, -1)
        order = np.frombuffer(answer[: len(answer) // 8 * 8], "<i8")
        if len(answer) != instance.answer_bytes or sorted(order) != list(range(len(arrivals))):
            raise InvalidAnswer("the event log is no order of service")
        time = waited = 0
        for job in order.tolist():
            time = max(time, int(arrivals[job])) + int(lengths[job])
            waited += (1 + 4 * int(urgent[job])) * (time - int(arrivals[job]))
        assert instance.reference is not None
        if instance.reference_kind != "baseline" and waited < instance.reference:
            raise ImpossibleAnswer(f"{waited} is below {instance.reference:g}")
        return Judgement(waited, 100 * (waited - instance.reference) / (instance.reference or 1.0))

    def figures(self, instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:  # noqa: ARG002
        return (Figure("total", sum(values)),)

    def _drawn(self, id_: str, jobs: int) -> Instance:
        draw = Draw(f"clerk/{id_}")
        lengths, urgent = draw.integers(1, 9, jobs), draw.integers(0, 1, jobs)
        payload = np.array([np.sort(draw.integers(0, 4 * jobs, jobs)), lengths, urgent], "<i8").tobytes()
        bound = float((lengths * (1 + 4 * urgent)).sum())
        return Instance(id_, "all", jobs, payload, 8 * jobs, jobs * self.decision_limit, bound, "bound")
