"""Writes the SHA-256 of all parts of tasks that make their instances anew: python benchmarks/manifests.py [TASK …]"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.registry import BUILT_IN, load
from evaluators.splits import Splits

for name in sys.argv[1:] or BUILT_IN:
    splits = getattr(load(name), "splits", None)
    if isinstance(splits, Splits):
        found = {part: splits.digest(part) for part in splits.parts()}
        splits.manifest.write_text(json.dumps(found, indent=1) + "\n")
        print(name, len(found))
    elif sys.argv[1:]:
        sys.exit(f"the instances of {name} ship, or its data say otherwise where they come from")
