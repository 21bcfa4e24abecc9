"""What all serving tasks have in common: options, splits, the user's own traces, baselines and the referee."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from evaluators import shipped
from evaluators.pictures import Timeline
from evaluators.policy import Simulation
from evaluators.registry import bind
from evaluators.serving.cards import CARDS
from evaluators.serving.core.calls import Request
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode import reader, referee
from evaluators.serving.episode.cluster import linked
from evaluators.serving.episode.pictures import busiest, timeline
from evaluators.serving.episode.problem import Problem
from evaluators.serving.episode.workload import instance, objective
from evaluators.serving.models import MODELS
from evaluators.serving.timing import widths
from evaluators.splits import Splits
from evaluators.task import (
    Baseline,
    Direction,
    Figure,
    Instance,
    InstanceSet,
    Interface,
    Judgement,
    Option,
    ShippedScore,
    Split,
    TaskError,
)

LINES = 80
"""Calls in a picture of an answer at most: a page has a rectangle for each thing that they do."""


class ServingTask(ABC):
    """A task bound to its options: a policy task (:class:`evaluators.policy.PolicyTask`). A subclass says what is asked
    and of which instances; its folder holds ``baselines/``, ``data/`` and ``simulator.py``."""

    name: str
    summary: str
    version: str
    interface: Interface
    seeds: tuple[str, ...]
    direction: Direction = "maximize"
    unit: str = "%"
    measured: bool = False
    options: tuple[Option, ...] = (
        Option("gpu", "a100", "the card for your own traces", tuple(CARDS)),
        Option("model", "llama-2-7b", "the model for your own traces, on as few cards as hold it", tuple(MODELS)),
        Option("ttft", "1.0", "limit of the time to the first token for your own traces, s"),
        Option("tbt", "0.05", "limit of the time between two tokens for your own traces, s"),
    )  # fmt: skip
    memory: int = 192 * 2**20
    decision_limit: float
    simulate: Callable[..., Simulation]

    home: ClassVar[Path]
    splits: ClassVar[Splits]
    referee: ClassVar[referee.Referee]
    reference: ClassVar[Baseline]
    """The reference policy."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)
        self.adapter: Path = self.home / "simulator.py"
        self.gate_blocks: int = self.splits.looks
        self._objective = objective(self._limit("ttft"), self._limit("tbt"))

    def _limit(self, name: str) -> float:
        given = self.settings[name]
        try:
            value = float(given) if given.isascii() and "_" not in given else math.nan
        except ValueError:
            value = math.nan
        if not 0.001 <= value <= 3600:
            raise TaskError(
                f"option {name}={given!r} of task {self.name!r} is not a number of seconds, 0.001 to 3600"
            )
        return value

    @abstractmethod
    def own(
        self, id_: str, engine: Engine, requests: tuple[Request, ...], objectives: tuple[Objective, ...]
    ) -> Instance:
        """The instance of a trace of the user's for engines like ``engine``."""

    def baselines(self) -> Mapping[str, Baseline]:
        """Every candidate file, and the reference policy."""
        return {**shipped.candidates(self.home / "baselines"), self.reference.name: self.reference}

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        """What is chosen for the user's own traces changes none of them."""
        settings = {o.name: o.default for o in self.options}
        return shipped.scores(self.home / "data" / f"scores-{self.name}.json", self.version, settings)

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged."""
        return self.splits.instances(split)

    def gate(self, block: int) -> InstanceSet:
        return self.splits.gate(block)

    def read(self, path: Path) -> InstanceSet:
        """The user's own trace, for the card, the model and the limits of the options."""
        model, card = self.settings["model"], self.settings["gpu"]
        fitting = widths(model, card)
        if not fitting:
            raise TaskError(f"there is no timing for {model} on {card}; choose another card")
        engine, requests = reader.read(path, model, card, min(fitting))
        return InstanceSet(path.name, (self.own(path.stem, engine, requests, (self._objective,)),))

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        return self.referee.judge(instance, answer)

    def pictures(self, instance: Instance, answer: bytes) -> tuple[Timeline, ...]:
        """What calls do in the minute in which most of them arrive."""
        return (timeline(self.referee, instance, answer, start=busiest(instance), most=LINES),)

    def figures(self, instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
        return referee.figures(instances, values)

    def replayed_figures(self, instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
        return self.referee.replayed_figures(instances, answers)


class ClusterTask(ServingTask):
    """A task with several engines, which for the user's own traces are all alike. ``problem`` says how they serve the
    calls."""

    options = (
        *ServingTask.options,
        Option("instances", "4", "how many instances serve your own traces", tuple(map(str, range(2, 9)))),
    )
    problem: Callable[[Sequence[Engine], tuple[Request, ...], tuple[Objective, ...]], Problem]

    def own(
        self, id_: str, engine: Engine, requests: tuple[Request, ...], objectives: tuple[Objective, ...]
    ) -> Instance:
        model, card = self.settings["model"], self.settings["gpu"]
        members = [linked(engine, model, card, min(widths(model, card)))] * int(self.settings["instances"])
        return instance(id_, "mine", self.problem(members, requests, objectives), self.decision_limit)
