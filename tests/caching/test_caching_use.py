"""The task in use: own traces through the command line, what an export asks, and a run from start to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from discovery.candidate import check
from discovery.cli.main import main
from discovery.errors import NothingValid
from discovery.execution.make import make_executor
from discovery.plugins.rehearsal import calls
from discovery.seeds import baseline_code
from evaluators.registry import load

TRACE = "id,time,page\nmon,0,a\nmon,1,b\nmon,2,a\nmon,3,c\nmon,4,b\ntue,0,a\n"


def discover(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "discovery.cli", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_own_traces_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trace.csv").write_text(TRACE)
    words = ["score", "baseline:mru", "--task", "cache-eviction", "--instances", "trace.csv", "--json"]
    with pytest.raises(SystemExit, match="0"):
        main([*words, "--option", "capacity=2"])
    found = json.loads(capsys.readouterr().out)
    rows = [(i["id"], i["value"], i["reference"], i["reference_kind"]) for i in found["instances"]]
    assert rows == [("mon", 3, 3.0, "proved optimum"), ("tue", 1, 1.0, "proved optimum")]
    assert found["score"] == 0 and found["isolated"] is True
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--option", "capacity=none"])
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "from 1 to 4096" in said


def test_a_package_holds_calls_of_a_policy_without_a_memory_only() -> None:
    """A package is one function for any number of caches, and its golden tests ask in any order."""
    task = load("cache-eviction")
    executor = make_executor(task, "inline", 1)
    try:
        found = calls(check(baseline_code(task, "lru-2"), task.interface), task, executor, arrays=True)
        assert len(found) >= 4 and all(
            c.result == [a + b for a, b in zip(c.arguments[0], c.arguments[3], strict=True)] for c in found
        )
        with pytest.raises(NothingValid, match="asked the same again it answers otherwise"):
            calls(check(baseline_code(task, "arc-like"), task.interface), task, executor, arrays=True)
    finally:
        executor.close()


@pytest.mark.campaign
def test_a_run_ends_and_verify_replays_its_event_logs(tmp_path: Path) -> None:
    words = ("run", "--task", "cache-eviction", "--samples", "4", "--batch", "2", "--no-tune", "--json", "-q")
    ended = discover(tmp_path, *words)
    assert ended.returncode in (0, 1), ended.stderr
    told = json.loads(ended.stdout)
    assert told["samples"] == 4 and told["best"]["score"] <= 31.2
    verified = discover(tmp_path, "verify", told["run"], "--json", "-q")
    assert verified.returncode == 0 and json.loads(verified.stdout)["ok"], verified.stdout + verified.stderr
