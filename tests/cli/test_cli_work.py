"""The commands that run candidates, through to the sandbox and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators.smtt.task import Smtt
from evaluators.task import InstanceSet

SCORE = ["task", "split", "outcome", "reason", "known", "score", "direction", "unit", "baseline", "instances"]
JOBS = [
    {"id": "late", "processing_times": [3, 1, 2], "due_dates": [1, 1, 1]},
    {"id": "early", "processing_times": [3, 1, 2], "due_dates": [9, 9, 9]},
]


def jobs() -> str:
    Path("jobs.jsonl").write_text("".join(json.dumps(j) + "\n" for j in JOBS))
    return "jobs.jsonl"


def test_score_of_a_baseline_on_own_instances(discover: Callable) -> None:
    ended = discover("score", "baseline:spt", "--task", "smtt", "--instances", jobs(), "--json", "--quiet")
    assert ended.code == 0 and ended.err == ""
    assert list(ended.data)[: len(SCORE)] == SCORE
    assert ended.data["outcome"] == "scored" and ended.data["score"] == 0.0 and ended.data["known"] is None
    assert [(i["id"], i["value"], i["reference_kind"]) for i in ended.data["instances"]] == [
        ("late", 7, "proved optimum"),  # done at 1, 3, 6: 0 + 2 + 5
        ("early", 0, "proved optimum"),
    ]
    shown = discover("score", "baseline:spt", "--task", "smtt", "--instances", "jobs.jsonl", "--quiet").out
    assert "late" in shown and "proved optimum" in shown and "references:" not in shown


def test_own_instances_named_like_a_split_have_live_baselines(discover: Callable) -> None:
    Path("search").write_text(Path(jobs()).read_text())
    words = ["score", "baseline:edd", "--task", "smtt", "--instances", "search", "--json", "--quiet"]
    assert discover(*words).data["baseline"]["score"] == 0.0


def test_the_summary_says_how_many_references_of_each_kind(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Smtt.read

    def half(self: Smtt, path: Path) -> InstanceSet:
        first, second = read(self, path)
        return InstanceSet(path.name, (first, replace(second, reference=None, reference_kind="baseline")))

    monkeypatch.setattr(Smtt, "read", half)
    ended = discover("score", "baseline:spt", "--task", "smtt", "--instances", jobs(), "--quiet")
    assert "references: 1 proved optimum, 1 baseline" in ended.out.splitlines()


def test_only_a_ledger_that_a_flag_names_must_exist(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["score", "baseline:spt", "--task", "smtt", "--instances", jobs(), "--json", "--quiet"]
    monkeypatch.setenv("DISCOVER_DB", "later.sqlite")
    ended = discover(*words)
    assert ended.code == 0 and ended.data["known"] is None and not Path("later.sqlite").exists()
    named = discover(*words, "--db", "later.sqlite")
    assert named.code == 3 and "later.sqlite" in named.sentence


def test_a_refused_candidate_prints_its_object_and_ends_with_1(discover: Callable) -> None:
    Path("bad.py").write_bytes(b"x = '\xff'\n")
    ended = discover("score", "bad.py", "--task", "smtt", "--instances", jobs(), "--json", "--quiet")
    assert ended.code == 1
    assert ended.data["outcome"] == "rejected" and ended.data["score"] is None
    assert "Unicode" in ended.data["reason"] and "Unicode" in ended.sentence


def test_no_check_leaves_a_candidate_that_opens_a_socket_to_the_sandbox(discover: Callable) -> None:
    Path("odd.py").write_text(
        "import socket\n\n\ndef schedule(processing_times, due_dates):\n"
        "    socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n    return [0, 1, 2]\n"
    )
    words = ["score", "odd.py", "--task", "smtt", "--instances", jobs(), "--json", "--quiet"]
    assert "import of 'socket' is not allowed" in discover(*words).data["reason"]
    unchecked = discover(*words, "--no-check")
    assert unchecked.code == 1
    assert unchecked.data["outcome"] in ("killed", "error") and "import of" not in unchecked.data["reason"]


def test_tune_writes_one_file_and_replaces_none(discover: Callable) -> None:
    words = ["tune", "baseline:atc", "--task", "smtt", "--trials", "2", "--json", "--quiet"]
    data = discover(*words).data
    assert (
        data["file"] == "atc.tuned.py"
        and data["trials"] == 2
        and data["tuned_score"] <= data["default_score"]
    )
    text = Path("atc.tuned.py").read_text()
    assert "def schedule" in text and f"{data['parameters']['k']!r}" in text
    again = discover(*words)
    assert again.code == 2 and "--force" in again.sentence
    assert Path("atc.tuned.py").read_text() == text


def test_a_run_prints_its_object_and_makes_the_default_ledger(discover: Callable) -> None:
    ended = discover("run", "--task", "smtt", "--samples", "4", "--batch", "4", "--no-tune", "--json")
    assert ended.code == 0, ended.err
    keys = [
        "run",
        "task",
        "proposer",
        "samples",
        "evaluated",
        "valid",
        "best",
        "control",
        "tokens",
        "cost",
        "seconds",
    ]
    assert list(ended.data)[: len(keys)] == keys
    assert (
        ended.data["proposer"] == "genetic" and ended.data["samples"] == 4 and ended.data["control"] is None
    )
    assert "--model NAME" in ended.err.splitlines()[0]
    assert Path(".discover/ledger.sqlite").exists()


def test_a_ledger_that_was_named_must_have_its_folder(discover: Callable) -> None:
    ended = discover("run", "--task", "smtt", "--samples", "4", "--db", "nowhere/l.sqlite", "--quiet")
    assert ended.code == 3 and "nowhere" in ended.sentence
    assert not Path("nowhere").exists()
