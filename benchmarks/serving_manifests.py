"""Writes the SHA-256 of all parts of the serving tasks: python benchmarks/serving_manifests.py [TASK …]"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.registry import BUILT_IN, load
from evaluators.serving.episode.task import ServingTask

for name in sys.argv[1:] or [n for n in BUILT_IN if n.startswith("serving")]:
    task = load(name)
    if not isinstance(task, ServingTask):
        sys.exit(f"{name} is no serving task")
    found = {part: task.splits.digest(part) for part in task.splits.parts()}
    task.splits.manifest.write_text(json.dumps(found, indent=1) + "\n")
    print(name, len(found))
