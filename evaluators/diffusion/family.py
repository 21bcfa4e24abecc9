"""What the tasks of the family have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from evaluators import shipped
from evaluators.diffusion import quality
from evaluators.diffusion.decoding import load
from evaluators.diffusion.denoiser.model import WeightsError
from evaluators.diffusion.problem import DECISION_SECONDS
from evaluators.registry import bind
from evaluators.splits import Splits
from evaluators.task import (
    Baseline,
    Direction,
    InstanceSet,
    Interface,
    Mean,
    Option,
    ShippedScore,
    Split,
    TaskError,
)


class DiffusionTask:
    """A policy task about decoding: the score is a speed-up, and quality is what must be kept
    (:class:`evaluators.task.Keeping`). A task of the family says what its decisions are."""

    name: ClassVar[str]
    version: ClassVar[str]
    interface: ClassVar[Interface]
    home: ClassVar[Path]
    """The folder of the task, with ``baselines`` and ``data``."""
    splits: ClassVar[Splits]
    reference: ClassVar[Baseline]
    direction: Direction = "maximize"
    unit: str = "times"
    mean: Mean = "geometric"
    measured: bool = False
    options: tuple[Option, ...] = ()
    memory: int = 256 * 2**20
    decision_limit: float = DECISION_SECONDS

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)

    @property
    def gate_blocks(self) -> int:
        return self.splits.looks

    def baselines(self) -> Mapping[str, Baseline]:
        """The candidate files, and the reference policy."""
        return {**shipped.candidates(self.home / "baselines"), self.reference.name: self.reference}

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        """The scores that ship for this version."""
        path = self.home / "data" / f"scores-{self.name}.json"
        return shipped.scores(path, self.version, dict(self.settings))

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report block. Raises TaskError where the data is damaged."""
        _ready()
        return self.splits.instances(split)

    def gate(self, block: int) -> InstanceSet:
        """A block of the gate. Raises TaskError as :meth:`instances` does."""
        _ready()
        return self.splits.gate(block)

    def breach(self, instances: InstanceSet, values: Sequence[float]) -> str | None:
        """What of full decoding's quality is not kept."""
        return quality.kept(instances.instances, values).breach

    def known(self, name: str) -> None:
        """Raises TaskError for a reference policy that the task does not have."""
        if name != self.reference.name:
            raise TaskError(
                f"task {self.name!r} has no reference policy {name!r}; it has {self.reference.name}"
            )

    figures = staticmethod(quality.figures)


def _ready() -> None:
    """Raises TaskError where what belongs to the denoisers cannot be used."""
    try:
        load()
    except WeightsError as error:
        raise TaskError(str(error)) from None
