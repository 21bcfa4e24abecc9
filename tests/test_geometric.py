"""A task whose scores are ratios, through a whole run: all scores that are told are geometric means, and all tests are
those of logarithms."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from scipy import stats
from toy.ratios import Ratios

from db.ledger import Ledger
from discovery.cli import servers
from discovery.cli.main import main
from discovery.gate import paired_look
from discovery.review.stored import class_means
from discovery.statistics import paired_test
from evaluators import registry
from evaluators.task import Task, TaskError, aggregate, mean_of

TASK = Ratios({})


def discover(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json", "-q"])
    captured = capsys.readouterr()
    assert ended.value.code in (0, 1), captured.err
    told: dict[str, object] = json.loads(captured.out)
    return told


def test_a_whole_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.BUILT_IN, Ratios.name, "toy.ratios:Ratios")
    monkeypatch.setattr(servers, "PORTS", {})
    told = discover(capsys, "run", "--task", "ratios", "--samples", "16", "--seed", "4", "--workers", "1")
    run = str(told["run"])
    search = TASK.instances("search")
    groups = [i.group for i in search]
    with Ledger.open(f"sqlite:///{next(tmp_path.rglob('*.sqlite'))}") as ledger:
        record = ledger.run(run)
        scored = [e for e in ledger.entries(run) if e.score is not None]
        assert len({e.score for e in scored}) > 2
        for entry in scored:
            assert entry.candidate is not None
            kept = ledger.evaluation(entry.candidate, search.digest, TASK.version, record.isolated)
            assert kept is not None
            classes = [
                [s for s, g in zip(kept.scores, groups, strict=True) if g == c] for c in ("even", "wild")
            ]
            assert entry.score == pytest.approx(stats.gmean([stats.gmean(c) for c in classes]))
            assert class_means(search, kept.scores, "geometric") == pytest.approx(
                {"even": stats.gmean(classes[0]), "wild": stats.gmean(classes[1])}
            )
        (look, *_) = ledger.looks(run)
        assert look.passed and look.effect > 0.1
    found = discover(capsys, "verify", run)
    assert found["ok"], found
    report = discover(capsys, "report", run)
    rows = {(r["split"], r["role"], r["size"]): r["score"] for r in report["times"]}  # type: ignore[attr-defined]
    whole = {r["role"]: r["final"] for r in report["scores"]}  # type: ignore[attr-defined]
    compared = next(c for c in report["comparisons"] if (c["split"], c["a"]) == ("final", "champion"))  # type: ignore[attr-defined]
    assert whole["seed"] == pytest.approx(rows["final", "seed", 12]), "classes are equally large"
    assert compared["gain"] == pytest.approx(whole["champion"] / whole["seed"] - 1)


def test_the_gate_compares_logarithms() -> None:
    """On the fast class a little is lost, on the slow one much is won: only the logarithms see it."""
    block = TASK.gate(0)
    seed = [1.0 if i.group == "wild" else 80.0 for i in block]
    better = [1.5 if i.group == "wild" else 76.0 for i in block]
    found = paired_look(1, 1, TASK, block, better, seed)
    assert found.p < 0.01 and found.effect == pytest.approx(math.sqrt(1.5 * 76 / 80) - 1)
    plain = paired_test(better, seed, [i.group for i in block], "maximize", 1)
    assert plain.p > 0.9 and aggregate(block.instances, better) < aggregate(block.instances, seed)


def test_a_mean_that_there_is_not(knapsack: Task) -> None:
    assert mean_of(TASK) == "geometric" and mean_of(knapsack) == "arithmetic"

    class Harmonic(Ratios):
        mean = "harmonic"  # type: ignore[assignment]

    with pytest.raises(TaskError, match="declares the mean 'harmonic'; expected arithmetic or geometric"):
        mean_of(Harmonic({}))


def test_a_run_ends_with_a_sentence_where_a_score_has_no_logarithm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.BUILT_IN, Ratios.name, "toy.ratios:Ratios")
    monkeypatch.setattr(Ratios, "measure", lambda *_: 0.0)
    monkeypatch.setattr(Ratios, "reference", lambda *_: 1.0)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--task", "ratios", "--samples", "2", "--workers", "1", "-q"])
    assert ended.value.code == 2 and "this is a mistake of the task" in capsys.readouterr().err
