"""Where a champion's gain comes from: from structure, from tuning, and of the latter from lifted literals."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from db import lineage
from db.ledger import Ledger
from db.records import EntryRecord
from discovery.progress import gain
from discovery.tuning import GAINED
from evaluators.task import Direction


def gains(
    ledger: Ledger, run: str, entries: Sequence[EntryRecord], direction: Direction
) -> dict[str, object] | None:
    """The champion's gain along the line of its first parents, split into steps of structure and of tuning. All are
    relative to the score at the root, so they add up; ``lifted`` is a part of ``tuning``."""
    champion = ledger.champion(run)
    if champion is None:
        return None
    by_id = {e.id: e for e in entries}
    line = [by_id[i] for i in lineage.path_to_root(ledger, run, champion.id)]
    scored = [e for e in line if e.score is not None]
    if not scored or not scored[0].score:
        return None
    root, sign = abs(scored[0].score), 1 if direction == "minimize" else -1
    sums, steps = {"own": 0.0, "tuned": 0.0}, Counter[str]()
    literals, lifted = _lifted(ledger, run), 0.0
    for before, after in itertools.pairwise(scored):
        kind = "tuned" if after.kind == "tuned" else "own"
        sums[kind] += sign * ((before.score or 0.0) - (after.score or 0.0)) / root
        steps[kind] += 1
        if kind == "tuned":
            lifted += literals.get(after.k, 0.0) * abs(before.score or 0.0) / root
    return {
        "root": scored[0].candidate,
        "structure": sums["own"],
        "structure_steps": steps["own"],
        "tuning": sums["tuned"],
        "tuning_steps": steps["tuned"],
        "lifted": lifted,
        "total": gain(direction, scored[-1].score, scored[0].score),
    }


def _lifted(ledger: Ledger, run: str) -> dict[int, float]:
    """What literals gained in tuned children, by slot, relative to their parents' scores."""
    found = {}
    for event in ledger.events(run, GAINED):
        slot, share = event.data.get("k"), event.data.get("gain")
        if isinstance(slot, int) and isinstance(share, int | float):
            found[slot] = float(share)
    return found
