"""Baselines and reference policies of both tracks, and their shipped scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from evaluators.task import Baseline, ShippedScore

HERE = Path(__file__).parent
FOLDERS = {"smtt": HERE / "baselines", "smtt-index": HERE / "baselines" / "index"}
EXACT = Baseline(
    "exact", "reference", "Lawler's decomposition with a memo: proved optima (evaluators.smtt.exact)"
)


def baselines(task: str) -> Mapping[str, Baseline]:
    """Every candidate file of the task's folder, its source read from the docstring's ``Source:`` line, and the
    reference policy ``exact``."""
    found = {
        path.stem: Baseline(path.stem, "baseline", _source(path.read_text(encoding="utf-8")), path)
        for path in sorted(FOLDERS[task].glob("*.py"))
        if path.stem != "__init__"
    }
    return {**found, EXACT.name: EXACT}


def shipped_scores(task: str, version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores that ship for this version and these settings; empty when there are none."""
    path = HERE / "data" / f"scores-{task}.json"
    if not path.exists():
        return {}
    shipped = json.loads(path.read_text(encoding="utf-8"))
    if shipped["version"] != version or shipped["settings"] != dict(settings):
        return {}
    return {
        name: ShippedScore(entry["published"], entry["tuned"], entry["tuned_parameters"])
        for name, entry in shipped["baselines"].items()
    }


def _source(text: str) -> str:
    """The ``Source:`` sentence of a module docstring, on one line."""
    _, found, rest = text.partition("Source:")
    if not found:
        return ""
    return " ".join(rest.split('"""')[0].split("\n\n")[0].split())
