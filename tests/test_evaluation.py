"""Stages over the ledger: what is stored is not run again, and meets the verdicts that a fresh run meets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import pytest
from toy.loop import density, rule
from toy.task import Knapsack, decode

from db.ledger import Ledger
from discovery.candidate import Candidate, check
from discovery.evaluation import Evaluated, Evaluation, chain
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.sandbox.frames import MOST_LINES
from discovery.statistics import EarlyStop
from evaluators.task import InstanceSet, aggregate

TASK = Knapsack({})
SEARCH = TASK.instances("search")
BEST = tuple(100.0 + k % 2 / 100 for k in range(len(SEARCH)))
"""A rival that stops all but the best at the first look."""
WORST = tuple(float(k % 2) for k in range(len(SEARCH)))
NO_STOP = EarlyStop(WORST, "maximize")


class Counting:
    """Hands jobs on and remembers them; ``spoil`` changes results on the way back."""

    name, workers, isolated = "counting", 2, True

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.jobs: list[StageJob] = []
        self.spoil: Callable[[StageJob, StageResult], StageResult] = lambda _, result: result

    def submit(self, job: StageJob) -> Future[StageResult]:
        self.jobs.append(job)
        future: Future[StageResult] = Future()
        future.set_result(self.spoil(job, self._executor.submit(job).result()))
        return future

    def close(self) -> None: ...


@pytest.fixture
def counting(bag_executor: Executor) -> Counting:
    return Counting(bag_executor)


@pytest.fixture
def evaluation(counting: Counting, new_ledger: Callable[[str], Ledger]) -> Evaluation:
    return Evaluation(TASK, counting, new_ledger("ledger"))


def candidate(code: str) -> Candidate:
    return check(code, TASK.interface)


def late(position: int, outcome: str = "raise ValueError('late')") -> Candidate:
    """Weak, and fails at the instance at ``position`` of the search split."""
    capacity, weights, _ = decode(SEARCH.instances[position].payload)
    where = f"capacity == {capacity} and weights[0] == {weights[0]}"
    return candidate(rule(f"if {where}: {outcome}\n    return -weights / volumes"))


def names(job: StageJob) -> tuple[str | None, str]:
    return None if job.screen is None else job.screen.name, job.instances.name


def test_screen_comes_before_search_in_the_same_child(evaluation: Evaluation, counting: Counting) -> None:
    found = evaluation.search(candidate(density(1.0)), None)
    assert [names(j) for j in counting.jobs] == [("screen", "search")]
    assert found.outcome == "scored" and found.valid and found.m == len(SEARCH)
    assert found.score == aggregate(SEARCH.instances, found.scores) == pytest.approx(98.2, abs=0.1)


def test_what_fails_on_screen_never_sees_search(evaluation: Evaluation, counting: Counting) -> None:
    broken = candidate(rule("return weights[:2]"))
    for _ in range(2):
        found = evaluation.search(broken, BEST)
        assert (found.outcome, found.score, found.scores) == ("error", None, ())
        assert "finite numbers" in found.reason and not found.valid
    assert len(counting.jobs) == 1, "and is not run twice"
    record = evaluation.stored(broken.hash, TASK.instances("screen"))
    assert record is not None and record.outcome == "error"
    assert evaluation.stored(broken.hash, SEARCH) is None
    trial = evaluation.trial(broken, broken.code, {}, NO_STOP)
    assert evaluation.adopt(broken, trial) == found, "a trial of it is no evaluation"


def test_a_search_that_was_begun_is_not_screened_again(evaluation: Evaluation, counting: Counting) -> None:
    weak = candidate(rule("return -weights / volumes"))
    evaluation.search(weak, BEST)
    evaluation.search(weak, WORST)
    assert [names(j) for j in counting.jobs] == [("screen", "search"), (None, "search")]
    assert len(counting.jobs) == 2


def test_what_the_screen_leaves_behind_is_found_out(evaluation: Evaluation) -> None:
    """The confirmation sees the search split alone, so a state that the screen left in the child shows."""
    stateful = candidate(
        rule("calls.append(1); return weights * (1.0 if len(calls) > 9 else -1.0)", head="calls = []")
    )
    found = evaluation.search(stateful, None)
    assert found.outcome == "scored"
    assert "scores differently on" in str(evaluation.confirm(stateful))


def test_stored_scores_are_used(evaluation: Evaluation, counting: Counting) -> None:
    first = evaluation.search(candidate(density(1.0)), WORST)
    jobs = len(counting.jobs)
    again = evaluation.search(candidate("# same code\n" + density(1.0)), WORST)
    assert again == first and len(counting.jobs) == jobs


def test_a_stopped_evaluation_is_extended_and_never_run_anew(
    evaluation: Evaluation, counting: Counting
) -> None:
    weak = candidate(rule("return -weights / volumes"))
    stopped = evaluation.search(weak, BEST)
    assert (stopped.outcome, stopped.score, stopped.m, stopped.valid) == ("stopped", None, 6, True)
    whole = evaluation.search(weak, WORST)
    assert whole.outcome == "scored" and whole.scores[:6] == stopped.scores
    assert counting.jobs[-1].prior == stopped.scores
    assert whole.scores == counting.submit(StageJob(weak.code, SEARCH, {})).result().scores
    jobs = len(counting.jobs)
    assert evaluation.search(weak, BEST) == replace(stopped, cpu=whole.cpu[:6])
    assert len(counting.jobs) == jobs


def test_answers_are_chained_over_extensions(evaluation: Evaluation, counting: Counting) -> None:
    weak = candidate(rule("return -weights / volumes"))
    evaluation.search(weak, BEST)
    evaluation.search(weak, WORST)
    record = evaluation.stored(weak.hash, SEARCH)
    answers = counting.submit(StageJob(weak.code, SEARCH, {})).result().answers
    assert record is not None and record.answers_digest == chain("", answers)
    assert chain(chain("", answers[:6]), answers[6:]) == chain("", answers)
    assert chain("", [b"a"]) == hashlib.sha256(b"a").hexdigest()


@pytest.mark.parametrize("rival", [BEST, WORST], ids=["strong", "weak"])
@pytest.mark.parametrize("before", [None, BEST, WORST], ids=["fresh", "after strong", "after weak"])
@pytest.mark.parametrize("position", [2, 9, 20])
def test_the_verdict_does_not_depend_on_what_is_stored(
    evaluation: Evaluation,
    counting: Counting,
    new_ledger: Callable[[str], Ledger],
    rival: tuple[float, ...],
    before: tuple[float, ...] | None,
    position: int,
) -> None:
    """A candidate that fails late is stopped before that by a strong rival, in a used ledger as in a new one."""
    failing = late(position)

    def seen(found: Evaluated) -> tuple[object, ...]:
        return found.outcome, found.reason, found.scores, found.score, found.valid

    fresh = Evaluation(TASK, counting, new_ledger("fresh")).search(failing, rival)
    if before is not None:
        evaluation.search(failing, before)
    assert seen(evaluation.search(failing, rival)) == seen(fresh)
    stopped = rival is BEST and position >= 6
    assert fresh.outcome == ("stopped" if stopped else "error")


def test_another_version_or_isolation_shares_nothing(
    evaluation: Evaluation, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation.stage(candidate(density(1.0)), SEARCH)
    monkeypatch.setattr(counting, "isolated", False, raising=False)
    assert evaluation.stored(candidate(density(1.0)).hash, SEARCH) is None
    monkeypatch.setattr(counting, "isolated", True)
    assert evaluation.stored(candidate(density(1.0)).hash, SEARCH) is not None
    monkeypatch.setattr(TASK, "version", "2", raising=False)
    assert evaluation.stored(candidate(density(1.0)).hash, SEARCH) is None


def test_a_large_set_is_cut_and_joined(evaluation: Evaluation, counting: Counting) -> None:
    gate, rival = TASK.gate(0), candidate(density(0.7))
    found = evaluation.whole(rival, gate)
    assert [len(j.instances) for j in counting.jobs] == [18, 18]
    assert found.scores == counting.submit(StageJob(rival.code, gate, {})).result().scores
    jobs = len(counting.jobs)
    assert evaluation.whole(rival, gate) == found and len(counting.jobs) == jobs
    broken = evaluation.whole(candidate(rule("return weights[:1]")), gate)
    assert (broken.outcome, broken.score, broken.scores) == ("error", None, ())


def test_confirming_keeps_the_answers(evaluation: Evaluation, counting: Counting) -> None:
    good = candidate(density(1.0))
    with pytest.raises(ValueError, match="not fully scored"):
        evaluation.confirm(good)
    evaluation.stage(good, SEARCH)
    assert evaluation.confirm(good) is None and counting.jobs[-1].confirm
    record = evaluation.stored(good.hash, SEARCH)
    assert record is not None and record.answers is not None and len(record.answers) == 10 * len(SEARCH)
    jobs = len(counting.jobs)
    assert evaluation.confirm(good) is None and len(counting.jobs) == jobs, "once is enough"


def test_a_difference_is_told(evaluation: Evaluation) -> None:
    counter = candidate(
        rule("seen.append(1); return weights * (1.0 if len(seen) % 2 else -1.0)", head="seen = []")
    )
    evaluation.stage(counter, SEARCH)
    said = evaluation.confirm(counter)
    assert said is not None and "scores differently on" in said and "search-0" in said
    assert evaluation.confirm(counter) == said, "and is found again"
    crash = candidate(rule("seen.append(capacity); return weights / (len(seen) != 1 or capacity == first)",
                           head=f"seen = []\nfirst = {decode(SEARCH.instances[0].payload)[0]}"))  # fmt: skip
    evaluation.stage(crash, SEARCH)
    assert "reversed order it ended as error" in str(evaluation.confirm(crash))


def test_a_trial_becomes_the_evaluation_of_the_child(evaluation: Evaluation, counting: Counting) -> None:
    parent = candidate(rule("return weights / volumes ** power", keywords="power=0.0"))
    child = candidate(rule("return weights / volumes ** power", keywords="power=0.9"))
    result = evaluation.trial(parent, parent.code, {"power": 0.9}, NO_STOP)
    adopted = evaluation.adopt(child, result)
    assert [names(j) for j in counting.jobs] == [(None, "search"), (None, "screen")]
    jobs = len(counting.jobs)
    assert adopted == evaluation.stage(child, SEARCH) and adopted.lines == 3
    assert evaluation.stage(child, SEARCH).scores == result.scores and len(counting.jobs) == jobs
    assert evaluation.stored(parent.hash, SEARCH) is None


def test_the_first_of_two_contradicting_runs_stands(evaluation: Evaluation, counting: Counting) -> None:
    """Two runs in one ledger may measure at once, and a clock may say two things."""
    good = candidate(density(1.0))

    def overtaken(_: StageJob, result: StageResult) -> StageResult:
        counting.spoil = lambda _job, r: r
        evaluation.stage(good, SEARCH)
        return replace(result, outcome="timeout", reason="late")

    counting.spoil = overtaken
    assert evaluation.stage(good, SEARCH).outcome == "scored"


def test_flags_are_kept(evaluation: Evaluation) -> None:
    evaluation.call_limits = {10: 0.0}
    found = evaluation.stage(candidate(density(1.0)), SEARCH)
    assert found.slow and found.outcome == "scored"
    assert evaluation.stage(candidate(density(1.0)), SEARCH).slow


def test_an_empty_part_is_never_made(evaluation: Evaluation, counting: Counting) -> None:
    one = InstanceSet("one", SEARCH.instances[:1])
    assert evaluation.whole(candidate(density(1.0)), one).m == 1
    assert [len(j.instances) for j in counting.jobs] == [1]


# -- lines --

LOOP = rule("total = 0\n    for w in weights:\n        total += w\n    return weights / volumes + 0 * total")


def lines_of(items: int) -> int:
    """What :data:`LOOP` takes on an instance: a line before the loop, two for each item, the end of it, the return."""
    return 3 + 2 * items


def test_lines_are_counted_on_the_screen_and_kept(evaluation: Evaluation, counting: Counting) -> None:
    looped = candidate(LOOP)
    found = evaluation.search(looped, None)
    expected = sum(lines_of(i.size) for i in TASK.instances("screen"))
    assert found.lines == expected and found.score is not None
    record = evaluation.stored(looped.hash, SEARCH)
    assert record is not None and record.lines == expected
    assert evaluation.search(looped, None).lines == evaluation.stage(looped, SEARCH).lines == expected
    assert len(counting.jobs) == 1


def test_lines_change_no_answer(evaluation: Evaluation, counting: Counting) -> None:
    looped = candidate(LOOP)
    counted = counting.submit(StageJob(looped.code, SEARCH, {}, counted=True)).result()
    plain = counting.submit(StageJob(looped.code, SEARCH, {})).result()
    assert counted.answers == plain.answers and plain.lines is None
    assert counted.lines == sum(lines_of(i.size) for i in SEARCH)
    assert evaluation.search(looped, None).scores == plain.scores


def test_what_was_not_counted_is_counted_when_it_is_asked_for(
    evaluation: Evaluation, counting: Counting
) -> None:
    """So that what is known of a candidate does not depend on who ran it first."""
    looped = candidate(LOOP)
    assert evaluation.stage(looped, SEARCH).lines is None
    found = evaluation.search(looped, None)
    assert found.lines == sum(lines_of(i.size) for i in TASK.instances("screen"))
    assert [names(j) for j in counting.jobs] == [(None, "search"), (None, "screen")]
    assert evaluation.search(looped, None) == found and len(counting.jobs) == 2


def test_counting_ends_at_a_bound(evaluation: Evaluation) -> None:
    endless = candidate(rule("for _ in range(9000):\n        pass\n    return weights / volumes"))
    assert evaluation.search(endless, None).lines == MOST_LINES


def test_a_stopped_candidate_has_its_lines_too(evaluation: Evaluation) -> None:
    found = evaluation.search(candidate(rule("return -weights / volumes")), BEST)
    assert found.outcome == "stopped" and found.lines == len(TASK.instances("screen"))


def test_a_deep_recursion_may_be_as_deep_when_it_is_watched(counting: Counting) -> None:
    """The tracer's own frames are not what breaks a candidate that lives at the limit of recursion."""
    deep = "def deep(n):\n    return 0 if n == 0 else 1 + deep(n - 1)\n"
    ends = []
    for depth in range(980, 1000):
        job = StageJob(rule(f"return weights + deep({depth})", head=deep), TASK.instances("screen"), {})
        plain, counted = (counting.submit(replace(job, counted=c)).result().outcome for c in (False, True))
        ends.append((plain, counted))
    assert ("scored", "error") not in ends and ("error", "error") in ends and ends[0] == ("scored", "scored")
