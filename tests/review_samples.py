"""A run written by hand through the ledger: every outcome, a duplicate, a tuned child, looks, hostile text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from db.ledger import Ledger
from db.records import (
    Edge,
    EntryKey,
    EvaluationRecord,
    Integration,
    Leave,
    NewEntry,
    NewLook,
    NewPromotion,
    RunRecord,
    TrialRecord,
)
from discovery.candidate import Candidate, check
from evaluators.smtt.task import Smtt
from evaluators.task import InstanceSet, ShippedScore, TaskError, aggregate

RUN, CONTROL = "r-0000aaaa", "r-0000bbbb"
HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202etxt\u2066 \u200b [red]x[/red] \udc80"
"""What a model may write: sequences that act on a terminal, marks that reorder text, markup, a lone surrogate."""
TOO_HOSTILE = ("\x1b", "\x07", "\u202e", "\u2066", "\u200b", "\udc80", "\r")


class Small(Smtt):
    """A handful of the smallest instances of smtt, so that a report takes no time."""

    name = "small"
    gate_blocks = 2
    shipped: Mapping[str, ShippedScore] = {}
    final_limit: float | None = None
    opened: list[str] = []  # noqa: RUF012 - one list for the class: it counts what any instance opens

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return self.shipped

    def baselines(self) -> Any:
        return Smtt({}).baselines()

    def instances(self, split: str) -> InstanceSet:
        if split == "screen":
            return super().instances("screen")
        if split not in ("search", "gate", "final"):
            raise TaskError(f"no split {split}")
        if split == "final":
            self.opened.append(split)
        first = {"search": 0, "gate": 8, "final": 80}[split]
        return InstanceSet(
            split, Smtt({}).instances("search").instances[first : first + (8 if split == "search" else 40)]
        )

    def gate(self, block: int) -> InstanceSet:
        return InstanceSet(
            f"gate-{block}", Smtt({}).instances("search").instances[60 + 8 * block : 68 + 8 * block]
        )


def undocumented(title: str, data: object) -> list[str]:
    """Fields of an object, and of the objects in it, that its section of docs/reference-json.md does not name. What
    a user names (settings, options, versions, parameters) is not looked into."""
    text = (Path(__file__).parents[1] / "docs" / "reference-json.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    free = {"settings", "options", "versions", "parameters", "outcomes", "reasons", "failures"}

    def fields(value: object) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(fields, value))
        if isinstance(value, dict):
            return set(value).union(*(fields(v) for k, v in value.items() if k not in free))
        return set()

    return sorted(name for name in fields(data) if f"`{name}`" not in section)


TASK = Small({})
SIZE = len(TASK.instances("search"))

RULE = """import numpy as np

SEARCH_SPACE = {{"w": {{"low": 0.0, "high": 4.0}}}}


def schedule(processing_times, due_dates, *, w={w}):
    {note}
    return np.argsort(due_dates + w * processing_times, kind="stable")
