"""Scoring, tuning and baselines outside any run: always run, nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from toy.loop import Kept, Scripted, Toy, by_slot, density, rule
from toy.task import Knapsack

from discovery import scoring
from discovery.candidate import check
from discovery.errors import NothingValid, UsageError
from discovery.execution.base import Executor
from discovery.scoring import baseline_code, baselines_report, score_text
from discovery.study import tune_text
from evaluators.task import Instance, InstanceSet, Judgement, ShippedScore, aggregate

TASK = Knapsack({})
SEARCH = TASK.instances("search")
TUNABLE = rule(
    "return weights / volumes ** power",
    keywords="power=0.1, fixed=2",
    head='SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}',
)


@pytest.fixture(autouse=True)
def _warm(bag_executor: Executor, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(scoring, "make_executor", lambda *_, **__: Kept(bag_executor))
    yield


def test_a_score_and_its_object() -> None:
    report = score_text(density(1.0), TASK, SEARCH)
    assert report.outcome == "scored" and report.isolated and report.known is None
    assert report.score == aggregate(SEARCH.instances, [score for _, score, _, _ in report.rows])
    data = report.to_json()
    assert {k: data[k] for k in ("task", "split", "direction", "unit", "reason", "baseline")} == {
        "task": "knapsack", "split": "search", "direction": "maximize", "unit": "% of the optimum", "reason": "",
        "baseline": None,
    }  # fmt: skip
    rows = data["instances"]
    assert isinstance(rows, list) and [r["id"] for r in rows] == [i.id for i in SEARCH]
    assert all(isinstance(r["value"], int) and r["reference_kind"] == "proved optimum" for r in rows)
    assert data["reference_kinds"] == {"proved optimum": 24} and data["figures"] == {
        "share optimal": pytest.approx(100 * sum(r["value"] == r["reference"] for r in rows) / 24)
    }


@pytest.mark.parametrize(
    ("code", "outcome", "said"),
    [
        ("def rank(:", "rejected", "syntax error"),
        (rule("import os; return weights"), "rejected", "import of 'os'"),
        (rule("return weights[:1]"), "error", "finite numbers"),
    ],
)
def test_a_refused_candidate_is_still_a_report(code: str, outcome: str, said: str) -> None:
    report = score_text(code, TASK, SEARCH)
    assert (report.outcome, report.score, report.rows, report.figures) == (outcome, None, (), ())
    assert said in report.reason and report.to_json()["score"] is None


def test_without_the_check_the_sandbox_decides() -> None:
    found = score_text(rule("import os; return weights"), TASK, SEARCH, check_first=False)
    assert found.outcome != "rejected" or "import of" not in found.reason
    assert score_text("def rank(:", TASK, SEARCH, check_first=False).outcome == "error"


def test_parameters_are_checked_and_used() -> None:
    given = score_text(TUNABLE, TASK, SEARCH, parameters={"power": 1.0})
    assert (
        given.score == score_text(density(1.0), TASK, SEARCH).score != score_text(TUNABLE, TASK, SEARCH).score
    )
    with pytest.raises(UsageError, match="no parameter 'p'; it has: power, fixed"):
        score_text(TUNABLE, TASK, SEARCH, parameters={"p": 1.0})
    with pytest.raises(UsageError, match="the parameter power is a number, not 'x'"):
        score_text(TUNABLE, TASK, SEARCH, parameters={"power": "x"})
    with pytest.raises(UsageError, match="has no parameter 'power'; it has: none"):
        score_text(density(1.0), TASK, SEARCH, parameters={"power": 1.0})


def test_known_code_is_named_and_run_all_the_same(toy: Toy) -> None:
    toy.propose(Scripted(by_slot([density(0.7)])))
    toy.start(samples=1, tune=False)
    db = str(toy.folder / "ledger.sqlite")
    size = Path(db).read_bytes()
    report = score_text("# mine\n" + density(0.7), TASK, SEARCH, ledger_url=db)
    assert report.known == check(density(0.7), TASK.interface).hash and report.outcome == "scored"
    assert score_text(density(0.123), TASK, SEARCH, ledger_url=db).known is None
    assert Path(db).read_bytes() == size, "nothing is written"


def test_own_instances_are_measured_against_the_best_baseline(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("a 10 5:5 9:6 5:5\nb 7 3:4 2:4 1:3\nc 10 9:6 5:5 5:5\n")
    told: list[str] = []
    report = score_text(density(1.0), TASK, TASK.read(path), progress=told.append)
    rows = {i.id: (value, i.reference, i.reference_kind) for i, _, value, _ in report.rows}
    assert rows == {"a": (9.0, 10.0, "baseline"), "b": (4.0, 4.0, "baseline"), "c": (9.0, 9.0, "baseline")}
    assert report.score == pytest.approx(290 / 3) and report.baseline is not None
    assert report.baseline[0] in TASK.baselines() and len(told) == 4
    assert report.to_json()["reference_kinds"] == {"baseline": 3}
    better = score_text(rule("return -weights"), TASK, TASK.read(path))
    assert (better.outcome, better.rows[2][2]) == ("scored", 10.0), "a baseline's value is no proof"


OWN = InstanceSet("search", SEARCH.instances[:6])
"""A file of the user's with the name of a split, optima known."""


