"""``explain`` through the real command line, to the sandbox and back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from db.ledger import Ledger
from discovery.mock_llm import MockServer
from discovery.proposers.base import Reply
from discovery.proposers.chat import ChatProposer

RULE = """import numpy as np

SEARCH_SPACE = {"power": {"low": 0.5, "high": 2.0}}


def rank(weights, volumes, capacity, *, power=1.0):
    return weights / volumes**power + 17
"""
HOSTILE = "fine\x1b[2J\u202e words"
KEYS = {"candidate", "run", "task", "direction", "unit", "nodes", "score", "isolated", "looks", "ablation",
        "simplification", "sensitivity", "classes", "interrupted", "notes", "words", "file"}  # fmt: skip
FILE = ("explain", "rule.py", "--task", "knapsack", "--option", "gate=pool")


@pytest.fixture(autouse=True)
def rule(discover: Callable, installed: Path) -> None:  # noqa: ARG001 - the folder, and the task
    Path("rule.py").write_text(RULE)


def test_a_file_is_explained_simplified_and_submitted(discover: Callable) -> None:
    ran = discover(
        "run", "--task", "knapsack", "--option", "gate=pool", "--samples", "4", "--batch", "4", "--quiet"
    )
    assert ran.code == 0
    (run,) = discover("runs", "--json").data["runs"]
    ended = discover(*FILE, "--out", "small.py", "--json")
    assert ended.code == 0 and set(ended.data) == KEYS
    data = ended.data
    assert {v["verdict"] for v in data["ablation"]["variants"]} >= {"removable"}
    dead = next(v for v in data["ablation"]["variants"] if v["before"].endswith("+ 17") and "/" in v["after"])
    assert (
        dead["verdict"] == "removable" and dead["gain"] == 0.0 and dead["p_adjusted"] < data["looks"]["level"]
    )
    assert data["simplification"]["confirmed"] and data["file"] == "small.py"
    assert len(data["looks"]["blocks"]) == 2 and data["looks"]["recorded"] is True
    assert "explanation 1 of this candidate opens blocks" in ended.err.splitlines()[0]
    with Ledger.open(".discover/ledger.sqlite") as ledger:
        assert ledger.count_events(None, "explained") == 1
    text = Path("small.py").read_text()
    assert "17" not in text and text == data["simplification"]["code"]
    handed = discover("submit", "small.py", "--run", run["run"], "--json", "--quiet")
    assert handed.code == 0 and handed.data["candidate"] == data["simplification"]["candidate"]
    of_ledger = discover("explain", handed.data["candidate"][:8], "--limit", "1", "--quiet")
    assert of_ledger.code == 0 and "removable: no worse than 0.5 %" in of_ledger.out
    with Ledger.open(".discover/ledger.sqlite") as ledger:
        assert ledger.count_events(run["run"], "explained") == 1


def test_people_read_what_it_means(discover: Callable) -> None:
    ended = discover(*FILE, "--quiet")
    assert ended.code == 0 and ended.err == ""
    for words in ("after Holm's correction", "removable", "Simplified from", "confirmed on gate-", "PED-ANOVA",
                  "note: there is no ledger"):  # fmt: skip
        assert words in ended.out
    assert not Path(".discover").exists(), "explaining makes no ledger"


@pytest.mark.parametrize(
    "words, code, names",
    [
        (["rule.py"], 2, "--task"),
        (["baseline:density"], 2, "--task"),
        (["abcdef12"], 3, "ledger"),
        (["rule.py", "--task", "nope"], 2, "known tasks"),
        (["gone.py", "--task", "knapsack"], 2, "gone.py"),
        (["baseline:gone", "--task", "knapsack"], 2, "no baseline"),
        (["rule.py", "--task", "knapsack", "--limit", "0"], 2, "--limit"),
        (["rule.py", "--task", "knapsack", "--out", "rule.py"], 2, "--force"),
        (["rule.py", "--task", "knapsack", "--out", "no/where.py"], 2, "folder"),
        (["rule.py", "--task", "knapsack", "--db", "gone.sqlite"], 3, "gone.sqlite"),
        (["rule.py", "--task", "knapsack", "--model", "m", "--base-url", "ftp://x"], 2, "ftp://x"),
    ],
)
def test_mistakes_are_one_sentence(discover: Callable, words: list[str], code: int, names: str) -> None:
    ended = discover("explain", *words)
    assert ended.code == code and names in ended.sentence


def test_a_rule_that_fails_is_no_crash(discover: Callable) -> None:
    Path("bad.py").write_text("def rank(weights, volumes, capacity):\n    return 1 / 0\n")
    ended = discover("explain", "bad.py", "--task", "knapsack", "--quiet")
    assert ended.code == 1 and "ZeroDivisionError" in ended.sentence
    Path("bad.py").write_text("import os\n")
    assert discover("explain", "bad.py", "--task", "knapsack").code == 2


def test_out_says_why_nothing_was_written(discover: Callable) -> None:
    Path("lean.py").write_text("def rank(weights, volumes, capacity):\n    return weights / volumes\n")
    ended = discover("explain", "lean.py", "--task", "knapsack", "--out", "leaner.py", "--quiet", "--json")
    assert ended.code == 1 and "no removal is harmless" in ended.sentence and not Path("leaner.py").exists()
    assert ended.data["simplification"] is None and ended.data["file"] is None


def test_a_model_speaks_only_when_asked_and_is_marked(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask(self: ChatProposer, request: object, messages: tuple) -> Reply:  # noqa: ARG001
        asked.append(messages[1].content)
        return Reply(HOSTILE, "m\x1b", 10, 5, 0.0)

    monkeypatch.setattr(ChatProposer, "ask", ask)
    monkeypatch.setenv("DISCOVER_MODEL", "configured")
    small = (*FILE, "--limit", "1")
    assert discover(*small, "--quiet", "--json").data["words"] is None and not asked, (
        "a setting is not enough"
    )
    local = ("--model", "m", "--base-url", "http://127.0.0.1:9/v1")
    ended = discover(*small, *local)
    assert ended.code == 0 and "which nobody checked and nothing uses" in ended.out
    assert "\x1b" not in ended.out and "\u202e" not in ended.out and "fine\\x1b[2J\\u202e words" in ended.out
    assert "at most" in ended.err and "tokens" in ended.err, "told before it is spent"
    assert "weights / volumes" in asked[0] and '"verdict"' in asked[0]
    data = discover(*small, *local, "--quiet", "--json").data
    assert data["words"] == {"model": "m\x1b", "text": HOSTILE.strip(), "tokens": 15, "cost": 0.0}


def test_a_model_that_fails_is_one_sentence_after_the_facts(discover: Callable) -> None:
    with MockServer(fail={"filter": 1.0}) as server:
        ended = discover(*FILE, "--limit", "1", "--quiet", "--model", "mock", "--base-url", server.base_url)
    assert ended.code == 1 and "removable:" in ended.out
    assert "gave no explanation" in ended.err and "Traceback" not in ended.err


def test_ctrl_c_tells_what_is_there(tmp_path: Path) -> None:
    words = ["explain", "baseline:atc", "--task", "smtt", "--json"]
    script = f"from discovery.cli.main import main; main({words})"
    started = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert started.stderr is not None
    for line in started.stderr:
        if line.startswith("ablation 2/"):
            started.send_signal(signal.SIGINT)
            break
    out, err = started.communicate(timeout=120)
    assert started.returncode == 130 and "Traceback" not in err, err
    data = json.loads(out)
    assert (
        data["interrupted"] is True and 2 <= len(data["ablation"]["variants"]) < data["ablation"]["possible"]
    )
    assert data["sensitivity"] is None
