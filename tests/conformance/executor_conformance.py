"""What every executor must hold: results are a function of the job. Subclass :class:`ExecutorConformance` and give
``make``; the toy task is what runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from toy.loop import density, rule
from toy.task import Knapsack, decode

from discovery.execution.base import Executor, StageJob, StageResult
from evaluators.task import InstanceSet, Task

TASK = Knapsack({})
SEARCH = TASK.instances("search")
MIXED = rule("return weights / volumes ** power + (capacity % 3) * (weights > 20)", keywords="power=1.0")
FAILURES = {
    "crash": (rule("return [1 / (len(weights) - len(weights))]"), "error", "ZeroDivisionError"),
    "shape": (rule("return [1.0]"), "error", "finite numbers"),
    "load": (rule("return weights", head="raise KeyError('at import')"), "error", "KeyError"),
    "endless": (rule("while True: pass"), "timeout", "0.0"),
    "syntax": ("def rank(:\n", "error", "SyntaxError"),
    "missing": ("def other(): pass\n", "error", "rank"),
}


@dataclass(frozen=True)
class StopAt:
    """A watch that ends a job after ``m`` scores."""

    m: int

    def stop(self, scores: Sequence[float], total: int) -> bool:
        return len(scores) == self.m < total


def of(result: StageResult) -> tuple[object, ...]:
    """What may not depend on where a job ran: everything but times and what follows from them."""
    return result.outcome, result.reason, result.scores, result.values, result.answers, result.output


class ExecutorConformance:
    @classmethod
    def make(cls, task: Task) -> Executor:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Iterator[Executor]:
        made = cls.make(TASK)
        yield made
        made.close()

    @staticmethod
    def run(executor: Executor, job: StageJob) -> StageResult:
        return executor.submit(job).result(timeout=60)

    def test_it_isolates_and_says_where_it_runs(self, executor: Executor) -> None:
        assert executor.isolated and executor.name and executor.workers >= 1

    def test_results_are_a_function_of_the_job(self, executor: Executor, bag_executor: Executor) -> None:
        codes = [MIXED, density(0.5), rule("print(capacity); return volumes * -1.0")]
        jobs = [StageJob(code, SEARCH, {}) for code in codes] * 2
        together = [f.result(timeout=60) for f in [executor.submit(j) for j in jobs]]
        assert all(r.outcome == "scored" and len(r.cpu) == len(SEARCH) for r in together)
        assert [of(r) for r in together] == [of(bag_executor.submit(j).result()) for j in jobs]

    def test_parameters_reach_the_candidate(self, executor: Executor) -> None:
        given = self.run(executor, StageJob(MIXED, SEARCH, {"power": 0.0}))
        written = self.run(executor, StageJob(MIXED.replace("power=1.0", "power=0.0"), SEARCH, {}))
        assert of(given) == of(written)
        assert given.scores != self.run(executor, StageJob(MIXED, SEARCH, {})).scores

    @pytest.mark.parametrize("kind", FAILURES)
    def test_failures_are_results(self, executor: Executor, kind: str) -> None:
        code, outcome, said = FAILURES[kind]
        short = InstanceSet("short", tuple(replace(i, limit=0.02) for i in SEARCH))
        result = self.run(executor, StageJob(code, short, {}))
        assert (result.outcome, result.scores) == (outcome, ())
        assert said in result.reason and "\n" not in result.reason

    def test_a_failure_in_the_middle_keeps_what_was_done(self, executor: Executor) -> None:
        capacity = decode(SEARCH.instances[7].payload)[0]
        first = next(k for k, i in enumerate(SEARCH) if decode(i.payload)[0] == capacity)
        code = rule(f"return weights / volumes if capacity != {capacity} else [1.0]")
        result = self.run(executor, StageJob(code, SEARCH, {}))
        assert result.outcome == "error" and len(result.scores) == len(result.values) == first

    def test_an_impossible_answer_is_quarantined(self, executor: Executor) -> None:
        low = InstanceSet("low", tuple(replace(i, reference=1.0) for i in SEARCH))
        result = self.run(executor, StageJob(density(1.0), low, {}))
        assert result.outcome == "quarantined" and "proved optimum" in result.reason
        assert low.instances[0].id in result.reason

    def test_stored_scores_are_not_run_again(self, executor: Executor) -> None:
        whole = self.run(executor, StageJob(MIXED, SEARCH, {}))
        rest = self.run(executor, StageJob(MIXED, SEARCH, {}, prior=whole.scores[:10]))
        assert rest.scores == whole.scores[10:] and rest.answers == whole.answers[10:]

    def test_a_watch_stops_a_job(self, executor: Executor) -> None:
        whole = self.run(executor, StageJob(MIXED, SEARCH, {}))
        stopped = self.run(executor, StageJob(MIXED, SEARCH, {}, watch=StopAt(9)))
        assert stopped.outcome == "stopped" and stopped.scores == whole.scores[:9]
        after = self.run(executor, StageJob(MIXED, SEARCH, {}, prior=whole.scores[:5], watch=StopAt(9)))
        assert after.outcome == "stopped" and after.scores == whole.scores[5:9]

    def test_a_confirmation_comes_back_in_order(self, executor: Executor) -> None:
        plain = self.run(executor, StageJob(MIXED, SEARCH, {}))
        confirmed = self.run(executor, StageJob(MIXED, SEARCH, {}, confirm=True))
        assert (confirmed.outcome, confirmed.scores, confirmed.values, confirmed.answers) == (
            "scored", plain.scores, plain.values, plain.answers
        )  # fmt: skip

    def test_a_confirmation_runs_backwards_and_in_another_child(self, executor: Executor) -> None:
        counting = rule("seen.append(1); return weights * (1.0 if len(seen) % 2 else -1.0)", head="seen = []")
        plain = self.run(executor, StageJob(counting, SEARCH, {}))
        again = self.run(executor, StageJob(counting, SEARCH, {}))
        confirmed = self.run(executor, StageJob(counting, SEARCH, {}, confirm=True))
        assert plain.scores == again.scores, "state does not outlive a job"
        assert len(SEARCH) % 2 == 0 and confirmed.scores != plain.scores, "call numbers are reversed"

    def test_a_screen_comes_first_in_the_same_child(self, executor: Executor) -> None:
        screen = TASK.instances("screen")
        counting = rule("seen.append(1); return weights * (1.0 if len(seen) > 9 else -1.0)", head="seen = []")
        plain = self.run(executor, StageJob(counting, SEARCH, {}))
        both = self.run(executor, StageJob(counting, SEARCH, {}, screen=screen))
        assert both.passed and len(both.scores) == len(SEARCH)
        assert plain.scores[9 - len(screen)] != both.scores[9 - len(screen)], "the screen's calls were seen"
        failed = self.run(executor, StageJob(FAILURES["shape"][0], SEARCH, {}, screen=screen))
        assert failed.outcome == "error" and not failed.passed and failed.scores == ()

    def test_the_runs_own_limit_is_a_flag(self, executor: Executor) -> None:
        """It never decides an outcome."""
        slow = self.run(executor, StageJob(density(1.0), SEARCH, {}, call_limits={10: 0.0}))
        fine = self.run(executor, StageJob(density(1.0), SEARCH, {}, call_limits={10: 60.0, 11: 0.0}))
        assert (slow.outcome, slow.slow, fine.slow) == ("scored", True, False)

    def test_after_a_failure_others_still_run(self, executor: Executor) -> None:
        codes = [FAILURES["crash"][0], MIXED, FAILURES["endless"][0], MIXED]
        short = InstanceSet("short", tuple(replace(i, limit=0.05) for i in SEARCH))
        found = [f.result(timeout=60) for f in [executor.submit(StageJob(c, short, {})) for c in codes]]
        assert [r.outcome for r in found] == ["error", "scored", "timeout", "scored"]

    def test_closing_ends_it(self) -> None:
        made = self.make(TASK)
        futures = [made.submit(StageJob(MIXED, SEARCH, {})) for _ in range(2)]
        made.close()
        assert all(f.cancelled() or f.result().outcome == "scored" for f in futures)
        before = time.monotonic()
        with pytest.raises(RuntimeError):
            made.submit(StageJob(MIXED, SEARCH, {})).result(timeout=10)
        assert time.monotonic() - before < 10
