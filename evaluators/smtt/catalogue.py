"""Baselines and reference policies of both tracks, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
FOLDERS = {"smtt": HERE / "baselines", "smtt-index": HERE / "baselines" / "index"}
EXACT = Baseline(
    "exact", "reference", "Lawler's decomposition with a memo: proved optima (evaluators.smtt.exact)"
)


def baselines(task: str) -> Mapping[str, Baseline]:
    """Every candidate file of the task's folder, and the reference policy ``exact``."""
    return {**shipped.candidates(FOLDERS[task]), EXACT.name: EXACT}


def shipped_scores(task: str, version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings; empty when there are none."""
    return shipped.scores(HERE / "data" / f"scores-{task}.json", version, settings)
