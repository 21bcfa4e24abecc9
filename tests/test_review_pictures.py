"""The data that pictures are drawn from: curve, Pareto front, lineage, classes, leaderboard and the live run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import review_samples as samples
from review_samples import (
    CHAMPION,
    CHILD,
    EDD,
    MDD,
    PARENT,
    RUN,
    SIZE,
    STOPPED,
    key,
    own,
    score,
    undocumented,
)

from db.errors import LedgerError
from db.ledger import Ledger
from db.records import Edge, Integration, NewEntry, RunRecord
from discovery import review
from discovery.errors import UsageError
from evaluators import registry
from evaluators.pictures import Column, Curve, Curves, Line, Mark, Outline, Tile, Tiles
from evaluators.smtt.problem import decode
from evaluators.task import ShippedScore

SHIPPED = {
    "mdd": ShippedScore({"search": 4.0, "gate": 2.0}, {}, {}),
    "edd": ShippedScore({"search": 8.0, "gate": 9.0}, {}, {}),
    "ils": ShippedScore({"search": 0.5, "gate": 0.5}, {}, {}),
    "exact": ShippedScore({"search": 0.0, "gate": 0.0}, {}, {}),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    monkeypatch.setattr(samples.Small, "shipped", SHIPPED)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "l.sqlite") as opened:
        samples.filled(opened)
        yield opened


def plain(data: dict[str, object]) -> Any:
    """As a reader of the JSON gets it."""
    return json.loads(json.dumps(data, allow_nan=False))


def rows(data: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Columns as rows; a table in which they differ in length is none."""
    return [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]


# -- the curve --------------------------------------------------------------------------------------------------------


def test_the_best_so_far_falls_and_names_who_made_it(ledger: Ledger) -> None:
    made = review.curve(ledger, RUN)
    assert [(b.sample, b.entry, b.score) for b in made.best] == [
        (0, "seed-1", 8.0), (0, "seed-2", score(MDD)), (1, "own0", score(PARENT)),
        (1, "tuned0", score(CHILD)), (11, "own10", score(CHAMPION)),
    ]  # fmt: skip
    assert [c.entry for c in made.champions] == ["seed-2", "own10"]
    assert [(s.name, s.search, s.gate) for s in made.seeds] == [("edd", 8.0, None), ("mdd", score(MDD), 2.25)]
    assert made.baseline is not None and (made.baseline.name, made.baseline.search) == ("ils", 0.5)
    data = plain(made.to_json())
    assert [p["entry"] for p in rows(data["points"])] == ["seed-1", "seed-2", "own0", "tuned0", "own10"]
    assert (data["samples"], data["samples_total"]) == (16, 16)
    assert undocumented("The data of pictures", data) == []


def test_a_maximised_curve_rises(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples.Small, "direction", "maximize")
    assert [b.score for b in review.curve(ledger, RUN).best] == [8.0]
    assert [n.name for n in review.lineage(ledger, RUN).nodes if n.y == 0] == ["edd"]


def test_a_submission_stands_at_the_last_sample_of_its_batch(ledger: Ledger) -> None:
    extra = samples.rule(0.9)
    ledger.put_candidate(extra.hash, extra.code, extra.nodes)
    entries = (
        own(16, None, "refused"),
        NewEntry(0, "submitted", "submit", "scored", extra.hash, score=0.1, m=SIZE),
    )
    ledger.integrate(RUN, 2, Integration(entries))
    last = review.curve(ledger, RUN).points[-1]
    assert (last.sample, last.entry, last.kind) == (17, "submitted0", "submitted")


# -- the Pareto front -------------------------------------------------------------------------------------------------


def test_the_front_holds_what_nothing_beats_in_both(ledger: Ledger) -> None:
    slow = samples.seed("ils")
    samples.store(ledger, slow, [0.5] * SIZE, seconds=0.25)
    made = review.pareto(ledger, RUN)
    assert [(p.name, p.kind, p.front) for p in made.points] == [
        ("own10", "own", True), ("tuned0", "tuned", False), ("own0", "own", False), ("mdd", "seed", False),
        ("edd", "seed", False), ("ils", "baseline", True),
    ]  # fmt: skip
    assert made.points[-1].seconds == pytest.approx(0.25) and made.points[0].nodes == CHAMPION.nodes
    assert undocumented("The data of pictures", plain(made.to_json())) == []


def test_equals_in_both_are_all_on_the_front(ledger: Ledger) -> None:
    twin = samples.rule(1.0001)
    samples.store(ledger, twin, samples.SCORES[CHAMPION.hash])
    entry = NewEntry(16, "own", "improve", "scored", twin.hash, score=score(CHAMPION), m=SIZE)
    ledger.integrate(RUN, 2, Integration((entry,)))
    assert {p.name for p in review.pareto(ledger, RUN).points if p.front} == {"own10", "own16"}


