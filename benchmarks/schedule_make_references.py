"""Makes evaluators/schedules/data/references.json: optimum, gap of linear decay and its base rate of every problem.

    python benchmarks/schedule_make_references.py [PART …]        then benchmarks/manifests.py lr-schedule

Parts that are not named keep what they have. All of them take a quarter of an hour of one core, the data sets of the
final split (extra ``learned``) a third of it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.schedules import optimum, referee, splits

FILE = splits.DATA / "references.json"
PARTS = tuple(splits.SPLITS.parts())

asked = sys.argv[1:] or PARTS
if unknown := set(asked) - set(PARTS):
    sys.exit(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
found: dict[str, tuple[float, float, float]] = {}
for part in PARTS:
    start = time.perf_counter()
    for id_, _, problem in splits.problems(part):
        if part in asked:
            least = optimum.least(problem)
            posed, gap = referee.posed(problem, least)
            found[id_] = (least, gap, posed.rate)
        elif id_ in known:
            found[id_] = known[id_]
    if part in asked:
        print(f"{part}: {time.perf_counter() - start:.1f} s", flush=True)
lines = ",\n".join(f" {json.dumps(id_)}: {json.dumps(row)}" for id_, row in found.items())
FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
