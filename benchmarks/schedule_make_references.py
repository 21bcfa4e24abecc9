"""Makes evaluators/schedules/data/references.json: optimum, gap of linear decay and its base rate of every problem.

    python benchmarks/schedule_make_references.py [PART …]        then benchmarks/manifests.py lr-schedule

Parts that are not named keep what they have. The data sets of the final split need the extra ``learned``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.schedules import optimum, referee, splits

FILE = splits.DATA / "references.json"
PARTS = tuple(splits.SPLITS.parts())


def ordered(known: dict[str, Any]) -> list[str]:
    """The ids that there are references of, in the order of the parts; what no part has is left out."""
    return [id_ for part in PARTS for id_, _, _ in splits.problems(part) if id_ in known]


asked = sys.argv[1:] or PARTS
if unknown := set(asked) - set(PARTS):
    sys.exit(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
for part in asked:
    start = time.perf_counter()
    for id_, _, problem in splits.problems(part):
        least = optimum.least(problem)
        posed, gap = referee.posed(problem, least)
        known[id_] = (least, gap, posed.rate)
    lines = ",\n".join(f" {json.dumps(id_)}: {json.dumps(known[id_])}" for id_ in ordered(known))
    FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(f"{part}: {time.perf_counter() - start:.1f} s", flush=True)
