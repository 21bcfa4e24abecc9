"""A whole run on a small policy task with hooks through the command line's own code, verified and repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy.desk import Desk

from discovery.cli import servers
from discovery.cli.main import main
from evaluators import registry


def discover(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json", "-q"])
    captured = capsys.readouterr()
    assert ended.value.code in (0, 1), captured.err
    told: dict[str, object] = json.loads(captured.out)
    return told


def test_a_run_on_a_policy_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elites were confirmed inside, event logs are kept, and verify replays them; workers change nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.BUILT_IN, Desk.name, "toy.desk:Desk")
    monkeypatch.setattr(servers, "PORTS", {})
    digests = set()
    for workers in ("1", "2"):
        words = ("--task", "desk", "--samples", "4", "--batch", "2", "--no-tune", "--workers", workers)
        told = discover(capsys, "run", *words)
        assert told["samples"] == 4
        with pytest.raises(SystemExit):
            main(["show", str(told["run"]), "--digest"])
        digests.add(capsys.readouterr().out)
    assert len(digests) == 1
    found = discover(capsys, "verify", str(told["run"]))
    assert found["ok"], found
