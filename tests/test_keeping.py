"""A task that scores one thing and wants another kept over a set: who does not keep it is rejected wherever a whole set
was run, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from test_evaluation import Counting
from toy.glance import Glance, code, heaviest

from db.ledger import Ledger
from discovery.candidate import Candidate, check
from discovery.evaluation import Evaluation
from discovery.execution.base import Executor, StageJob
from discovery.execution.make import make_executor
from discovery.execution.stage import _until
from discovery.execution.wire import decode, encode
from discovery.gate import Gate
from discovery.plugins.rehearsal import rehearse
from discovery.plugins.rescoring import Claim, rescored
from discovery.statistics import EarlyStop
from discovery.study import Study
from evaluators.plain_adapter import unpack
from evaluators.task import Instance, InstanceSet, Keeping, breach_of


class Watched(Glance):
    """Sees to it that it is asked about whole sets alone, in their order, and remembers which."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked: list[str] = []
        self.given: tuple[float, ...] = ()

    def breach(self, instances: InstanceSet, values: Sequence[float]) -> str | None:
        whole = [self.gate(int(instances.name[5:]))] if "-" in instances.name else [self.instances("search")]
        assert instances.digest in {s.digest for s in (*whole, *map(self.instances, ("gate", "final")))}
        assert len(values) == len(instances)
        self.asked.append(instances.name)
        self.given = tuple(values)
        return super().breach(instances, values)


TASK = Watched()
SEARCH, GATE = TASK.instances("search"), TASK.instances("gate")
BEST = EarlyStop((1000.0,) * len(SEARCH), "maximize")
"""It stops everybody at the first look."""


def candidate(code: str) -> Candidate:
    return check(code, TASK.interface)


KEEPS, BREAKS = candidate(heaviest(0.7)), candidate(heaviest(0.3))
BREAKS_LATER = candidate(heaviest(0.7, on_gate=0.3))
SENTENCE = "84.8 % of the weight is seen; at least 95 % must be"
"""Why BREAKS is rejected on search."""


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    made = make_executor(TASK, "local", 2)
    yield made
    made.close()


@pytest.fixture
def counting(pool: Executor) -> Counting:
    return Counting(pool)


@pytest.fixture
def evaluation(counting: Counting, new_ledger: Callable[[str], Ledger]) -> Evaluation:
    TASK.asked.clear()
    return Evaluation(TASK, counting, new_ledger("ledger"))


def poor_on(instances: Sequence[Instance]) -> str:
    """A candidate that sees little on these instances and all on the others."""
    known = sorted(int(unpack(i.payload)[0][0].sum()) for i in instances)
    assert len(set(known)) == len(known)
    return (
        "import numpy as np\n\n\ndef look(weights):\n"
        f"    poor = int(weights.sum()) in {known!r}\n"
        "    return weights >= np.quantile(weights, 0.7 if poor else 0.0)\n"
    )


def test_the_rule_is_asked_of_tasks_that_keep_something_and_not_on_the_screen() -> None:
    assert isinstance(TASK, Keeping)
    nothing = [1.0] * len(SEARCH)
    assert "at least 95 %" in (breach_of(TASK, SEARCH, nothing) or "")
    assert breach_of(TASK, TASK.instances("screen"), nothing[:4]) is None


# -- one candidate ----------------------------------------------------------------------------------------------------


def test_who_does_not_keep_it_is_rejected_on_search_with_all_scores(
    evaluation: Evaluation, counting: Counting
) -> None:
    found = evaluation.search(BREAKS, None)
    assert (found.outcome, found.reason, found.score, found.m) == ("rejected", SENTENCE, None, len(SEARCH))
    assert not found.valid and min(found.scores) >= 200, "what it scores would be far better than all others"
    ran = len(counting.jobs)
    assert evaluation.search(BREAKS, None) == found
    assert evaluation.found([BREAKS.hash], SEARCH)[BREAKS.hash] == found
    assert len(counting.jobs) == ran, "found again it is not run again"
    assert evaluation.search(KEEPS, None).score is not None
    assert TASK.asked == ["search", "search"], "the screen, which comes first, is not asked about"


def test_a_stopped_candidate_is_stopped_and_nothing_else(evaluation: Evaluation) -> None:
    stopped = evaluation.search(BREAKS, BEST.rival)
    assert stopped.outcome == "stopped" and 0 < stopped.m < len(SEARCH) and TASK.asked == []


def test_a_stored_prefix_that_goes_on_is_judged_with_its_stored_objectives(
    evaluation: Evaluation, counting: Counting, new_ledger: Callable[[str], Ledger]
) -> None:
    stopped = evaluation.search(BREAKS, BEST.rival)
    whole = evaluation.search(BREAKS, None)
    assert counting.jobs[-1].prior == stopped.scores and counting.jobs[-1].prior_values == stopped.values
    fresh = Evaluation(TASK, counting, new_ledger("other")).search(BREAKS, None)
    assert whole.reason == SENTENCE and replace(whole, cpu=(), lines=None) == replace(
        fresh, cpu=(), lines=None
    )
    again = evaluation.search(BREAKS, BEST.rival)
    assert replace(again, cpu=()) == replace(stopped, cpu=()), "a look comes before the verdict on the set"
    for share in (0.75, 0.8):
        good = candidate(heaviest(share))
        evaluation.search(good, BEST.rival)
        assert evaluation.search(good, None).outcome == "scored"


