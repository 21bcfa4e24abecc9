"""Baselines and the reference policy, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
CLAIRVOYANT = Baseline(
    "clairvoyant",
    "reference",
    "knows output lengths and iteration times, and takes the best of four orders in hindsight "
    "(evaluators.serving.batching.clairvoyant)",
)


def baselines() -> Mapping[str, Baseline]:
    """Every candidate file, and the reference policy ``clairvoyant``."""
    return {**shipped.candidates(HERE / "baselines"), CLAIRVOYANT.name: CLAIRVOYANT}


def shipped_scores(version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings."""
    return shipped.scores(HERE / "data" / "scores-serving.json", version, settings)
