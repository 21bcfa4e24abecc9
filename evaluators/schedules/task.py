"""The task ``lr-schedule``: the multiplier of the learning rate at every step of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evaluators.pictures import Picture
from evaluators.registry import bind
from evaluators.schedules import catalogue, reader, referee, splits
from evaluators.schedules.pictures import pictures
from evaluators.splits import Splits
from evaluators.task import (
    Baseline,
    Direction,
    Instance,
    InstanceSet,
    Interface,
    Mean,
    Option,
    ShippedScore,
    Split,
    Value,
)

HERE = Path(__file__).parent

INTERFACE = Interface(
    function="schedule",
    summary=(
        "Return what the base learning rate is multiplied by at a step of stochastic gradient descent, so that the "
        "objective after the last step is low. Only the shape counts: the base rate is tuned for each schedule."
    ),
    arguments=(
        Value("step", "scalar", "int64", "the step, from 1 to total_steps", unit="steps", low=1, high=10_000),
        Value("total_steps", "scalar", "int64", "how many steps there are", unit="steps", low=1, high=10_000),
        Value(
            "gradient_norms", "array", "float64",
            "length of the stochastic gradient at each step of a pilot run with linear decay; empty without one",
            unit="gradient", low=1e-12, length="n",
        ),
        Value("left", "scalar", "int64", "total_steps - step + 1", unit="steps", low=1, high=10_000),
        Value(
            "norm", "scalar", "float64",
            "median of gradient_norms over a tenth of the run about this step; 1 without a pilot run",
            unit="gradient", low=1e-12,
        ),
    ),
    returns=Value("multiplier", "scalar", "float64", "a number up to 1e6; below 0 counts as 0"),
    facts=(
        "The function is called once for every step, in order; gradient_norms is read-only and always the whole run's.",
        "Multipliers are divided by their mean, so a factor that is the same at all steps changes nothing.",
        "The base rate is the best for the schedule on other seeds, so a schedule cannot win by its level.",
        "Linear decay is left / total_steps and scores 1; 0.9 means that a tenth less of the optimum is missed.",
        "Problems: logistic regression (also ill-conditioned, with noisy labels, separable, heavy-tailed), hinge and "
        "absolute loss, from weights 0; 100 to 1000 steps, batches of 4 to 16.",
        "The worst-case best schedule for gradient norms G is w * (sum of w at all later steps) with w = 1 / G**2.",
    ),
)  # fmt: skip


class LrSchedule:
    """The task bound to its options."""

    name: str = "lr-schedule"
    summary: str = (
        "learning-rate schedules: a multiplier for every step of stochastic gradient descent so that the last iterate "
        "is good, scored against linear decay"
    )
    direction: Direction = "minimize"
    unit: str = "× linear"
    measured: bool = False
    mean: Mean = "geometric"
    version: str = "1"
    interface: Interface = INTERFACE
    seeds: tuple[str, ...] = ("linear", "warmup-linear")
    options: tuple[Option, ...] = (
        Option("pilot", "recorded", "whether gradient norms of a pilot run are given", ("recorded", "none")),
    )
    adapter: Path = HERE / "adapter.py"
    memory: int = 256 * 2**20
    splits: Splits = splits.SPLITS
    gate_blocks: int = splits.looks

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines()

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return catalogue.shipped_scores(self.version, self.settings)

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged, and
        Missing for ``final`` without scikit-learn."""
        return self._told(self.splits.instances(split))

    def gate(self, block: int) -> InstanceSet:
        return self._told(self.splits.gate(block))

    def read(self, path: Path) -> InstanceSet:
        """The user's own problems: JSON Lines. Their references are worked out as they are read."""
        return self._told(reader.read(path))

    def _told(self, instances: InstanceSet) -> InstanceSet:
        if self.settings["pilot"] == "recorded":
            return instances
        return replace(instances, instances=tuple(splits.silent(i) for i in instances))

    def pictures(self, instance: Instance, answer: bytes) -> tuple[Picture, ...]:
        """The schedule over the steps, and the gap over the steps."""
        return pictures(instance, answer)

    judge = staticmethod(referee.judge)
    figures = staticmethod(referee.figures)
