"""Baselines and the reference policy, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
LOCAL_SEARCH = Baseline(
    "local-search",
    "reference",
    "iterated 2-opt and Or-opt over the whole map, which made the references (benchmarks/tsp_make_references.py)",
)


def baselines() -> Mapping[str, Baseline]:
    """Every candidate file, and the reference policy ``local-search``."""
    return {**shipped.candidates(HERE / "baselines"), LOCAL_SEARCH.name: LOCAL_SEARCH}


def shipped_scores(task: str, version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings; empty when there are none."""
    return shipped.scores(HERE / "data" / f"scores-{task}.json", version, settings)
