"""Evolution against its control in whole runs: what is said when either wins, when neither does, at which budget."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from toy.loop import Scripted, Toy, by_slot, density, rule

import discovery.run as engine
from discovery import review
from discovery.cli.main import main
from discovery.control import versus
from discovery.report import RunReport
from evaluators.registry import load

BAD = [rule(f"return -weights * {k}") for k in range(2, 10)]
GOOD = [density(0.9 + k / 100) for k in range(8)]
TUNABLE = rule(
    "return weights / volumes ** power",
    keywords="power=0.3",
    head='SEARCH_SPACE = {"power": {"low": 0.0, "high": 1.5}}',
)


def arms(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, main_: list[str], theirs: list[str], **more: Any
) -> RunReport:
    """A run whose two arms get replies of their own."""
    made: Iterator[Scripted] = iter([Scripted(by_slot(main_)), Scripted(by_slot(theirs))])
    monkeypatch.setattr(engine, "make_proposer", lambda *_: next(made))
    shape = {"samples": 16, "batch": 4, "trials": 4, "control": 0.5, **more}
    return toy.start(sources=("trivial",), **shape)


def test_evolution_is_better(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    report = arms(toy, monkeypatch, GOOD, BAD)
    found = report.versus
    assert found is not None and report.best.promoted and report.control is not None
    assert not report.control.best.promoted
    assert found.gain is not None and found.low is not None and found.high is not None and found.p is not None
    assert 0 < found.low <= found.gain <= found.high and found.p < 0.01
    assert found.verdict.startswith(
        f"evolution is {100 * found.gain:.1f} % better than its control (95 % interval"
    )
    assert (found.samples, found.control_samples, found.equal_budget) == (8, 8, True)
    assert "unequal" not in found.verdict
    assert found.gains is not None and found.gains["structure"] == pytest.approx(found.gains["total"])
    assert found.control_gains is not None and found.control_gains["total"] == 0


def test_the_control_is_better_and_it_is_said(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    found = arms(toy, monkeypatch, BAD, GOOD).versus
    assert found is not None and found.gain is not None and found.high is not None and found.p is not None
    assert found.gain < 0 and found.high < 0 and found.p < 0.01, "p is that of the side that is ahead"
    assert found.verdict.startswith("the control is better: evolution is ")
    assert "worse than independent attempts" in found.verdict


def test_what_cannot_be_told_apart(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    found = arms(toy, monkeypatch, [density(0.9)], [density(1.02)], samples=2, tune=False).versus
    assert found is not None and found.low is not None and found.high is not None
    assert found.low < 0 < found.high and "cannot be told apart" in found.verdict


@pytest.mark.parametrize(
    "replies, said",
    [
        (BAD, "neither evolution nor its control found anything that passed the gate"),
        (GOOD[:1], "ended with the same rule, so evolution gained nothing"),
    ],
)
def test_both_arms_end_with_the_same(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, replies: list[str], said: str
) -> None:
    found = arms(toy, monkeypatch, replies, replies, samples=2).versus
    assert found is not None and said in found.verdict and found.gain == 0


def test_an_unequal_budget_is_named(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    found = arms(toy, monkeypatch, GOOD, BAD, control=0.25).versus
    assert found is not None and not found.equal_budget
    assert found.verdict.endswith("; the budgets are unequal: 12 samples against 4 of the control")


def test_the_control_is_tuned_and_gated_alike(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Structure and tuning are told apart for both arms."""
    shape: dict[str, Any] = {"samples": 8, "trials": 8}
    report = arms(toy, monkeypatch, [density(0.9), *BAD[:3]], [TUNABLE, *BAD[:3]], **shape)
    assert report.versus is not None and report.control is not None and report.control.best.promoted
    ours, theirs = report.versus.gains, report.versus.control_gains
    assert ours is not None and theirs is not None
    assert ours["tuning_steps"] == 0 and theirs["tuning_steps"] == 1
    assert float(str(theirs["tuning"])) > 0 and float(str(theirs["structure"])) != 0
    with toy.ledger() as ledger:
        assert len(ledger.studies(report.control.run)) == 1 and ledger.looks(report.control.run)


def test_it_stands_wherever_the_run_is_told(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = itertools.cycle([Scripted(by_slot(BAD)), Scripted(by_slot(GOOD))])
    monkeypatch.setattr(engine, "make_proposer", lambda *_: next(made))
    db = ("--db", str(toy.folder / "l.sqlite"))
    shape = "--samples 16 --batch 4 --trials 4 --control 0.5 --executor inline --quiet --from trivial".split()

    def said(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*words, *db])
        captured = capsys.readouterr()
        assert not ended.value.code, captured.err
        return captured.out

    out = said("run", "--task", "knapsack", *shape)
    run = out.split()[1].rstrip(",")
    shown, reported = said("show", run), said("report", run, "--quiet")
    for text in (out, shown, reported):
        assert "the control is better: evolution is " in text
        assert "On search the control gained +" in text and "from structure +" in text
    assert "optimism of the selection" in reported
    data = json.loads(said("resume", run, "--json", "--quiet"))
    seen = json.loads(said("show", run, "--json"))
    final = json.loads(said("report", run, "--json", "--quiet"))
    assert data["control"]["versus"] == seen["against_control"] == final["control"]
    for row in final["optimism"]:
        assert row["role"] == "control" and row["search_minus_gate"] == pytest.approx(
            row["search"] - row["gate"]
        )
        assert row["gate_minus_final"] == pytest.approx(row["gate"] - row["final"])
        scores = {s["role"]: s for s in final["scores"]}
        ours, seed = scores["control"]["gate"], scores["seed"]["gate"]
        assert row["gate"] == pytest.approx((ours - seed) / seed), "the toy task is maximised"
    assert len(final["optimism"]) == 1


def test_a_control_that_is_not_finished_may_still_change(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    report = arms(toy, monkeypatch, GOOD, BAD)
    with toy.ledger() as ledger:
        assert report.control is not None
        ledger.set_status(report.control.run, "interrupted", "stopped by the user")
        found = versus(ledger, load("knapsack", {"gate": "fixed"}), report.run)
        assert found is not None and found.verdict.endswith("is interrupted, so this may still change")
        assert review.summary(ledger, report.control.run).to_json()["against_control"] is None
        assert versus(ledger, load("knapsack", {"gate": "fixed"}), report.control.run) is None
