"""Runs, candidates, lineage and differences, read from a ledger that was written by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import review_samples as samples
from review_samples import CHAMPION, CHILD, EDD, MDD, PARENT, RUN, SIZE, STOPPED, score, undocumented

from db.errors import LedgerError
from db.ledger import Ledger
from db.records import Edge, EntryId, Integration
from discovery import review
from discovery.errors import UsageError
from discovery.review.compare import unified
from evaluators import registry
from evaluators.task import ShippedScore

SHIPPED = {
    "mdd": ShippedScore({"search": 4.0, "gate": 2.0}, {}, {}),
    "edd": ShippedScore({"search": 8.0}, {}, {}),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    monkeypatch.setattr(samples.Small, "shipped", SHIPPED)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(
        tmp_path / "l.sqlite", clock=iter(range(1_700_000_000, 1_800_000_000)).__next__
    ) as opened:
        samples.filled(opened)
        yield opened


def test_opened_takes_an_existing_ledger_only(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"), review.opened(str(tmp_path / "none.sqlite")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_runs_the_newest_first(ledger: Ledger) -> None:
    samples.seeded(ledger, samples.CONTROL, control_of=RUN)
    control, run = (r.to_json() for r in review.runs(ledger))
    assert list(run) == [
        "run", "task", "proposer", "status", "samples", "samples_total", "best", "gate", "control_of", "created",
    ]  # fmt: skip
    assert (control["run"], control["samples"], control["control_of"]) == (samples.CONTROL, 0, RUN)
    assert (run["run"], run["samples"], run["samples_total"]) == (RUN, 16, 16)
    assert run["best"] == score(CHAMPION) and run["gate"] == 1.75
    assert run["created"].startswith("2023-11-14T22:13:2") and run["created"].endswith("Z")


def test_a_run_without_seeds_is_a_row_too(ledger: Ledger) -> None:
    ledger.create_run(samples.run_record("r-0000cccc", settings={}))
    row = review.runs(ledger)[0]
    assert (row.proposer, row.samples, row.samples_total, row.best, row.gate) == ("", 0, None, None, None)
    data = review.summary(ledger, "r-0000cccc").to_json()
    assert data["champion"] is data["best_on_search"] is data["gains"] is None
    with pytest.raises(UsageError, match="no champion yet"):
        review.source(ledger, "r-0000cccc")


@pytest.mark.parametrize("share, control_of, total", [(None, None, 16), (0.25, None, 12), (0.25, RUN, 4)])
def test_a_run_and_its_control_share_the_samples(
    ledger: Ledger, share: float | None, control_of: str | None, total: int
) -> None:
    settings = {"samples": 16, "batch": 8, "control": share}
    ledger.create_run(samples.run_record("r-arm", settings={"settings": settings}, control_of=control_of))
    assert review.runs(ledger)[0].samples_total == total


def test_summary_of_a_run(ledger: Ledger) -> None:
    data = review.summary(ledger, "r-0000a").to_json()
    json.dumps(data, allow_nan=False)
    assert data["run"] == RUN and data["status"] == "done" and data["batches"] == 2
    assert [(s["name"], s["score"], s["gate"]) for s in data["seeds"]] == [
        ("edd", 8.0, None),
        ("mdd", score(MDD), 2.25),
    ]
    champion = data["champion"]
    assert champion["candidate"] == CHAMPION.hash and champion["look"] == 2 and champion["promoted"] is True
    assert (champion["score"], champion["gate"]) == (score(CHAMPION), 1.75)
    assert (
        champion["gain"] == pytest.approx((score(MDD) - score(CHAMPION)) / score(MDD))
        and champion["gain"] > 0
    )
    assert data["best_on_search"]["candidate"] == CHAMPION.hash
    assert data["baseline"] == {"name": "mdd", "score": 4.0, "gate": 2.0}
    assert data["budget"][0]["reason"].startswith("the limit of 1000 tokens")
    assert data["tuning"] == {"studies": 1, "trials": 3, "literals": 0, "children": 1, "quarantined": 0}


def test_outcomes_sum_to_the_samples_and_duplicates_count_once(ledger: Ledger) -> None:
    counts = review.summary(ledger, RUN).to_json()["outcomes"]
    assert counts == {
        "scored": 2, "stopped": 1, "duplicate": 1, "near-copy": 0, "noted": 0, "refused": 5, "lost": 1, "rejected": 1,
        "timeout": 1, "killed": 1, "error": 2, "quarantined": 1,
    }  # fmt: skip
    assert sum(counts.values()) == 16


def test_operators_count_what_improved_on_every_parent(ledger: Ledger) -> None:
    assert review.summary(ledger, RUN).to_json()["operators"] == [
        {"operator": "combine", "entries": 1, "scored": 0, "improved": 0},
        {"operator": "improve", "entries": 15, "scored": 2, "improved": 2},
        {"operator": "tune", "entries": 1, "scored": 1, "improved": 1},
    ]


def test_better_than_one_of_two_parents_is_no_improvement(ledger: Ledger) -> None:
    samples.seeded(ledger, "r-two")
    entry = replace(samples.own(0, PARENT, "scored", operator="combine"), score=score(MDD) + 1)
    edges = tuple(Edge(entry.key, samples.key(k, "seed"), n) for n, k in enumerate((-1, -2)))
    ledger.integrate("r-two", 0, Integration((entry,), edges))
    (row,) = review.summary(ledger, "r-two").to_json()["operators"]
    assert (row["scored"], row["improved"]) == (1, 0)


def test_gains_of_structure_and_of_tuning_add_up(ledger: Ledger) -> None:
    gains = review.summary(ledger, RUN).to_json()["gains"]
    root = score(MDD)
    assert gains["root"] == MDD.hash
    assert (
        gains["tuning"] == pytest.approx((score(PARENT) - score(CHILD)) / root) and gains["tuning_steps"] == 1
    )
    assert gains["structure_steps"] == 2
    assert gains["structure"] + gains["tuning"] == pytest.approx(gains["total"])


def test_looks_and_spent(ledger: Ledger) -> None:
    data = review.summary(ledger, RUN).to_json()
    assert [
        (x["number"], x["passed"], x["reused"], x["block"], x["p"], x["alpha"]) for x in data["looks"]
    ] == [
        (1, False, False, 1, 0.2, 0.0304),
        (2, True, True, 0, 0.001, 0.0076),
    ]
    assert data["looks"][1]["candidate"] == CHAMPION.hash and data["looks"][1]["champion"] == MDD.hash
    spent = data["spent"]
    assert (spent["samples"], spent["requests"], spent["repeated"]) == (2, 3, 1)
    assert (spent["tokens"], spent["cost"], spent["seconds"]) == (240, 0.02, 12.5)


def test_summary_of_a_candidate(ledger: Ledger) -> None:
    data = review.summary(ledger, PARENT.hash[:8].upper()).to_json()
    json.dumps(data, allow_nan=False)
    assert (data["candidate"], data["entry"], data["outcome"]) == (PARENT.hash, "own0", "scored")
    assert data["duplicates"] == 1 and data["duplicate_of"] is None
    assert [p["candidate"] for p in data["parents"]] == [MDD.hash]
    assert [(c["candidate"], c["operator"]) for c in data["children"]] == [(CHILD.hash, "tune")]
    assert data["baseline"] == {"name": "mdd", "score": 4.0, "gain": pytest.approx((4 - score(PARENT)) / 4)}
    tuning = data["tuning"]
    assert (tuning["child"], tuning["planned"], tuning["gain"]) == (CHILD.hash, 3, 0.149)
    assert [(t["number"], t["state"], t["m"], t["value"]) for t in tuning["trials"]] == [
        (0, "complete", SIZE, score(PARENT)), (1, "pruned", 1, None), (2, "complete", SIZE, score(CHILD)),
    ]  # fmt: skip


def test_attempts_keep_prompt_and_reply_to_the_letter(ledger: Ledger) -> None:
    first, second = review.summary(ledger, PARENT.hash).to_json()["attempts"]
    assert first["prompt"] == [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Improve this."},
    ]  # fmt: skip
    assert first["reply"] == f"no code, {samples.HOSTILE}" and first["asked"] == 2
    assert (second["attempt"], second["reply"], second["completion_tokens"]) == (1, PARENT.code, 20)
    assert review.summary(ledger, CHILD.hash).to_json()["attempts"] == []


def test_classes_are_compared_with_the_parents_on_the_same_instances(ledger: Ledger) -> None:
    rows = review.summary(ledger, PARENT.hash).to_json()["by_class"]
    assert len(rows) == len({i.group for i in samples.TASK.instances("search")})
    assert all(r["parents"] == [pytest.approx(r["score"] + 1)] and r["gain"] > 0 for r in rows)
    stopped = review.summary(ledger, STOPPED.hash).to_json()
    assert (stopped["outcome"], stopped["m"], stopped["score"]) == ("stopped", 2, None)
    assert len(stopped["by_class"]) == 2 and all(
        r["score"] == 9.0 and r["gain"] < 0 for r in stopped["by_class"]
    )


def test_evaluations_by_set_without_the_final_score(ledger: Ledger) -> None:
    task = samples.TASK
    samples.store(ledger, CHAMPION, [1.0] * 8, instances=task.gate(1))
    samples.store(ledger, CHAMPION, [0.5] * 40, instances=task.instances("final"))
    samples.Small.opened.clear()
    data = review.summary(ledger, CHAMPION.hash).to_json()
    assert samples.Small.opened == []
    assert [(e["set"], e["m"], e["size"], e["outcome"], e["score"]) for e in data["evaluations"]] == [
        ("search", SIZE, SIZE, "scored", score(CHAMPION)),
        ("gate-1", 8, 8, "scored", 1.0),
        ("final", 40, 40, "scored", None),
    ]
    assert data["promoted_at"] == 2 and [x["number"] for x in data["looks"]] == [2]
    assert data["marks"] == ["slow"]


def test_source_and_digest(ledger: Ledger) -> None:
    assert review.source(ledger, RUN) == CHAMPION.code
    assert review.source(ledger, PARENT.hash[:6]) == PARENT.code
    assert review.source(ledger, samples.HOSTILE_HASH) == samples.HOSTILE_CODE
    assert review.digest(ledger, "r-0000a") == ledger.digest(RUN)


@pytest.mark.parametrize(
    "name, error, sentence",
    [
        ("r-none", LedgerError, "there is no run 'r-none'"),
        ("abc", UsageError, "at least 4 hexadecimal digits"),
        ("beefbeef", LedgerError, "no candidate begins with 'beefbeef'"),
        ("", LedgerError, "there is no run ''"),
    ],
)
def test_an_unknown_name_is_one_sentence(
    ledger: Ledger, name: str, error: type[Exception], sentence: str
) -> None:
    for ask in (review.summary, review.source):
        with pytest.raises(error, match=sentence):
            ask(ledger, name)


def test_tree_has_every_entry_and_edge(ledger: Ledger) -> None:
    data = review.tree(ledger, RUN).to_json()
    json.dumps(data, allow_nan=False)
    nodes = {n["entry"]: n for n in data["nodes"]}
    assert len(nodes) == 2 + 16 + 1
    assert nodes["seed-1"]["name"] == "edd" and nodes["seed-1"]["marks"] == ["evicted"]
    assert nodes["own2"]["duplicate_of"] == "own0" and nodes["own3"]["outcome"] == "refused"
    assert nodes["own10"]["champion"] is True and nodes["own10"]["promoted_at"] == 2
    assert {"child": "tuned0", "parent": "own0", "position": 0} in data["edges"]
    assert {"child": "own7", "parent": "seed-1", "position": 1} in data["edges"]
    assert len(data["edges"]) == 18


def test_tree_as_text_best_first(ledger: Ledger) -> None:
    lines = review.tree(ledger, RUN).lines()
    assert len(lines) == 19
    assert lines[0].startswith(f"mdd  {MDD.hash[:8]}")
    assert lines[1].startswith(f"├─ improve  {PARENT.hash[:8]}  3.") and lines[1].endswith("%")
    assert lines[2].startswith(f"│  └─ tune  {CHILD.hash[:8]}")
    assert lines[3].startswith(f"│     ├─ improve  {CHAMPION.hash[:8]}")
    assert lines[3].endswith("[slow, champion, passed look 2]")
    text = "\n".join(lines)
    assert (
        "the same as own0" in text and f"and from {EDD.hash[:8]}" in text and "lost: the budget ended" in text
    )
    assert lines[-1] == f"edd  {EDD.hash[:8]}  8 %  [evicted]"
    assert not any(c in text for c in samples.TOO_HOSTILE)


def test_a_large_tree_is_bounded_and_keeps_the_best(ledger: Ledger) -> None:
    lines = review.tree(ledger, RUN).lines(limit=5)
    assert [line.split()[-1] for line in lines[:-1]].count("more") == 2
    assert CHAMPION.hash[:8] in lines[3] and "9 more" not in lines[3]
    assert lines[-1].startswith("5 of 19 entries are drawn")
    hidden = sum(int(line.split()[-2]) for line in lines[:-1] if line.endswith("more"))
    assert hidden == 14


def test_a_lineage_deeper_than_the_recursion_limit(ledger: Ledger) -> None:
    known = review.tree(ledger, RUN)
    first, deep = known.entries[0], sys.getrecursionlimit() + 100
    entries = tuple(replace(first, id=EntryId(n), k=n, kind="own", score=1.0 / (n + 1)) for n in range(deep))
    parents = {EntryId(n): (EntryId(n - 1),) for n in range(1, deep)}
    lines = replace(known, entries=entries, parents=parents, champion=EntryId(deep - 1)).lines()
    assert len(lines) == deep and lines[-1].startswith("   " * (deep - 2) + "└─ ")


@pytest.mark.parametrize(
    "title, ask",
    [
        ("runs", lambda db: {"runs": [r.to_json() for r in review.runs(db)]}),
        ("show RUN", lambda db: review.summary(db, RUN).to_json()),
        ("show CANDIDATE", lambda db: review.summary(db, PARENT.hash).to_json()),
        ("tree", lambda db: review.tree(db, RUN).to_json()),
        ("diff A B", lambda db: review.difference(db, MDD.hash, PARENT.hash).to_json()),
    ],
)
def test_every_field_is_documented(ledger: Ledger, title: str, ask: Callable[[Ledger], Any]) -> None:
    assert undocumented(title, ask(ledger)) == []


def test_difference_of_two_scored_candidates(ledger: Ledger) -> None:
    made = review.difference(ledger, MDD.hash[:8], CHAMPION.hash[:8])
    data = made.to_json()
    json.dumps(data, allow_nan=False)
    assert made.text == data["diff"] and made.text.startswith(
        f"--- a/{MDD.hash[:8]}\n+++ b/{CHAMPION.hash[:8]}\n@@"
    )
    assert data["comparable"] is True and data["instances"] == SIZE
    assert data["gain"] == pytest.approx((score(MDD) - score(CHAMPION)) / score(MDD))
    assert data["test"]["gain"] == pytest.approx(data["gain"])
    assert data["test"]["p"] == pytest.approx(1 / 2**SIZE, rel=0.3)  # every sign must agree
    assert data["test"]["low"] <= data["test"]["gain"] <= data["test"]["high"]
    assert all(r["a"] - r["b"] == pytest.approx(2) for r in data["by_class"])
    back = review.difference(ledger, CHAMPION.hash, MDD.hash).to_json()
    assert back["gain"] < 0 and back["test"]["p"] > 0.9


def test_difference_with_one_that_was_stopped_or_never_ran(ledger: Ledger) -> None:
    stopped = review.difference(ledger, MDD.hash, STOPPED.hash).to_json()
    assert stopped["test"] is None and stopped["gain"] is None
    assert stopped["instances"] == 2 and len(stopped["by_class"]) == 2
    never = review.difference(ledger, MDD.hash, samples.SLOW.hash).to_json()
    assert never["by_class"] == [] and never["test"] is None and never["diff"]


def test_candidates_of_different_evaluators_are_not_compared(ledger: Ledger) -> None:
    ledger.create_run(samples.run_record("r-old", evaluator_version="0"))
    other = samples.rule(0.125)
    ledger.put_candidate(other.hash, other.code, other.nodes)
    from db.records import NewEntry

    ledger.store_seed_entries(
        "r-old", [NewEntry(-1, "seed", "create", "scored", other.hash, score=1.0, m=SIZE)]
    )
    data = review.difference(ledger, MDD.hash, other.hash).to_json()
    assert data["comparable"] is False and data["test"] is None and data["gain"] is None
    with pytest.raises(UsageError, match="names no candidate"):
        review.difference(ledger, RUN, MDD.hash)


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ("x\n", "x\n", ""),
        ("x\n", "y\n", "--- A\n+++ B\n@@ -1 +1 @@\n-x\n+y"),
        ("x", "x\n", "--- A\n+++ B\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x"),
        (
            "x\x0c\r\u2028y\n",
            "x\x0c\r\u2028z\n",
            "--- A\n+++ B\n@@ -1 +1 @@\n-x\x0c\r\u2028y\n+x\x0c\r\u2028z",
        ),
    ],
)
def test_unified_breaks_lines_at_line_feeds_only(a: str, b: str, expected: str) -> None:
    assert unified(a, b, "A", "B") == expected
