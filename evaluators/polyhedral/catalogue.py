"""Baselines and reference policies of ``polyhedral``, and their shipped scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
POLICIES = {
    "isl-fused": "isl's scheduler with its own choice of fusion, tiles of 32 (Verdoolaege and Janssens 2017)",
    "isl-apart": "isl's scheduler without fusion of components, tiles of 32 (Verdoolaege and Janssens 2017)",
    "learned": "beam search over transforms by a learned cost model, in the manner of LOOPer (Merouani et al. 2024)",
}
COMMANDS = {
    "polly": "Polly, the polyhedral optimizer of LLVM, at -O3 (Grosser, Groesslinger and Lengauer 2012)",
    "pluto": "Pluto with --tile and its intra-tile optimisations (Bondhugula et al. 2008)",
}
"""Reference policies of programs outside, there where the options name their commands."""


def baselines(settings: Mapping[str, str]) -> Mapping[str, Baseline]:
    """Every candidate file, and the reference policies that these settings have."""
    known = {**POLICIES, **{name: source for name, source in COMMANDS.items() if settings[name]}}
    references = {name: Baseline(name, "reference", source) for name, source in known.items()}
    return {**shipped.candidates(HERE / "baselines"), **references}


def shipped_scores(version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for one thread, whatever programs outside there are."""
    inside = {**settings, **dict.fromkeys((*COMMANDS, "model"), "")}
    return shipped.scores(HERE / "data" / "scores-polyhedral.json", version, inside)
