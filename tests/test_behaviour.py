"""Candidates that answer alike in other code: marked, counted, tuned once, looked at once, also after a resume."""

from __future__ import annotations

from toy.loop import Scripted, Toy, by_slot, density, rule
from toy.task import Knapsack

from db.records import EntryKey, NewEntry
from discovery import review
from discovery.candidate import check
from discovery.population.behaviour import SAME_BEHAVIOUR, Behaviours, of_scores
from discovery.progress import StopSignal
from discovery.proposers.base import Request

SPACE = 'SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}'
FIRST = rule("return weights / volumes ** power", keywords="power=0.1", head=SPACE)
TWIN = rule("return 2 * weights / volumes ** power", keywords="power=0.1", head=SPACE)
OTHER_NAME = rule("return 3 * weights / volumes ** p", keywords="p=0.1", head=SPACE.replace("power", "p"))


def entry(k: int, candidate: str, outcome: str = "scored") -> NewEntry:
    score = 1.0 if outcome == "scored" else None
    return NewEntry(k, "own", "improve", outcome, candidate, score=score)  # type: ignore[arg-type]


def test_the_first_owns_a_behaviour_and_the_quarantined_own_none() -> None:
    hashes = [f"{k:064x}"[::-1] for k in range(6)]
    behaviours = Behaviours([("b0", hashes[5]), ("b0", hashes[4])])
    entries = [
        entry(k, hashes[k], o) for k, o in enumerate(("quarantined", "scored", "scored", "scored", "error"))
    ]
    found = {EntryKey(k, "own"): b for k, b in enumerate(["b1", "b1", "b1", "b0", "b0"])}
    made = behaviours.marked(entries, found)
    assert [SAME_BEHAVIOUR in e.marks for e in made] == [False, False, True, True, False]
    assert [e.reason for e in made[2:4]] == ["answers as 10000000 does", "answers as 50000000 does"]


def test_tuning_is_done_once_for_a_behaviour_and_its_parameters() -> None:
    behaviours = Behaviours([])
    behaviours.tune("b1", ["x"])
    ranked = [(0, "b1", ["x"]), (1, "b1", ["y"]), (2, "b2", ["x"]), (3, "b2", ["x"]), (4, "b2", ["x", "y"])]
    assert behaviours.untuned(ranked) == [1, 2, 4]
    assert behaviours.untuned(ranked) == [1, 2, 4], "asking changes nothing"


def test_stopped_candidates_are_told_apart_by_their_scores() -> None:
    assert of_scores([1.0, 2.0]) == of_scores((1.0, 2.0)) != of_scores([1.0]) and of_scores([]) != of_scores(
        [0.0]
    )


def script(request: Request) -> str:
    known = {0: FIRST, 1: rule("return weights * 7"), 4: TWIN, 5: OTHER_NAME, 7: FIRST + "# once more\n"}
    return known.get(request.slot) or density(0.3 + request.slot / 50)


SETTINGS = {"samples": 8, "trials": 3, "batch": 4}


def test_a_run_marks_and_counts_behaviours(toy: Toy) -> None:
    toy.propose(Scripted(script))
    report = toy.start(**SETTINGS)
    entries = toy.entries(report.run)
    first, twin = entries[0, "own"], entries[4, "own"]
    assert twin.marks == {SAME_BEHAVIOUR} and twin.duplicate_of is None and twin.score == first.score
    assert twin.candidate == check(TWIN, Knapsack.interface).hash
    assert twin.reason == f"answers as {(first.candidate or '')[:8]} does"
    assert SAME_BEHAVIOUR in entries[1, "own"].marks, "as a seed does"
    assert entries[7, "own"].duplicate_of is not None and not entries[7, "own"].marks
    new = sum(
        e.outcome in ("scored", "stopped") and e.duplicate_of is None and SAME_BEHAVIOUR not in e.marks
        for (_, kind), e in entries.items()
        if kind == "own"
    )
    assert report.behaviours == {"valid": 8, "new": new, "share": new / 8} and new <= 5
    with toy.ledger() as ledger:
        assert review.summary(ledger, report.run).to_json()["behaviours"] == report.behaviours


def test_a_twin_is_not_tuned_and_a_resumed_run_knows_it(toy: Toy) -> None:
    def studies(db: str, run: str) -> list[int]:
        with toy.ledger(db) as ledger:
            return sorted(s.k for s in ledger.studies(run))

    only = by_slot({0: FIRST, 1: TWIN, 2: OTHER_NAME}, lambda k: rule(f"return -weights * {k}"))
    toy.propose(Scripted(only))
    whole = toy.start(samples=3, trials=3, batch=1, islands=1, sources=("trivial",))
    assert 0 in studies("ledger", whole.run) and 1 not in studies("ledger", whole.run)
    stop = StopSignal()

    def stopping(request: Request) -> str | Exception:
        if request.slot == 1:
            stop.request()
        return only(request)

    toy.propose(Scripted(stopping))
    part = toy.start(samples=3, trials=3, batch=1, islands=1, sources=("trivial",), stop=stop, db="part")
    assert part.interrupted
    toy.propose(Scripted(only))
    toy.resume(part.run, db="part")
    assert studies("part", part.run) == studies("ledger", whole.run)
    assert toy.digest(part.run, "part") == toy.digest(whole.run)
