"""Baselines and the reference policy, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
BELADY = Baseline(
    "belady",
    "reference",
    "MIN, which knows all future requests (Belady 1966; evaluators.caching.problem)",
)


def baselines() -> Mapping[str, Baseline]:
    """Every candidate file, and the reference policy ``belady``."""
    return {**shipped.candidates(HERE / "baselines"), BELADY.name: BELADY}


def shipped_scores(version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings."""
    return shipped.scores(HERE / "data" / "scores-cache-eviction.json", version, settings)
