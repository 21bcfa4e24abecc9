"""Baselines and reference policies, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
REFERENCES = (
    Baseline(
        "mcts",
        "reference",
        "Monte-Carlo tree search without a learned net, in the manner of Wang et al. (2023), "
        '"Optimizing memory mapping using deep reinforcement learning" (evaluators.memory.mapping.mcts)',
    ),
    Baseline(
        "repacking",
        "reference",
        "by benefit with repacking, the idea of XLA's memory space assignment, all buffers known at once "
        "(evaluators.memory.mapping.repacking)",
    ),
)


def baselines() -> Mapping[str, Baseline]:
    """Every candidate file, and the reference policies."""
    return {**shipped.candidates(HERE / "baselines"), **{one.name: one for one in REFERENCES}}


def shipped_scores(version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings."""
    return shipped.scores(HERE / "data" / "scores-memory-map.json", version, settings)
