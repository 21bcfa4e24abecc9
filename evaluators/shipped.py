"""What ships with a task: baselines as candidate files in a folder, and their scores in a file.

A scores file holds one entry or a list of them, each ``{"version", "settings", "baselines": {name: {"published",
"tuned", "tuned_parameters", "classes"}}}``: one for each binding of the options that is scored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from evaluators.task import Baseline, ShippedScore


def candidates(folder: Path) -> dict[str, Baseline]:
    """Every candidate file of a folder, its source read from the docstring's ``Source:`` sentence."""
    return {
        path.stem: Baseline(path.stem, "baseline", _source(path.read_text(encoding="utf-8")), path)
        for path in sorted(folder.glob("*.py"))
        if path.stem != "__init__"
    }


def scores(path: Path, version: str, settings: Mapping[str, str]) -> Mapping[str, ShippedScore]:
    """The scores of this version and these settings; empty when none ship."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    for entry in found if isinstance(found, list) else [found]:
        if entry["version"] == version and entry["settings"] == dict(settings):
            return {
                name: ShippedScore(
                    one["published"], one["tuned"], one["tuned_parameters"], one.get("classes", {})
                )
                for name, one in entry["baselines"].items()
            }
    return {}


def _source(text: str) -> str:
    """The ``Source:`` sentence of a module docstring, on one line."""
    _, found, rest = text.partition("Source:")
    if not found:
        return ""
    return " ".join(rest.split('"""')[0].split("\n\n")[0].split())