def test_a_part_is_not_judged_and_the_whole_is(evaluation: Evaluation, counting: Counting) -> None:
    """Two workers: the first half alone breaches, the whole does not."""
    few = candidate(poor_on(GATE.instances[:4]))
    half = InstanceSet(GATE.name, GATE.instances[: len(GATE) // 2])
    found = evaluation.whole(few, GATE)
    assert [len(j.instances) for j in counting.jobs] == [12, 12]
    assert Glance.breach(TASK, half, found.values[:12]) is not None, "or this shows nothing"
    assert found.outcome == "scored" and TASK.asked == ["gate"]
    found = evaluation.whole(BREAKS, GATE)
    assert (found.outcome, found.score, found.m) == ("rejected", None, len(GATE))
    assert "of the weight is seen" in found.reason and TASK.asked == ["gate", "gate"]
    assert evaluation.whole(BREAKS, GATE) == found and len(counting.jobs) == 4


def test_a_trial_is_judged_on_the_whole_split_only(evaluation: Evaluation) -> None:
    heavy = candidate(code("heavy"))
    assert evaluation.trial(heavy, heavy.code, {"share": 0.3}, None).reason == SENTENCE
    assert evaluation.trial(heavy, heavy.code, {"share": 0.3}, None, 12).outcome == "scored"
    assert evaluation.trial(heavy, heavy.code, {"share": 0.3}, BEST).outcome == "stopped"


def test_a_confirmation_is_judged_in_the_order_of_the_set(evaluation: Evaluation, pool: Executor) -> None:
    first = evaluation.search(KEEPS, None)
    assert evaluation.confirm(KEEPS) is None
    assert TASK.asked == ["search", "search"] and TASK.given == first.values
    assert len(set(TASK.given)) > 1, "or the order is not seen"
    again = pool.submit(StageJob(BREAKS.code, SEARCH, {}, confirm=True)).result()
    assert (again.outcome, again.reason) == ("rejected", SENTENCE)


def test_calls_whose_time_is_taken_again_are_a_part() -> None:
    job = StageJob(KEEPS.code, SEARCH, {}, prior=(1.0,), prior_values=(2.0,))
    second = _until(job, (len(SEARCH) - 2,))
    assert second.part and not second.prior and not second.prior_values


def test_prefixes_outside_a_run_are_parts(pool: Executor) -> None:
    study = Study(TASK, pool, 0, None)
    assert study.job(BREAKS.code, {}, None).reason == SENTENCE
    assert study.job(BREAKS.code, {}, None, 12).outcome == "scored"
    plain = candidate("def look(weights):\n    return [w > 4 for w in weights]\n")
    counting = Counting(pool)
    assert not rehearse(plain, TASK, counting, [10.0] * len(SEARCH)).arrays, "lists answer alike"
    assert {j.part for j in counting.jobs if j.instances.name == "search"} == {True}


def test_a_job_crosses_to_other_machines_with_what_decides_it() -> None:
    job = StageJob(KEEPS.code, SEARCH, {}, prior=(1.5,), prior_values=(2.5,), part=True)
    sets: dict[str, InstanceSet] = {}
    assert decode(encode(job, sets), sets.__getitem__) == job


@pytest.mark.parametrize("side", ["challenger", "champion"])
def test_a_look_at_the_gate_ends_where_a_side_does_not_keep_it(evaluation: Evaluation, side: str) -> None:
    pair = (BREAKS_LATER, KEEPS) if side == "challenger" else (KEEPS, BREAKS_LATER)
    assert evaluation.search(BREAKS_LATER, None).outcome == "scored"
    gate = Gate(1, task=TASK, evaluation=evaluation)
    found = gate.look(1, *pair)
    assert not found.passed and found.paired is None
    assert found.failure.startswith(f"the {side} ended as rejected: ")
    assert found.failure.endswith("must be")
    assert gate.report(BREAKS_LATER).score is None and gate.report(KEEPS).score is not None


def test_a_claim_is_measured_again_with_the_rule(evaluation: Evaluation, pool: Executor) -> None:
    kept = evaluation.whole(KEEPS, GATE)
    claim = Claim("gate", kept.score, None, kept.scores, None)
    assert rescored(pool, TASK, KEEPS.code, claim).agrees
    broken = rescored(pool, TASK, BREAKS_LATER.code, claim)
    assert broken.measured is None and not broken.agrees
    assert broken.complaint.startswith("on gate it ended as rejected: ")
