"""Baselines, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent


def baselines() -> Mapping[str, Baseline]:
    """Every candidate file."""
    return shipped.candidates(HERE / "baselines")


def shipped_scores(version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings."""
    return shipped.scores(HERE / "data" / "scores-lr-schedule.json", version, settings)
