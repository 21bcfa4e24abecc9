"""Where the public tables and traces behind the serving family are, on machines that have them.

They are no part of this repository (benchmarks/README.md says where they come from): the folder that SERVING_DATA
names, or ``shared/data/serving`` beside the checkout or above.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def folder() -> Path | None:
    """The folder, or None where there is none."""
    named = os.environ.get("SERVING_DATA")
    places = [Path(named)] if named else [parent / "shared" / "data" / "serving" for parent in ROOT.parents]
    return next((place for place in places if place.is_dir()), None)


def path(name: str) -> Path:
    """A file of the folder; ends the program with a sentence and exit code 3 where it is not there."""
    found = folder()
    if found is not None and (found / name).is_file():
        return found / name
    place = (
        "there is no folder of public tables and traces" if found is None else f"{found / name} is not there"
    )
    sys.stderr.write(f"{place}; set SERVING_DATA to a folder that holds them (benchmarks/README.md)\n")
    raise SystemExit(3)


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of the folder."""
    with path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
