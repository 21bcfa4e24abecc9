"""Baselines and the reference policy, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
OFFLINE = Baseline(
    "offline",
    "reference",
    "best fit decreasing, which knows all items beforehand (Johnson 1973; evaluators.binpacking.offline)",
)


def baselines() -> Mapping[str, Baseline]:
    """Every candidate file, and the reference policy ``offline``."""
    return {**shipped.candidates(HERE / "baselines"), OFFLINE.name: OFFLINE}


def shipped_scores(task: str, version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings; empty when there are none."""
    return shipped.scores(HERE / "data" / f"scores-{task}.json", version, settings)
