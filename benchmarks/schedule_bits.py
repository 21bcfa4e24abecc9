"""One number for all that decides a score of ``lr-schedule``: it must be the same on every machine.

    OPENBLAS_CORETYPE=Haswell python benchmarks/schedule_bits.py
    NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX512_SPR" python benchmarks/schedule_bits.py

Prints a SHA-256 over payloads and scores of two baselines, on the screen and on the half of the search split.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from baseline_scores import judgements

from evaluators.registry import load
from evaluators.task import InstanceSet

task = load("lr-schedule")
found = hashlib.sha256()
half = InstanceSet("half", task.instances("search").instances[:14])
for instances in (task.instances("screen"), half):
    for instance in instances:
        found.update(instance.payload + instance.withheld)
    for name in ("cosine", "refined"):
        path = task.baselines()[name].path
        assert path is not None
        found.update(np.array([j.score for j in judgements(task, path, instances, {})], "<f8").tobytes())
print(found.hexdigest())
