"""A whole explanation of the toy task: dead code is found, what matters stays, and no run learns of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from explain_samples import PLANTED
from toy.loop import Scripted, Toy, by_slot, density, rule
from toy.task import Knapsack

from db.ledger import Ledger
from discovery.draws import key
from discovery.errors import NothingValid, UsageError
from discovery.evaluation import Evaluated
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.explain import Explanation, bench, explain, of_ledger, of_text
from discovery.explain.bench import compare, flips_for
from discovery.explain.judging import _verdict
from discovery.progress import StopSignal
from discovery.statistics import alpha, holm, paired_test

POOLED = Knapsack({"gate": "pool"})
BLOCK = POOLED.gate(0)


class Kept:
    """The warm executor, which stays open and remembers its jobs; ``spoil`` changes results on the way back."""

    def __init__(self, executor: Executor) -> None:
        self.name, self.workers = executor.name, executor.workers
        self.isolated, self.layers = executor.isolated, executor.layers
        self._inner = executor
        self.jobs: list[StageJob] = []
        self.spoil: Callable[[StageJob, StageResult], StageResult] = lambda _, result: result

    def submit(self, job: StageJob) -> Future[StageResult]:
        self.jobs.append(job)
        future: Future[StageResult] = Future()
        future.set_result(self.spoil(job, self._inner.submit(job).result()))
        return future

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def warm(bag_executor: Executor, monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = Kept(bag_executor)
    monkeypatch.setattr(bench, "make_executor", lambda *_, **__: kept)
    return kept


def parts(found: Explanation) -> dict[str, str]:
    """Verdict by ablation."""
    return {f"{j.variant.edits[0].before} → {j.variant.edits[0].after}": j.verdict for j in found.judged}


@pytest.fixture(scope="module")
def planted() -> dict[str, Explanation]:
    return {}


@pytest.fixture
def explained(planted: dict[str, Explanation], warm: Kept) -> Explanation:  # noqa: ARG001
    if not planted:
        planted["it"] = explain(of_text(PLANTED, POOLED), None)
    return planted["it"]


def test_dead_code_is_proposed_for_removal_and_what_matters_is_not(explained: Explanation) -> None:
    verdicts = parts(explained)
    assert verdicts["weights / volumes ** power + extra → weights / volumes ** power"] == "removable"
    assert verdicts["z * values.mean() → z"] == "removable"
    assert verdicts["weights / volumes ** power → weights"] != "removable"
    assert verdicts["weights / volumes ** power → 1 / volumes ** power"] == "matters"
    assert verdicts["weights / volumes ** power + extra → extra"] == "fails", "one number for all items"
    for j in explained.judged:
        if j.verdict == "matters":
            assert j.comparison.high is not None and j.comparison.high < 0


def test_the_simplified_candidate_is_the_rule_without_its_dead_code(explained: Explanation) -> None:
    simplified = explained.simplified
    assert simplified is not None
    assert simplified.nodes < explained.subject.candidate.nodes
    assert "bonus(" not in simplified.code and "extra" not in simplified.code
    assert "weights / volumes" in simplified.code
    data: Any = explained.to_json()["simplification"]
    assert data["confirmed"] and data["gain"] == 0.0 and data["nodes_after"] < data["nodes_before"]
    assert data["block"] != explained.to_json()["ablation"]["block"]  # type: ignore[index]


def test_the_parameter_that_matters_leads(explained: Explanation) -> None:
    assert explained.sensitivity is not None and explained.sensitivity.source == "own"
    assert list(explained.sensitivity.curves) == ["power", "z"]
    shares, curves = explained.sensitivity.importance, explained.sensitivity.curves
    assert shares is not None and shares["power"] > shares["z"]
    assert all(s.gain == 0.0 and s.low == s.high == 0.0 for s in curves["z"]), "z changes nothing"
    assert min(s.gain for s in curves["power"] if s.gain is not None) < -0.001
    assert [s.value for s in curves["power"]][:: len(curves["power"]) - 1] == [0.5, 2.0]


def test_the_figures_are_those_of_an_own_calculation(explained: Explanation, bag_executor: Executor) -> None:
    """A slow second opinion: each variant run again, aggregated and tested here."""
    block = explained.blocks.ablation
    groups = [i.group for i in block]

    def scores(code: str) -> tuple[float, ...]:
        return bag_executor.submit(StageJob(code, block, {})).result().scores

    own = scores(explained.subject.candidate.code)
    for j in explained.judged:
        if j.comparison.p is None:
            continue
        theirs = scores(j.variant.candidate.code)
        means = [
            sum(sum(s[n] for n, g in enumerate(groups) if g == c) / groups.count(c) for c in set(groups)) / 3
            for s in (theirs, own)
        ]
        assert j.comparison.gain == pytest.approx((means[0] - means[1]) / means[1])
        assert j.comparison.score == pytest.approx(means[0])
        seed = key("another")
        p = paired_test(theirs, own, groups, "maximize", seed, margin=-0.005).p
        assert j.comparison.p == pytest.approx(p, abs=0.02)
    tested = [j for j in explained.judged if j.comparison.p is not None]
    assert [j.p for j in tested] == list(holm([j.comparison.p or 0.0 for j in tested]))
    assert [j.p_worse for j in tested] == list(holm([j.comparison.p_worse or 0.0 for j in tested]))


def test_only_the_whole_meets_the_second_block(warm: Kept) -> None:
    found = explain(of_text(PLANTED, POOLED), None)
    assert found.simplified is not None
    ran: dict[str, set[str]] = {}
    for job in warm.jobs:
        ran.setdefault(job.code, set()).update(i.id for i in job.instances)
    first, second = ({i.id for i in b} for b in (found.blocks.ablation, found.blocks.confirmation))
    assert ran.pop(found.simplified.code) == first | second
    assert ran.pop(PLANTED) >= first | second
    assert all(ids == first for ids in ran.values())
    held_out = {i.id for split in ("gate", "final") for i in POOLED.instances(split)}  # type: ignore[arg-type]
    assert not held_out & {i.id for job in warm.jobs for i in job.instances}


def test_what_is_worse_on_the_second_block_is_not_confirmed(warm: Kept) -> None:
    block = {i.id for i in explain(of_text(PLANTED, POOLED), None).blocks.confirmation}

    def worse(job: StageJob, result: StageResult) -> StageResult:
        if job.code == PLANTED or not block & {i.id for i in job.instances}:
            return result
        return replace(result, scores=tuple(0.99 * s for s in result.scores))

    warm.spoil = worse
    found = explain(of_text(PLANTED, POOLED), None)
    assert found.simplification is not None and not found.simplification.confirmed
    assert found.simplified is None and found.simplification.comparison.gain == pytest.approx(-0.01)


def evaluated(scores: list[float]) -> Evaluated:
    return Evaluated("scored", "", sum(scores) / len(scores), tuple(scores), (0.0,) * len(scores))


def test_a_loss_within_half_a_percent_may_go_and_a_larger_one_not() -> None:
    own = [90.0 + k % 5 for k in range(len(BLOCK))]
    level, flips = alpha(1), flips_for(20, alpha(1))
    for loss, verdict in (
        (0.0, "removable"),
        (0.002, "removable"),
        (0.0049, "removable"),
        (0.006, "matters"),
    ):
        theirs = [s * (1 - loss) for s in own]
        found = compare(evaluated(own), evaluated(theirs), BLOCK, POOLED, ("a", str(loss)), flips)
        assert found.p is not None and found.p_worse is not None
        assert _verdict(found.p, found.p_worse, level) == verdict, loss
    noisy = [s + (12 if k % 2 else -12) for k, s in enumerate(own)]
    found = compare(evaluated(own), evaluated(noisy), BLOCK, POOLED, ("a", "b"), flips)
    assert found.p is not None and found.p_worse is not None
    assert _verdict(found.p, found.p_worse, level) == "open", "alike on average is not beyond doubt"


def test_equal_scores_of_zero_are_no_worse() -> None:
    zeros = [0.0] * len(BLOCK)
    found = compare(evaluated(zeros), evaluated(zeros), BLOCK, POOLED, ("a", "b"), 9_999)
    assert found.p == pytest.approx(0.0001) and found.p_worse == 1.0


def test_two_spares_are_not_both_taken_away() -> None:
    """Either divisor can go, since the other one does the same; without both the rule is another one."""
    spare = rule("return np.minimum(weights / volumes, weights / volumes**1.0)", head="import numpy as np")
    found = explain(of_text(spare, POOLED), None)
    verdicts = parts(found)
    both = "np.minimum(weights / volumes, weights / volumes ** 1.0)"
    assert verdicts[f"{both} → weights / volumes"] == "removable"
    assert verdicts[f"{both} → weights / volumes ** 1.0"] == "removable"
    assert found.simplified is not None and "weights / volumes" in found.simplified.code


def test_repeats_give_the_same_and_write_nothing_but_an_event(toy: Toy) -> None:
    toy.propose(Scripted(by_slot([PLANTED], default=lambda k: density(0.5 + k / 100))))
    report = toy.start(gate="pool")
    before = toy.digest(report.run)
    with toy.ledger() as ledger:
        name = next(e.candidate for e in ledger.entries(report.run) if e.candidate and e.k == 0)
        texts = _count(ledger)
        subject = of_ledger(ledger, name[:10])
        found = explain(subject, ledger)
        assert _count(ledger) == texts, "no variant enters the ledger"
        (event,) = ledger.events(report.run, "explained")
        assert event.data["candidate"] == name and event.data["blocks"] == list(found.blocks.numbers)
        looked = {look.block for look in ledger.looks(report.run)}
        assert not looked & set(found.blocks.numbers) or found.blocks.reused
        assert explain(subject, ledger).blocks.number == 2
    assert toy.digest(report.run) == before
    anew = explain(of_text(PLANTED, POOLED), None).to_json()
    assert anew == explain(of_text(PLANTED, POOLED), None).to_json()


def _count(ledger: Ledger) -> tuple[int, int]:
    from sqlalchemy import func, select

    from db.models import Candidate, Evaluation

    with ledger.reading() as c:
        return (
            c.execute(select(func.count()).select_from(Candidate)).scalar_one(),
            c.execute(select(func.count()).select_from(Evaluation)).scalar_one(),
        )


def test_a_stored_study_is_used(toy: Toy) -> None:
    toy.propose(Scripted(by_slot({}, default=lambda _: PLANTED)))
    report = toy.start(samples=4, batch=4, trials=20, gate="pool")
    with toy.ledger() as ledger:
        tuned = ledger.studies(report.run)
        assert tuned
        entry = next(e for e in ledger.entries(report.run) if e.k == tuned[0].k and e.kind == "own")
        found = explain(of_ledger(ledger, entry.candidate or ""), ledger)
        complete = [t for t in ledger.trials(tuned[0].id) if t.value is not None]
    assert found.sensitivity is not None
    assert found.sensitivity.source == ("study" if len(complete) >= 8 else "own")
    if len(complete) >= 8:
        assert found.sensitivity.points == len(complete)


@pytest.mark.parametrize("after", [1, 3])
def test_a_stop_keeps_what_was_measured(after: int) -> None:
    stop, said = StopSignal(), list[str]()

    def say(text: str) -> None:
        said.append(text)
        if text.startswith(f"ablation {after}/"):
            stop.request()

    found = explain(of_text(PLANTED, POOLED), None, say=say, stop=stop)
    assert found.interrupted and len(found.judged) == after
    assert found.simplification is found.sensitivity is found.rivals is None
    assert found.to_json()["interrupted"] is True
    assert "opens blocks" in said[0] and "processor time" in said[0], "told before it begins"


def test_what_has_no_score_cannot_be_explained(new_ledger: Callable[[str], Ledger]) -> None:
    with pytest.raises(NothingValid, match="nothing to explain"):
        explain(of_text(rule("return 1 / 0"), POOLED), None)
    with pytest.raises(UsageError, match="not a candidate"):
        of_text("import os\n", POOLED)
    with pytest.raises(UsageError, match="names no candidate"):
        of_ledger(new_ledger("l"), "xyz")


def test_the_limit_bounds_the_ablations() -> None:
    found = explain(of_text(PLANTED, POOLED), None, most=2)
    assert len(found.judged) == 2 < found.possible
