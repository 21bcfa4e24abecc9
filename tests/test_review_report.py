"""The report: who is measured, what is compared, and that each opening of the final split counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import review_samples as samples
from review_samples import CHAMPION, EDD, MDD, RUN, TASK

from db.ledger import Ledger
from discovery import review
from discovery.errors import UsageError
from discovery.execution.base import StageJob, StageResult
from discovery.pace import Paced, processor_time, told
from discovery.review import final
from discovery.sandbox.base import SandboxUnavailable
from evaluators import registry
from evaluators.task import Instance, InstanceSet, ShippedScore, aggregate

SHIPPED = {"edd": ShippedScore({"search": 8.0, "gate": 7.0}, {}, {})}
FINAL = TASK.instances("final")


class Scripted:
    """An executor that scores each instance by a table of rules: code → score of every instance, or an outcome."""

    name, workers, isolated, layers = "scripted", 2, True, {}

    def __init__(self, table: dict[str, float | str]) -> None:
        self.table, self.jobs, self.closed = table, [], False

    def submit(self, job: StageJob) -> Future[StageResult]:
        assert not self.closed
        self.jobs.append(job)
        found, m = self.table[job.code], len(job.instances)
        future: Future[StageResult] = Future()
        if isinstance(found, str):
            future.set_result(StageResult(found, f"{found} on purpose", (), (), (0.5,)))  # type: ignore[arg-type]
            return future
        scores = tuple(found + 0.01 * (int(i.size) % 7) for i in job.instances)
        for n in range(m):
            assert job.watch is not None and job.watch.stop(scores[: n + 1], m) is False
        values = tuple((i.reference or 0.0) + 1 for i in job.instances)
        future.set_result(StageResult("scored", "", scores, values, (0.01,) * m, (b"",) * m))
        return future

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "l.sqlite") as opened:
        yield opened


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted({CHAMPION.code: 2.0, MDD.code: 4.0, EDD.code: 8.0, samples.PARENT.code: 3.0})
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    monkeypatch.setattr(samples.Small, "shipped", SHIPPED)
    monkeypatch.setattr(final, "make_executor", lambda *_, **__: made)
    return made


def rows(data: dict[str, Any], **wanted: object) -> list[dict[str, Any]]:
    found = data["comparisons"] if "a" in wanted or "b" in wanted else data["scores"]
    return [r for r in found if all(r[k] == v for k, v in wanted.items())]


def test_report_of_a_promoted_run(ledger: Ledger, executor: Scripted) -> None:
    samples.filled(ledger)
    data = review.report(ledger, RUN).to_json()
    json.dumps(data, allow_nan=False)
    assert list(data) == [
        "run", "task", "status", "direction", "unit", "evaluator_version", "isolated", "promoted", "look",
        "final_openings", "verdict", "scores", "optimism", "control", "comparisons", "figures", "times", "notes",
    ]  # fmt: skip
    assert samples.undocumented("report RUN", data) == []
    assert (data["promoted"], data["look"], data["final_openings"]) == (True, 2, 1)
    assert [(s["role"], s["name"]) for s in data["scores"]] == [
        ("champion", CHAMPION.hash[:8]), ("seed", "mdd"), ("baseline", "edd"),
    ]  # fmt: skip
    champion, seed, baseline = data["scores"]
    assert champion["search"] == samples.score(CHAMPION) and seed["search"] == samples.score(MDD)
    assert baseline["gate"] == 7.0 and baseline["outcomes"]["gate"] == "shipped"
    assert 2 < champion["final"] < 2.1 < 4 < seed["final"] < 4.1 < 8 < baseline["final"]
    assert data["notes"] == ["no control was run beside this run"]
    assert executor.closed


@pytest.mark.usefixtures("executor")
def test_gains_are_over_the_best_seed_and_positive_when_better(ledger: Ledger) -> None:
    samples.filled(ledger)
    data = review.report(ledger, RUN).to_json()
    for split in ("gate", "final"):
        (better,) = rows(data, split=split, a="champion", b="seed")
        assert 0.49 < better["low"] <= better["gain"] <= better["high"] < 0.51 and better["p"] < 1e-4
        (over_baseline,) = rows(data, split=split, a="champion", b="baseline")
        assert over_baseline["gain"] > 0.7
    (worse,) = rows(data, split="final", a="baseline", b="seed")
    assert worse["gain"] < -0.9 and worse["p"] == 1.0
    (shipped,) = rows(data, split="gate", a="baseline", b="seed")
    assert shipped["gain"] < 0 and shipped["low"] is shipped["p"] is None
    assert "49.8 % better than the best seed, mdd" in data["verdict"]


@pytest.mark.usefixtures("executor")
def test_figures_and_times_of_each_side(ledger: Ledger) -> None:
    samples.filled(ledger)
    data = review.report(ledger, RUN).to_json()
    everything = {(s, r) for s in ("search", "gate", "final") for r in ("champion", "seed", "baseline")}
    assert {(f["split"], f["role"]) for f in data["figures"]} == everything - {("gate", "baseline")}
    times = [t for t in data["times"] if t["split"] == "final" and t["role"] == "champion"]
    assert [t["size"] for t in times] == sorted({i.size for i in FINAL})
    assert sum(t["instances"] for t in times) == len(FINAL)
    assert all(
        t["seconds"] == pytest.approx(0.01) and t["slowest"] == 0.01 and t["limit"] >= 0.25 for t in times
    )


def test_each_opening_is_an_event_before_anything_runs_and_is_counted(
    ledger: Ledger, executor: Scripted
) -> None:
    samples.filled(ledger)
    samples.seeded(ledger, "r-other")
    assert review.report(ledger, RUN).to_json()["final_openings"] == 1
    ran = len(executor.jobs)
    executor.closed = False
    assert review.report(ledger, RUN).to_json()["final_openings"] == 2
    assert len(executor.jobs) == ran, "what is stored is not run again"
    executor.closed = False
    assert review.report(ledger, "r-other").to_json()["final_openings"] == 3
    first = ledger.events(RUN, "report_opened")[0].data
    assert first["task"] == "small" and first["set"] == FINAL.digest
    assert first["candidates"] == sorted([CHAMPION.hash, MDD.hash, EDD.hash])
    assert review.summary(ledger, RUN).to_json()["final_openings"] == 2


def test_an_opening_counts_even_if_the_report_breaks_off(ledger: Ledger, executor: Scripted) -> None:
    samples.filled(ledger)
    run = executor.submit

    def breaks(job: StageJob) -> Future[StageResult]:
        if job.instances.instances[0] in FINAL.instances:
            assert ledger.count_events(RUN, "report_opened") == 1
            raise KeyboardInterrupt
        return run(job)

    executor.submit = breaks  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        review.report(ledger, RUN)
    assert executor.closed and ledger.count_events(RUN, "report_opened") == 1


@pytest.mark.usefixtures("executor")
def test_a_machine_that_cannot_isolate_opens_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise SandboxUnavailable("no Landlock")

    samples.filled(ledger)
    monkeypatch.setattr(final, "make_executor", fails)
    with pytest.raises(SandboxUnavailable):
        review.report(ledger, RUN)
    assert ledger.count_events(RUN, "report_opened") == 0


@pytest.mark.usefixtures("executor")
def test_a_run_without_promotions_reports_its_best_seed(ledger: Ledger) -> None:
    samples.seeded(ledger)
    ledger.set_status(RUN, "interrupted", "stopped by the user")
    data = review.report(ledger, RUN).to_json()
    assert [s["role"] for s in data["scores"]] == ["seed", "baseline"]
    assert data["promoted"] is False and data["look"] is None
    assert data["verdict"] == "no candidate passed the gate: nothing beat the best seed, mdd"
    assert any("is interrupted" in note for note in data["notes"])
    assert {(c["a"], c["b"]) for c in data["comparisons"]} == {("baseline", "seed")}


@pytest.mark.usefixtures("executor")
def test_a_run_without_seeds_cannot_be_reported(ledger: Ledger) -> None:
    ledger.create_run(samples.run_record())
    with pytest.raises(UsageError, match="no scored seeds yet"):
        review.report(ledger, RUN)
    assert ledger.count_events(RUN, "report_opened") == 0


@pytest.mark.usefixtures("executor")
def test_the_control_stands_beside_the_run(ledger: Ledger) -> None:
    samples.filled(ledger)
    samples.seeded(ledger, samples.CONTROL, control_of=RUN)
    data = review.report(ledger, RUN).to_json()
    (control,) = rows(data, role="control")
    assert control["name"] == "mdd"
    assert rows(data, split="final", a="champion", b="control")[0]["gain"] > 0
    assert rows(data, a="control", b="seed") == [], "the same code is not compared with itself"
    assert any("its budget is not spent" in note for note in data["notes"])


def test_a_failure_on_final_is_told_with_its_reason(ledger: Ledger, executor: Scripted) -> None:
    samples.filled(ledger)
    samples.store(ledger, CHAMPION, [2.0] * 40, instances=TASK.instances("gate"))
    executor.table[CHAMPION.code] = "timeout"
    data = review.report(ledger, RUN).to_json()
    (champion,) = rows(data, role="champion")
    assert champion["final"] is None and champion["outcomes"]["final"] == "timeout"
    assert champion["reasons"] == {"final": "timeout on purpose"}
    assert "no final score: it ended as timeout" in data["verdict"]
    (row,) = rows(data, split="final", a="champion", b="seed")
    assert row["gain"] is row["p"] is None


@pytest.mark.usefixtures("executor")
def test_a_slow_baseline_is_not_run_on_final_and_a_note_says_so(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(final, "TOO_SLOW", 0.01)
    samples.filled(ledger)
    data = review.report(ledger, RUN).to_json()
    (baseline,) = rows(data, role="baseline")
    assert baseline["final"] is None and baseline["outcomes"]["final"] == "not run"
    assert any("edd was not run on the final split" in note for note in data["notes"])
    assert EDD.hash not in ledger.events(RUN, "report_opened")[0].data["candidates"]
    (champion,) = rows(data, role="champion")
    assert champion["final"] is not None, "only baselines are left out"


def test_a_baseline_that_is_best_tuned_runs_with_its_tuned_defaults(
    ledger: Ledger, executor: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from evaluators.task import Baseline

    path = tmp_path / "rule.py"
    path.write_text(samples.rule(3.25).code)
    tuned = samples.rule(0.25)
    monkeypatch.setattr(
        samples.Small, "baselines", lambda _: {"rule": Baseline("rule", "baseline", "", path)}
    )
    shipped = {"rule": ShippedScore({"search": 5.0}, {"search": 3.0, "gate": 2.5}, {"w": 0.25})}
    monkeypatch.setattr(samples.Small, "shipped", shipped)
    executor.table[tuned.code] = 3.0
    samples.filled(ledger)
    (baseline,) = rows(review.report(ledger, RUN).to_json(), role="baseline")
    assert (baseline["name"], baseline["candidate"], baseline["gate"]) == ("rule (tuned)", tuned.hash, 2.5)


@pytest.mark.usefixtures("executor")
def test_without_shipped_scores_there_is_no_baseline_but_a_note(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples.Small, "shipped", {})
    samples.filled(ledger)
    data = review.report(ledger, RUN).to_json()
    assert rows(data, role="baseline") == [] and data["notes"][0].startswith("no baseline's scores ship")


def test_doubts_are_told(ledger: Ledger, executor: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    samples.seeded(ledger, evaluator_version="0", isolated=False)
    data = review.report(ledger, RUN).to_json()
    assert any("version 0 of the evaluator" in note for note in data["notes"])
    assert any("the run was not isolated" in note for note in data["notes"])
    executor.closed = False
    monkeypatch.setattr(executor, "isolated", False)
    unsafe = review.report(ledger, RUN, unsafe=True).to_json()
    assert unsafe["isolated"] is False and any("--unsafe-no-sandbox" in note for note in unsafe["notes"])


@pytest.mark.usefixtures("executor")
def test_progress_tells_the_opening_and_the_estimate_first(ledger: Ledger) -> None:
    samples.filled(ledger)
    said: list[str] = []
    review.report(ledger, RUN, progress=said.append)
    assert said[0].startswith("opening 1 of the final split of small in this ledger: 40 instances, about ")


def test_the_real_sandbox_gives_real_scores(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    samples.filled(ledger)
    data = review.report(ledger, RUN).to_json()
    (seed,) = rows(data, role="seed")
    stored = ledger.evaluation(MDD.hash, FINAL.digest, TASK.version, True)
    assert stored is not None and stored.answers_digest and stored.m == len(FINAL)
    assert seed["final"] == aggregate(FINAL.instances, stored.scores) > 0
    assert all(t["seconds"] > 0 for t in data["times"] if t["split"] == "final")


# -- pace -------------------------------------------------------------------------------------------------------------


def instances(sizes: list[int], limit: float) -> InstanceSet:
    made = (Instance(str(n), "g", size, b"", 8, limit, None, "bound") for n, size in enumerate(sizes))
    return InstanceSet("s", tuple(made))


def test_processor_time_follows_a_power_law() -> None:
    measured = [(instances([50, 100], 1e6), (0.5, 2.0))]
    assert processor_time(measured, instances([500, 1000], 1e6)) == pytest.approx(50 + 200)
    assert processor_time([], instances([500], 1.0)) == 0.0


def test_processor_time_of_an_anytime_method_is_its_share_of_the_limit() -> None:
    measured = [(instances([50], 0.25), (0.125,)), (instances([100], 0.5), (0.25,))]
    assert processor_time(measured, instances([500] * 10, 3.0)) == pytest.approx(15.0)


def test_processor_time_stays_below_what_kills_a_call() -> None:
    measured = [(instances([50, 100], 1.0), (0.01, 0.9))]
    assert processor_time(measured, instances([1000] * 3, 10.0)) == pytest.approx(60.0)


def test_paced_counts_over_all_workers_and_changes_nothing() -> None:
    said: list[str] = []
    clock = iter([0, 0, 1, 6, 6, 7, 12, 12, *9 * [12]]).__next__
    inner = Scripted({"code": 1.0})
    paced = Paced(inner, said.append, clock)
    paced.begin("edd on final", 4)
    job = StageJob("code", instances([50, 50], 1.0), {})
    first, second = paced.submit(job).result(), paced.submit(job).result()
    assert first == second and first.outcome == "scored"
    assert said == ["edd on final: 2/4", "edd on final: 4/4"], "at most one line every five seconds"
    watched = replace(job, watch=paced)
    assert paced.submit(watched).result() == first
    paced.close()
    assert inner.closed


def test_an_estimate_says_what_it_leaves_out() -> None:
    """What a simulator takes is no time of a candidate, and may be a thousand times as much."""
    assert told(registry.load("smtt"), 0.2) == "1 s of processor time"
    assert told(registry.load("cache-eviction"), 7.4).startswith(
        "7 s of processor time in candidates, and the simulator"
    )