# -- the lineage ------------------------------------------------------------------------------------------------------


def test_every_entry_has_a_place_and_nothing_hides_another_kind(ledger: Ledger) -> None:
    made = review.lineage(ledger, RUN)
    nodes = {n.entry: n for n in made.nodes}
    assert len(nodes) == len(ledger.entries(RUN)) == 19
    states = {
        name: nodes[name].state for name in ("own10", "tuned0", "seed-1", "seed-2", "own2", "own3", "own1")
    }
    assert states == {
        "own10": "champion", "tuned0": "archived", "seed-1": "evicted", "seed-2": "archived", "own2": "scored",
        "own3": "lost", "own1": "stopped",
    }  # fmt: skip
    assert nodes["own10"].y == 0 and nodes["seed-1"].y == 1 and nodes["own0"].y == nodes["own2"].y
    lanes = {name: y for y, name in made.lanes}
    assert sorted(lanes) == [
        "error",
        "killed",
        "lost",
        "quarantined",
        "refused",
        "rejected",
        "stopped",
        "timeout",
    ]
    assert min(lanes.values()) > 1 and len(set(lanes.values())) == len(lanes)
    assert all(n.y == lanes[n.ending] for n in made.nodes if n.score is None)
    assert made.ticks[0] == (0.0, score(CHAMPION)) and made.ticks[-1] == (1.0, 8.0)
    places = {name: nodes[name].x for name in ("seed-1", "own0", "tuned0", "own10", "own15")}
    assert places == {"seed-1": 0, "own0": 1, "tuned0": 1.4, "own10": 11, "own15": 16}


def test_parents_come_before_their_children_and_the_edited_one_first(ledger: Ledger) -> None:
    made = review.lineage(ledger, RUN)
    names = [n.entry for n in made.nodes]
    assert all(parent < child for parent, child in made.edges)
    assert [names[p] for p, c in made.edges if names[c] == "own7"] == ["seed-2", "seed-1"]
    data = plain(made.to_json())
    assert len(data["edges"]["parent"]) == len(data["edges"]["child"]) == len(made.edges)
    assert rows(data["nodes"])[0]["name"] == "edd"
    assert undocumented("The data of pictures", data) == []


def test_a_run_with_one_score_has_a_picture_too(ledger: Ledger) -> None:
    ledger.create_run(samples.run_record("r-one"))
    entry = NewEntry(-1, "seed", "create", "scored", EDD.hash, score=8.0, m=SIZE)
    ledger.store_seed_entries("r-one", [entry], key(-1, "seed"))
    made = review.lineage(ledger, "r-one")
    assert [(n.x, n.y, n.state) for n in made.nodes] == [(0, 0, "champion")] and made.ticks == ((0.0, 8.0),)
    assert review.curve(ledger, "r-one").best == review.curve(ledger, "r-one").points


# -- classes ----------------------------------------------------------------------------------------------------------


def test_classes_against_parents_and_the_best_measured_baseline(ledger: Ledger) -> None:
    made = review.class_scores(ledger, CHILD.hash[:10])
    # ils ships the better score, but its scores by instance are in no ledger.
    assert made.rival is not None and (made.rival.name, made.rival.score) == ("mdd", score(MDD))
    assert made.parents == ("own0",) and sum(c.instances for c in made.classes) == SIZE
    first = made.classes[0]
    assert first.baseline is not None and first.against == pytest.approx(
        (first.baseline - first.score) / first.baseline
    )
    assert first.gain == pytest.approx((first.parents[0] - first.score) / first.parents[0])  # type: ignore[operator]
    shown = review.summary(ledger, CHILD.hash).to_json()
    assert shown["by_class"] == made.to_json()["classes"] and shown["rival"] == made.to_json()["rival"]
    assert undocumented("The data of pictures", plain(made.to_json())) == []


def test_the_best_baseline_is_one_that_ships_its_classes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = {i.group: 0.25 for i in samples.TASK.instances("search")}
    shipped = {**SHIPPED, "ils": ShippedScore({"search": 0.5}, {}, {}, classes)}
    monkeypatch.setattr(samples.Small, "shipped", shipped)
    made = review.class_scores(ledger, CHILD.hash)
    assert made.rival is not None and (made.rival.name, made.rival.candidate) == ("ils", None)
    assert {c.baseline for c in made.classes} == {0.25}
    # What ships are means over all instances, so a prefix is compared with what was measured.
    stopped = review.class_scores(ledger, STOPPED.hash).rival
    assert stopped is not None and stopped.name == "mdd"
    worse = ShippedScore({"search": score(MDD) + 0.1}, {}, {}, classes)
    monkeypatch.setattr(samples.Small, "shipped", {"ils": worse})
    measured = review.class_scores(ledger, CHILD.hash).rival
    assert measured is not None and measured.name == "mdd"


