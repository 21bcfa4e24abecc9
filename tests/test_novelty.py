"""Near-copies of rejected ideas: which candidates are refused unrun, by rule, in a run, after a kill, and again."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Sequence

import pytest
from toy.loop import Scripted, Toy, by_slot, density, rule
from toy.task import Knapsack

import discovery.run as engine
from db.records import EntryKey, EntryOutcome, NewEntry
from discovery import review
from discovery.candidate import Candidate, check
from discovery.config import RunSettings
from discovery.config import load as settings
from discovery.population.archive import Member
from discovery.population.ideas import LONGEST, idea
from discovery.population.likeness import jaccard, likeness
from discovery.population.novelty import NEAR_COPY, NUMBERS, Novelty
from discovery.population.similar import FOUND, SimilarSets, _permutations
from discovery.population.strategy import Plan, Situation
from discovery.progress import StopSignal
from discovery.proposers.base import EDITS, Request
from discovery.proposers.make import make_proposer
from evaluators.registry import load

PARENT = rule(
    "slack = capacity - volumes; heavy = weights / weights.max(); rest = weights.sum() - weights\n"
    "    for k in range(len(weights)):\n"
    "        if volumes[k] * 2 > capacity or (rest[k] < 10 and slack[k] == 0): heavy[k] = rest[k] / capacity ** 2\n"
    "    return heavy + slack / capacity"
)
"""Large enough that all its children are alike in the whole."""
IDEA = PARENT.replace("+ slack / capacity", "+ slack / capacity - 0.3 * (volumes / slack.max()) ** 2")
COPY = (
    IDEA.replace("slack", "room")
    .replace("heavy", "mass")
    .replace("0.3", "0.6")
    .replace("rest[k] < 10", "9 > rest[k]")
)
"""The same idea in other words and other numbers."""
VARIANT = COPY.replace("room.max()", "room.min()")
"""The same idea with one call changed."""
OTHER = PARENT.replace("+ slack / capacity", "+ slack / capacity + (weights > 50) * heavy ** 3")
"""Another idea about the same parent."""


def candidate(code: str) -> Candidate:
    return check(code, Knapsack.interface)


def member(code: str) -> Member:
    found = candidate(code)
    return Member(EntryKey(-1, "seed"), found.hash, code, 50.0, (50.0,), found.nodes, 0)


class Rules:
    """A novelty whose ledger is a dictionary."""

    def __init__(self, threshold: float = 0.8, whole: int | None = None) -> None:
        self.codes: dict[str, str] = {}
        self.novelty = Novelty(
            threshold,
            interface=Knapsack.interface,
            direction="maximize",
            code=self.codes.__getitem__,
            whole=whole,
        )
        self.next = 0

    def end(
        self, code: str, outcome: EntryOutcome, score: float | None = None, *,
        parents: Sequence[float] = (50.0,), tuned: float | None = None, **more: object,
    ) -> str:  # fmt: skip
        """One batch with one entry that ended so. Returns its hash."""
        found, g = candidate(code), self.next
        self.next += 1
        self.codes[found.hash] = code
        entry = NewEntry(g, "own", "improve", outcome, found.hash, reason="why", score=score, **more)  # type: ignore[arg-type]
        child = NewEntry(g, "tuned", "tune", "scored", "x" * 64, score=tuned)
        entries = [entry] if tuned is None else [entry, child]
        self.novelty.remember(g, entries, {entry.key: parents})
        return found.hash

    def near(self, code: str, *parents: str, g: int = 99) -> str | None:
        found = self.novelty.near(g, candidate(code), [member(p) for p in parents])
        return found.reason if found is not None else None


@pytest.mark.parametrize("outcome", ["rejected", "error", "quarantined", "stopped"])
def test_what_ended_badly_is_not_run_again_in_other_words(outcome: EntryOutcome) -> None:
    rules = Rules()
    first = rules.end(IDEA, outcome)
    reason = rules.near(COPY, PARENT)
    assert reason is not None and first[:8] in reason and "not run" in reason
    assert ("stopped early" if outcome == "stopped" else f"ended as {outcome}: why") in reason
    assert rules.near(PARENT, PARENT) is None and rules.near(COPY, PARENT, g=-1) is None


def test_another_idea_about_the_same_parent_is_new_however_alike_the_whole() -> None:
    rules = Rules(0.6)
    rules.end(IDEA, "error")
    assert jaccard(likeness(candidate(OTHER)).features, likeness(candidate(IDEA)).features) > 0.6
    assert rules.near(OTHER, PARENT) is None and rules.near(OTHER) is not None


def test_worse_than_every_parent_is_rejected_and_anything_better_is_not() -> None:
    for score, parents, tuned, rejected in [
        (40.0, (50.0,), None, True),
        (40.0, (50.0, 45.0), None, True),
        (47.0, (50.0, 45.0), None, False),
        (50.0, (50.0,), None, False),
        (40.0, (50.0,), 49.0, True),
        (40.0, (50.0,), 51.0, False),
        (40.0, (), None, False),
    ]:
        rules = Rules()
        rules.end(IDEA, "scored", score, parents=parents, tuned=tuned)
        assert (rules.near(COPY, PARENT) is not None) is rejected, (score, parents, tuned)


def test_only_its_own_end_makes_an_idea_rejected() -> None:
    rules = Rules()
    rules.end(IDEA, "error", duplicate_of=EntryKey(0, "own"))
    rules.end(IDEA, "refused", marks=frozenset({NEAR_COPY}))
    assert rules.near(COPY, PARENT) is None


def test_other_numbers_may_mend_what_ran_into_a_limit_and_nothing_else() -> None:
    renumbered = IDEA.replace("0.3", "0.9")
    for outcome, refused in [("timeout", False), ("killed", False), ("error", True)]:
        rules = Rules()
        rules.end(IDEA, outcome)  # type: ignore[arg-type]
        assert (rules.near(renumbered, PARENT) is not None) is refused
        assert rules.near(IDEA.replace("slack", "room"), PARENT) is not None, "the same numbers end the same"


def test_other_numbers_may_mend_what_did_not_keep_something_over_the_whole_set() -> None:
    renumbered = IDEA.replace("0.3", "0.9")
    for whole, m, refused in [(24, 24, False), (24, 23, True), (None, 24, True)]:
        rules = Rules(whole=whole)
        rules.end(IDEA, "rejected", m=m)
        assert (rules.near(renumbered, PARENT) is not None) is refused, (whole, m)
        assert rules.near(IDEA.replace("slack", "room"), PARENT) is not None, "the same numbers end the same"


def test_numbers_of_a_parent_may_change_however_alike_the_rejected_one() -> None:
    rules = Rules()
    rules.end(IDEA.replace("0.3", "5.0"), "stopped")
    assert rules.near(IDEA.replace("0.3", "0.1"), IDEA) is None
    assert rules.near(IDEA.replace("0.3", "0.1"), PARENT) is not None


def test_the_threshold_decides_and_one_means_equal_code_only() -> None:
    for threshold, refused in [(0.3, True), (0.99, False), (1.0, False)]:
        rules = Rules(threshold)
        rules.end(IDEA, "error")
        assert (rules.near(VARIANT, PARENT) is not None) is refused, threshold
    assert rules.novelty._index is None and not rules.novelty.on, "nothing is kept where nothing is asked"


def test_the_likest_is_named_and_of_equals_the_first() -> None:
    rules = Rules(0.3)
    rules.end(VARIANT, "error")
    exact = rules.end(IDEA, "error")
    rules.end(IDEA.replace("0.3", "0.4"), "error")
    reason = rules.near(IDEA.replace("0.3", "0.5"), PARENT)
    assert reason is not None and exact[:8] in reason and "equal but for names and numbers" in reason


def test_a_scored_shape_is_pointed_at() -> None:
    rules = Rules()
    rules.novelty.start([member(PARENT)])
    first = rules.end(IDEA, "scored", 60.0)
    point = rules.novelty.same_shape
    assert point(0, candidate(IDEA.replace("0.3", "0.2"))) == first[:8]
    assert point(0, candidate(VARIANT)) is None
    assert point(-1, candidate(IDEA.replace("0.3", "0.2"))) is None
    assert point(-2, candidate(PARENT)) == candidate(PARENT).hash[:8]


# -- the index --


def sets(count: int, size: int = 60) -> list[frozenset[int]]:
    return [frozenset((k * size + j) * 2654435761 % 2**32 for j in range(size)) for k in range(count)]


def test_the_index_finds_the_alike_and_forgets_the_oldest() -> None:
    index, stored = SimilarSets(50, 0.8), sets(60)
    gone = [index.add(s)[1] for s in stored]
    assert gone == [None] * 50 + list(range(10)) and len(index) == 50
    for n, s in enumerate(stored):
        found = index.like(frozenset(sorted(s)[:-2]))
        assert found == ([n] if n >= 10 else []), n


def test_a_crowd_is_cut_to_the_likest() -> None:
    index, base = SimilarSets(1000, 0.8), sorted(sets(1, 200)[0])
    for n in range(300):
        index.add(frozenset([*base[:190], *range(10 * n, 10 * n + 10)]))
    index.add(frozenset(base))
    found = index.like(frozenset(base))
    assert len(found) == FOUND and 300 in found and found == sorted(found)


@pytest.mark.parametrize("alike", [0.3, 0.6, 0.8, 0.95])
def test_the_index_finds_what_is_as_like_as_asked_for(alike: float) -> None:
    size = 200
    shared = round(size * 2 * alike / (1 + alike))
    pairs = [(sorted(a), sorted(b)) for a, b in zip(sets(40, size), sets(80, size)[40:], strict=True)]
    index = SimilarSets(100, alike - 0.02)
    for one, _ in pairs:
        index.add(frozenset(one))
    asked = [frozenset(one[:shared] + other[shared:]) for one, other in pairs]
    assert jaccard(asked[0], frozenset(pairs[0][0])) == pytest.approx(alike, abs=0.01)
    assert sum(n in index.like(a) for n, a in enumerate(asked)) >= 38


def test_a_set_in_the_index_takes_a_few_hundred_bytes() -> None:
    stored = sets(2000, 10)
    SimilarSets(1, 0.8).add(stored[0])  # imports are no part of it
    tracemalloc.start()
    index = SimilarSets(2000, 0.8)
    for s in stored * 2:
        index.add(s)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(index) == 2000 and held < 650 * 2000


def test_signatures_come_from_constants() -> None:
    drawn = _permutations()
    assert (drawn[0] & 1).all() and drawn[0, :2].tolist() == [1524502795, 2829115855]


# -- a run --


def ideas() -> Scripted:
    """A worse idea in slot 0, a crash in slot 1; from batch 2 on the same in other words; a new one at the end."""
    worse = rule("return weights - 3.0 * volumes ** 2 / capacity - weights * (volumes > 7)")
    crash = rule("total = [w / (capacity - capacity) for w in weights]; return total")
    again = {
        8: worse.replace("3.0", "4.0"),
        9: crash.replace("total", "mine").replace("w ", "item ").replace("for w", "for item"),
        10: "# once more\n" + worse.replace("3.0", "4.0"),
        11: density(0.9),
    }
    return Scripted(by_slot({0: worse, 1: crash, 2: density(0.52), **again}))


class Repairing:
    """Repairs as soon as something is broken."""

    name = "repairing"

    def plan(self, situation: Situation, _draw: random.Random) -> Plan:
        if situation.broken:
            return Plan("repair", situation.snapshot.seeds[:1], situation.broken[0])
        return Plan("improve", situation.snapshot.seeds[:1])


def test_prompts_name_rejected_ideas_in_their_own_words(toy: Toy) -> None:
    worse = rule("# trust the \x1b[31mlightest\n    return -weights * volumes")
    proposer = Scripted(
        by_slot({0: worse, 1: rule("return -weights"), 2: rule("import os"), 3: rule("import os")})
    )
    toy.propose(proposer)
    toy.start(samples=9, novelty=0.8, tune=False)
    (said,) = {r.rejected for r in proposer.asked if r.slot == 8}
    told = [line for line in said if "trust the" in line]
    assert len(told) == 1 and ": trust the \\x1b[31mlightest: " in told[0]
    assert "stopped early" in told[0] or "worse than" in told[0]
    assert sum("import of 'os'" in line for line in said) == 1 and any("(2 times)" in line for line in said)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1\n# Weigh slack.\n# More.", "Weigh slack."),
        ('"""Weigh slack.\n\nMore."""', "Weigh slack."),
        ('def f():\n    """One line."""\n', "One line."),
        ("# ----\n# ok", "ok"),
        ("x = '# no'", ""),
        ("# " + "a" * 500, "a" * LONGEST + "…"),
    ],
)
def test_the_first_words_of_code(code: str, words: str) -> None:
    assert idea(code) == words


def test_a_run_refuses_near_copies_unrun_and_says_why(toy: Toy) -> None:
    toy.propose(ideas())
    report = toy.start(samples=12, novelty=0.8, tune=False)
    entries = toy.entries(report.run)
    for k, first in ((8, 0), (9, 1)):
        entry, earlier = entries[k, "own"], entries[first, "own"]
        assert (entry.outcome, entry.score, entry.m, entry.duplicate_of) == ("refused", None, 0, None)
        assert entry.marks == {NEAR_COPY} and entry.candidate is not None
        assert earlier.candidate is not None and earlier.candidate[:8] in entry.reason
    assert entries[10, "own"].duplicate_of == entries[8, "own"].id, "equal code is a duplicate first"
    assert entries[11, "own"].outcome == "scored"
    assert report.failures == {"error": 1, "near-copy": 2}
    assert report.evaluated == 12 - 2 - 1 and report.samples == 12
    with toy.ledger() as ledger:
        split = load("knapsack").instances("search")
        assert all(
            ledger.evaluation(entries[k, "own"].candidate or "", split.digest, "1", True) is None
            for k in (8, 9)
        )
        counts = review.summary(ledger, report.run).to_json()["outcomes"]
    assert counts["near-copy"] == 2 and counts["duplicate"] == 1 and sum(counts.values()) == 12  # type: ignore[index]


def test_numbers_only_is_run_and_pointed_at(toy: Toy) -> None:
    toy.propose(
        Scripted(by_slot({0: density(0.9), 8: density(0.7)}, lambda k: rule(f"return weights + {k}")))
    )
    entries = toy.entries(toy.start(samples=9, novelty=0.8, tune=False).run)
    first, later = entries[0, "own"], entries[8, "own"]
    assert later.outcome == "scored" and NUMBERS in later.marks
    assert (
        first.candidate is not None
        and later.reason == f"differs from {first.candidate[:8]} in its numbers only"
    )
    entries = toy.entries(toy.start(samples=9, tune=False, db="off").run, "off")
    assert not any(NUMBERS in e.marks for e in entries.values()), "without --novelty nobody looks"


def test_a_repair_may_be_near_what_it_repairs(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.strategies, "make", lambda _settings: Repairing())
    proposer = ideas()
    proposer.operators = EDITS | {"repair"}
    toy.propose(proposer)
    entries = toy.entries(toy.start(samples=12, novelty=0.8, tune=False).run)
    assert [entries[k, "own"].operator for k in (0, 8)] == ["improve", "repair"]
    assert not any(NEAR_COPY in e.marks for e in entries.values())


def test_a_resumed_run_refuses_the_same(toy: Toy) -> None:
    toy.propose(ideas())
    whole = toy.digest(toy.start(samples=12, novelty=0.8, tune=False).run)
    stop, script = StopSignal(), ideas().script

    def stopping(request: Request) -> str | Exception:
        if request.slot == 7:
            stop.request()
        return script(request)

    toy.propose(Scripted(stopping))
    report = toy.start(samples=12, novelty=0.8, tune=False, stop=stop, db="stopped")
    assert report.interrupted and report.samples < 12
    toy.propose(ideas())
    again = toy.resume(report.run, db="stopped")
    assert again.samples == 12 and again.failures["near-copy"] == 2
    assert toy.digest(report.run, "stopped") == whole


def test_a_replay_refuses_the_same(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.propose(ideas())
    first = toy.start(samples=12, novelty=0.8, tune=False)
    monkeypatch.setattr(engine, "make_proposer", make_proposer)
    chosen = RunSettings("knapsack", toy.settings(proposer="replay"), (), first.run)
    assert toy.digest(engine.start(chosen).run) == toy.digest(first.run)


def test_only_text_proposers_have_a_threshold_by_default() -> None:
    assert settings({"proposer": "chat", "model": "m"}, environment={}).settings.novelty == 0.8
    assert settings({}, environment={}).settings.novelty == 1.0
    assert settings({"novelty": 0.6}, environment={}).settings.novelty == 0.6