def test_a_file_named_like_a_split_is_measured_against_live_baselines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = {"density": ShippedScore({"search": 50.0}, {}, {})}
    monkeypatch.setattr(Knapsack, "shipped_scores", lambda _: shipped)
    live = {n: score_text(baseline_code(TASK, n), TASK, OWN).score for n in ("density", "heaviest")}
    best = max(live, key=lambda n: live[n] or 0)
    report = score_text(density(0.3), TASK, OWN, own=True)
    assert report.baseline == (best, live[best]) and report.outcome == "scored"
    assert {kind for *_, kind in ((i.reference_kind,) for i, *_ in report.rows)} == {"proved optimum"}
    assert score_text(density(0.3), TASK, SEARCH).baseline == ("density", 50.0)
    assert score_text("def rank(:", TASK, OWN, own=True).baseline is None


def test_slow_baselines_are_left_out_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = "for _ in range(300_000): pass\n    return weights / volumes"
    codes = {n: rule("return weights" if n == "heaviest" else slow) for n in TASK.baselines()}
    monkeypatch.setattr(scoring, "baseline_code", lambda _, name: codes[name])
    monkeypatch.setattr(scoring, "LIVE_SECONDS", 0.0)
    told: list[str] = []
    report = score_text(density(1.0), TASK, OWN, own=True, progress=told.append)
    assert report.baseline is not None and report.baseline[0] == "heaviest"
    assert told[0] == "baseline heaviest on 6 instances" and len(told) == 2
    assert told[1].startswith("left out") and all(n in told[1] for n in ("density", "random", "trivial"))


def test_when_no_baseline_answers_nothing_can_be_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("a 10 9:6\n")
    monkeypatch.setattr(scoring, "baseline_code", lambda *_: rule("return []"))
    with pytest.raises(NothingValid, match="no baseline gave an answer"):
        score_text(density(1.0), TASK, TASK.read(path))


def test_progress_is_told_for_long_sets_only() -> None:
    told: list[str] = []
    score_text(density(1.0), TASK, SEARCH, progress=told.append)
    assert told == []
    monkey = pytest.MonkeyPatch()
    monkey.setattr(scoring, "CHUNK", 10)
    score_text(density(1.0), TASK, SEARCH, progress=told.append)
    monkey.undo()
    assert told == ["10/24 instances", "20/24 instances"]


def test_tuning_writes_better_defaults_into_the_text() -> None:
    report = tune_text(TUNABLE, TASK, trials=8, seed=1)
    assert report.default_score == score_text(TUNABLE, TASK, SEARCH).score
    assert report.tuned_score > report.default_score and report.trials == 8
    assert score_text(report.code, TASK, SEARCH).score == report.tuned_score
    assert report.code == TUNABLE.replace("power=0.1", f"power={report.parameters['power']!r}")
    assert tune_text(TUNABLE, TASK, trials=8, seed=1) == report


def test_tuning_that_finds_nothing_gives_the_text_back() -> None:
    only = '{"power": {"low": 1.0, "high": 1.0}}'
    best = rule("return weights / volumes ** power", keywords="power=1.0", head=f"SEARCH_SPACE = {only}")
    report = tune_text(best, TASK, trials=2, seed=1)
    assert report.code == best and report.tuned_score == report.default_score


def test_trial_0_is_the_candidate_to_the_letter() -> None:
    """Rounded to four digits the first number would score otherwise; and the text keeps the way it was written."""
    text = rule(
        "return weights / volumes if power == 0.123456789 and whole.__class__ is int else -weights",
        keywords="power=0.123_456_789, whole=2",
        head='SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}, "whole": {"low": 1.0, "high": 3.0}}',
    )
    report = tune_text(text, TASK, trials=3, seed=1)
    assert report.default_score == report.tuned_score == score_text(text, TASK, SEARCH).score
    assert report.code == text and report.parameters == {"power": 0.123456789, "whole": 2}


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("def rank(:", UsageError, "is not a candidate for task 'knapsack'"),
        (density(1.0), UsageError, "declares no SEARCH_SPACE"),
        (TUNABLE.replace("weights / volumes", "[1] + 0 * weights[:1]"), NothingValid, "with its own"),
    ],
)
def test_what_cannot_be_tuned(code: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        tune_text(code, TASK, trials=3, seed=1)


def test_baselines_run_anew() -> None:
    found = baselines_report(TASK, "search")
    assert set(found) == {"density", "heaviest", "random", "trivial"} and all(
        t is None for _, t in found.values()
    )
    ranked = sorted(found, key=lambda n: -(found[n][0] or 0))
    assert ranked[:2] == ["density", "heaviest"]


def test_reference_policies_run_anew_where_the_task_can_score_them() -> None:
    class Shown(Knapsack):
        def policy(self, name: str, instance: Instance) -> Judgement:
            assert name == "all-subsets"
            return Judgement(instance.reference or 0.0, 100.0 if instance.group == "even" else 90.0)

    said: list[str] = []
    found = baselines_report(Shown({}), "search", progress=said.append)
    assert found["all-subsets"] == (pytest.approx((100 + 90 + 90) / 3), None)
    assert said[-1] == "running all-subsets" and {n: s for n, s in found.items() if n != "all-subsets"} == (
        baselines_report(TASK, "search")
    )