def test_a_stopped_candidate_is_compared_on_the_instances_it_saw(ledger: Ledger) -> None:
    made = review.class_scores(ledger, STOPPED.hash)
    assert sum(c.instances for c in made.classes) == 2
    theirs = samples.SCORES[MDD.hash][:2]
    assert sum((c.baseline or 0) * c.instances for c in made.classes) == pytest.approx(sum(theirs))
    assert review.class_scores(ledger, samples.HOSTILE_HASH[:8]).classes == ()
    with pytest.raises(UsageError, match="names no candidate"):
        review.class_scores(ledger, "xyz")


# -- the task's own pictures ------------------------------------------------------------------------------------------


def test_an_answer_is_drawn_beside_the_optimum(ledger: Ledger) -> None:
    first = samples.TASK.instances("search").instances[0]
    answers = b"".join(
        np.arange(i.answer_bytes // 8).astype("<i8").tobytes() for i in samples.TASK.instances("search")
    )
    keep = samples.rule(0.11)
    scores = [float(n) for n in range(SIZE)]
    samples.store(ledger, keep, scores, answers=answers)
    ledger.integrate(
        RUN, 2, Integration((NewEntry(16, "own", "improve", "scored", keep.hash, score=1.0, m=SIZE),))
    )
    worst = review.pictures(ledger, keep.hash)
    assert worst is not None and [c.score for c in worst.choices] == sorted(scores, reverse=True)
    assert worst.instance == worst.choices[0].instance
    made = review.pictures(ledger, keep.hash, first.id)
    assert made is not None and made.instance == first.id
    (gantt,) = made.pictures
    own, optimal = gantt.lanes
    times, due = decode(first.payload)
    assert [s.label for s in own.spans] == [str(n) for n in range(len(times))]
    for lane in gantt.lanes:  # no idling, every job once, as long as its processing time
        assert [s.start for s in lane.spans[1:]] == [s.end for s in lane.spans[:-1]]
        assert all(s.end - s.start == times[int(s.label)] for s in lane.spans)
        assert {s.level > 0 for s in lane.spans} <= {True, False} and max(s.level for s in lane.spans) <= 1
        assert all((s.level > 0) == (s.end > due[int(s.label)]) for s in lane.spans)
    assert first.reference is not None and f"total tardiness {first.reference:.0f}," in optimal.total
    assert undocumented("The data of pictures", plain(made.to_json())) == []
    tiles = Tiles("t", "", "j", "i", (Tile(0, 1, 0, 1, "1"),), (Mark("limit", 2),), ("tile",))
    lines = Outline("t", "", (Column("after", (Line(0, "for i", "tile"),), ("a step",)),), ("tile",))
    rates = Curves("t", "", "steps", "rate", (Curve("own", ((0, 1.0),)),))
    others = replace(made, pictures=(tiles, lines, rates)).to_json()
    assert [p["kind"] for p in others["pictures"]] == ["tiles", "outline", "curves"]  # type: ignore[attr-defined]
    assert undocumented("The data of pictures", plain(others)) == []
    with pytest.raises(LedgerError, match="no instance"):
        review.pictures(ledger, keep.hash, "nowhere")
    assert review.pictures(ledger, CHILD.hash) is None  # its answers were not kept


# -- an entry by its name ---------------------------------------------------------------------------------------------


def test_an_entry_that_is_no_candidate_can_be_looked_at(ledger: Ledger) -> None:
    data = review.entry_summary(ledger, RUN, "own3").to_json()
    assert (data["candidate"], data["outcome"], data["by_class"]) == (None, "refused", [])
    assert data["attempts"]
    assert review.entry_summary(ledger, RUN, "own2").to_json()["duplicate_of"] == "own0"
    for name in ("own99", "own", "seed1e9", "own3x", "own٣", "own" + 30 * "9", ""):
        with pytest.raises(LedgerError, match="no entry"):
            review.entry_summary(ledger, RUN, name)


def test_what_the_sandbox_printed_is_told(ledger: Ledger) -> None:
    samples.store(ledger, samples.SLOW, [], outcome="timeout", output=b"on instance 3\xff")
    (found,) = review.summary(ledger, samples.SLOW.hash).to_json()["evaluations"]  # type: ignore[misc, assignment]
    assert found["output"] == "on instance 3\ufffd"


# -- the leaderboard --------------------------------------------------------------------------------------------------


def test_champions_and_baselines_are_ranked_by_the_gate(ledger: Ledger) -> None:
    (board,) = review.leaderboards(ledger, "small")
    assert [(r.rank, r.name, r.kind) for r in board.rows] == [
        (None, "exact", "reference"), (1, "ils", "baseline"), (2, CHAMPION.hash[:8], "champion"),
        (3, "mdd", "baseline"), (4, "edd", "baseline"),
    ]  # fmt: skip
    found = board.rows[2]
    assert (found.run, found.proposer, found.gate) == (RUN, "chat", 1.75)
    assert undocumented("The data of pictures", plain(board.to_json())) == []
    assert review.leaderboards(ledger, "other") == ()


def test_only_what_can_be_compared_shares_a_board(ledger: Ledger) -> None:
    samples.seeded(ledger, "r-heavy", options={"families": "heavy"})
    samples.seeded(ledger, "r-old", evaluator_version="0")
    boards = {(str(b.options["families"]), b.evaluator_version): b for b in review.leaderboards(ledger)}
    assert set(boards) == {("heavy", "1"), ("pvw", "0"), ("pvw", "1")}
    assert boards["pvw", "0"].rows == ()  # shipped scores are those of another evaluator


# -- a run that others work on ----------------------------------------------------------------------------------------


def test_a_run_under_way_is_told_from_its_ledger(ledger: Ledger) -> None:
    ledger.set_status(RUN, "running")
    before = review.stamp(ledger, RUN)
    same: dict[str, Any] = {"batch": 2, "operator": "improve", "proposer": "chat", "seed": 1}
    ledger.intent(RUN, 16, 0, **same, messages_json="[]")
    ledger.record_reply(RUN, 17, 0, **same, messages_json="[]", state="replied", text="x")
    ledger.start_study(RUN, 16, seed=1, n_trials=3)
    assert review.live(ledger, RUN).status == "interrupted"  # nobody holds it
    with ledger.holding(RUN):
        made = review.live(ledger, RUN)
        assert review.stamp(ledger, RUN) == made.stamp != before
    progress = made.progress
    assert (progress.proposing, progress.evaluating, progress.tuning) == (1, 1, 1)
    assert progress.failures == {
        "refused": 5, "lost": 1, "timeout": 1, "quarantined": 1, "error": 2, "rejected": 1, "killed": 1,
    }  # fmt: skip
    assert (progress.evaluated, progress.valid, progress.duplicates) == (10, 4, 1)
    assert progress.champion is not None and progress.champion.name == CHAMPION.hash[:8]
    assert progress.champion.gate == 1.75 and progress.looks[-1].promoted
    assert (progress.samples.used, progress.samples.limit, progress.seconds.used) == (16, 16, 12.5)
    assert undocumented("The data of pictures", plain(made.to_json())) == []


def test_the_live_run_agrees_with_what_a_finished_run_says(ledger: Ledger) -> None:
    made = review.live(ledger, RUN)
    assert (made.status, made.progress.phase, made.progress.proposing) == ("done", "done", 0)
    summary = review.summary(ledger, RUN).to_json()
    spent: Any = summary["spent"]
    assert (
        made.progress.tokens.used == spent["tokens"]
        and made.progress.cpu_seconds.used == spent["cpu_seconds"]
    )


def test_a_run_that_has_nothing_yet_is_live_too(ledger: Ledger) -> None:
    record: RunRecord = replace(samples.run_record("r-new"), settings={})
    ledger.create_run(record)
    made = review.live(ledger, "r-new")
    assert (made.progress.phase, made.progress.best, made.progress.champion) == ("seeds", None, None)
    assert review.curve(ledger, "r-new").points == ()
    assert {p.kind for p in review.pareto(ledger, "r-new").points} == {"baseline"}  # seeds of the other run
    assert review.lineage(ledger, "r-new").nodes == ()


def test_the_stamp_changes_with_each_batch_and_with_the_status(ledger: Ledger) -> None:
    found = [review.stamp(ledger, RUN)]
    ledger.integrate(RUN, 2, Integration((own(16, None, "refused"),), (Edge(key(16), key(10)),)))
    found.append(review.stamp(ledger, RUN))
    ledger.set_status(RUN, "interrupted")
    found.append(review.stamp(ledger, RUN))
    assert len(set(found)) == 3


def test_pictures_of_an_unknown_run_say_so(ledger: Ledger) -> None:
    for made in (review.curve, review.pareto, review.lineage, review.live, review.stamp):
        with pytest.raises(LedgerError, match="there is no run"):
            made(ledger, "r-nowhere")


def test_parents_scores_are_unknown_where_nothing_is_stored(ledger: Ledger) -> None:
    assert PARENT.hash != CHILD.hash
    entry = NewEntry(16, "own", "improve", "scored", CHILD.hash, score=score(CHILD), m=SIZE)
    ledger.integrate(RUN, 2, Integration((entry,), (Edge(key(16), key(3)),)))
    made = review.entry_summary(ledger, RUN, "own16").to_json()
    rows_: Any = made["by_class"]
    assert rows_[0]["parents"] == [None] and rows_[0]["gain"] is None and rows_[0]["baseline"] is not None
