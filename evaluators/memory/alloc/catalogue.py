"""Baselines and reference policies, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
PLANTED = Baseline(
    "planted",
    "reference",
    "the placing that each instance was cut from, at the lower bound (evaluators.memory.alloc.instances)",
)


def baselines() -> Mapping[str, Baseline]:
    """Every candidate file, and the reference policy ``planted``."""
    return {**shipped.candidates(HERE / "baselines"), PLANTED.name: PLANTED}


def shipped_scores(version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings."""
    return shipped.scores(HERE / "data" / "scores-memory-alloc.json", version, settings)