"""


def rule(w: float, note: str = "") -> Candidate:
    """A due-date rule; ``note`` becomes a comment."""
    return check(RULE.format(w=w, note=f"# {note}" if note else "# by due date"), TASK.interface)


def seed(name: str) -> Candidate:
    path = TASK.baselines()[name].path
    return check(path.read_text(encoding="utf-8"), TASK.interface)


EDD, MDD = seed("edd"), seed("mdd")
PARENT, CHILD, CHAMPION = rule(0.5), rule(0.75), rule(1.0)
STOPPED, SLOW, CHEAT, BROKEN = rule(2.0), rule(2.5), rule(3.0), rule(3.5)
REJECTED, KILLED = rule(1.5), rule(1.25)
HOSTILE_CODE = "import os  # \x1b[2J \u202e\r\nx = '\u2066'  # [red]\n"
HOSTILE_HASH = "bad0" + 60 * "0"

SCORES = {
    EDD.hash: [8.0] * SIZE,
    MDD.hash: [4.0 + 0.1 * n for n in range(SIZE)],
    PARENT.hash: [3.0 + 0.1 * n for n in range(SIZE)],
    CHILD.hash: [2.5 + 0.1 * n for n in range(SIZE)],
    CHAMPION.hash: [2.0 + 0.1 * n for n in range(SIZE)],
}


def score(candidate: Candidate) -> float:
    return aggregate(TASK.instances("search").instances, SCORES[candidate.hash])


def run_record(id: str = RUN, **changes: Any) -> RunRecord:  # noqa: A002
    settings = {"proposer": "chat", "samples": 16, "batch": 8, "islands": 4, "tune": True, "options": {}}
    seeds = [["edd", EDD.hash], ["mdd", MDD.hash]]
    values: dict[str, Any] = {
        "task": "small",
        "options": {"families": "pvw"},
        "settings": {"settings": settings, "seeds": seeds, "model": f"m {HOSTILE[:4]}"},
        "seed": 3,
        "evaluator_version": TASK.version,
        "versions": {"numpy": "2.4"},
        "templates": {},
        "isolated": True,
        "layers": {},
    }  # fmt: skip
    return RunRecord(id=id, **(values | changes))


def own(
    k: int, candidate: Candidate | None, outcome: str, operator: str = "improve", **more: Any
) -> NewEntry:
    full = candidate is not None and outcome == "scored"
    values: dict[str, Any] = {"score": score(candidate) if full else None, "m": SIZE if full else 0}
    return NewEntry(
        k, "own", operator, outcome, candidate.hash if candidate else None, k % 4, **(values | more)
    )


def key(k: int, kind: Any = "own") -> EntryKey:
    return EntryKey(k, kind)


def store(ledger: Ledger, candidate: Candidate, scores: list[float], **more: Any) -> None:
    """A stored evaluation on the search split (a set of ``more`` replaces it)."""
    instances = more.pop("instances", TASK.instances("search"))
    outcome = "scored" if len(scores) == len(instances) else "stopped"
    seconds = more.pop("seconds", 0.001)
    record = EvaluationRecord(
        candidate=candidate.hash,
        set_digest=instances.digest,
        set_name=instances.name,
        set_size=len(instances),
        evaluator_version=TASK.version,
        isolated=True,
        outcome=more.pop("outcome", outcome),
        scores=tuple(scores),
        values=tuple(100 * s for s in scores),
        cpu=tuple(seconds for _ in scores),
        answers_digest="",
        **more,
    )
    ledger.put_candidate(candidate.hash, candidate.code, candidate.nodes)
    ledger.store_evaluation(record)


def seeded(ledger: Ledger, run: str = RUN, **changes: Any) -> None:
    """A run that has its two seeds and nothing else."""
    ledger.create_run(run_record(run, **changes))
    for candidate in (EDD, MDD):
        store(ledger, candidate, SCORES[candidate.hash])
    entries = [
        NewEntry(-1 - n, "seed", "create", "scored", c.hash, score=score(c), m=SIZE)
        for n, c in enumerate((EDD, MDD))
    ]
    ledger.store_seed_entries(run, entries, key(-2, "seed"))


def filled(ledger: Ledger) -> None:
    """The run :data:`RUN`: 16 slots in two batches, promoted at its second look."""
    seeded(ledger)
    for candidate in (PARENT, CHILD, CHAMPION):
        store(ledger, candidate, SCORES[candidate.hash])
    store(ledger, STOPPED, [9.0, 9.0])
    for candidate in (STOPPED, SLOW, CHEAT, BROKEN, REJECTED, KILLED):
        ledger.put_candidate(candidate.hash, candidate.code, candidate.nodes)
    ledger.put_candidate(HOSTILE_HASH, HOSTILE_CODE, 9)
    _study(ledger)
    _proposals(ledger)
    ledger.integrate(RUN, 0, _first_batch())
    ledger.integrate(RUN, 1, _second_batch())
    ledger.add_event(RUN, "searched", {"ended by": "the limit of 1000 tokens is reached (1004 used)"})
    ledger.add_event(RUN, "time", {"seconds": 12.5, "cpu_seconds": 4.0})
    for candidate, value in ((CHAMPION, 1.75), (MDD, 2.25)):
        ledger.add_event(
            RUN, "report blocks", {"candidate": candidate.hash, "outcome": "scored", "score": value}
        )
    ledger.set_status(RUN, "done")


def _study(ledger: Ledger) -> None:
    study = ledger.start_study(RUN, 0, seed=5, n_trials=3)
    ledger.add_trial(
        study.id, TrialRecord(0, {"w": 0.5}, "complete", tuple(SCORES[PARENT.hash]), score(PARENT))
    )
    ledger.add_trial(study.id, TrialRecord(1, {"w": 3.0}, "pruned", (9.0,), None))
    ledger.add_trial(
        study.id, TrialRecord(2, {"w": 0.75}, "complete", tuple(SCORES[CHILD.hash]), score(CHILD))
    )
    ledger.finish_study(study.id)


def _proposals(ledger: Ledger) -> None:
    same: dict[str, Any] = {"batch": 0, "operator": "improve", "proposer": "chat", "seed": 1}
    prompt = json.dumps(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Improve this."}]
    )
    counts = {"prompt_tokens": 100, "completion_tokens": 20, "cost": 0.01, "seconds": 1.0, "model": "m"}
    ledger.intent(RUN, 0, 0, **same, messages_json=prompt)
    ledger.intent(RUN, 0, 0, **same, messages_json=prompt)  # asked again after a crash
    ledger.reply(RUN, 0, 0, state="replied", text=f"no code, {HOSTILE}", **counts)
    ledger.record_reply(RUN, 0, 1, **same, messages_json=prompt, state="replied", text=PARENT.code, **counts)
    ledger.record_reply(RUN, 3, 0, **same, state="refused", reason="filtered")


def _first_batch() -> Integration:
    entries = (
        own(0, PARENT, "scored"),
        own(1, STOPPED, "stopped", m=2),
        own(2, PARENT, "scored", duplicate_of=key(0)),
        own(3, None, "refused", reason=f"no function, {HOSTILE}\nrun  r-fake"),
        own(4, None, "lost", reason="the budget ended before this request"),
        own(5, SLOW, "timeout", reason="instance 1 took 3 s"),
        own(6, CHEAT, "quarantined", marks=frozenset({"quarantined"}), reason="beats a proved optimum"),
        own(7, BROKEN, "error", operator="combine", reason=f"ValueError: {HOSTILE}"),
        NewEntry(0, "tuned", "tune", "scored", CHILD.hash, score=score(CHILD), m=SIZE, tuning_gain=0.149),
    )
    edges = [Edge(e.key, key(-2, "seed")) for e in entries if e.kind == "own"]
    edges += [Edge(key(7), key(-1, "seed"), 1), Edge(key(0, "tuned"), key(0))]
    detail = {"reused": False, "failure": "", "interval": [-0.01, 0.05]}
    look = NewLook(1, key(0, "tuned"), key(-2, "seed"), 1, 0.0304, 0.2, 0.02, False, detail)
    return Integration(
        entries,
        tuple(edges),
        enter=(key(0), key(0, "tuned")),
        leave=(Leave(key(-1, "seed")),),
        looks=(look,),
    )


def _second_batch() -> Integration:
    entries = (
        own(8, REJECTED, "rejected", reason="a short answer"),
        own(9, KILLED, "killed", reason="signal 31"),
        own(10, CHAMPION, "scored", marks=frozenset({"slow"})),
        NewEntry(11, "own", "improve", "error", HOSTILE_HASH, 3, reason="hostile"),
        *(own(k, None, "refused", reason="no code") for k in range(12, 16)),
    )
    edges = tuple(Edge(e.key, key(0, "tuned")) for e in entries)
    detail = {"reused": True, "failure": "", "interval": [0.1, 0.3]}
    look = NewLook(2, key(10), key(-2, "seed"), 0, 0.0076, 0.001, 0.2, True, detail)
    return Integration(
        entries, edges, enter=(key(10),), looks=(look,), promotions=(NewPromotion(key(10), 2),)
    )
