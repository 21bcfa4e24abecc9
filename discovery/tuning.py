"""Tuning a candidate's declared numbers makes a child candidate: the same text with other defaults.

Every trial is kept in the ledger as it ends and told again to the seeded sampler on resume, so a study goes on where
it was. The child exists only if it is better on the full search split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from db.ledger import Ledger
from db.records import TrialRecord, TrialState
from discovery.candidate import Candidate, check, with_defaults
from discovery.draws import key
from discovery.evaluation import Evaluated, Evaluation
from discovery.execution.base import StageResult
from evaluators.task import Task, aggregate
from searchspaces.space import ParameterValue
from searchspaces.tuner import Finished, Suggestion, Tuner


@dataclass(frozen=True)
class Tuned:
    """A child better than its parent on the search split. ``gain`` is relative to the parent's score."""

    candidate: Candidate
    evaluated: Evaluated
    gain: float


class Tuning:
    """Studies of one run. Thread-safe: studies are independent of one another."""

    def __init__(
        self, run: str, seed: int, *, task: Task, ledger: Ledger, evaluation: Evaluation, trials: int
    ) -> None:
        self._run, self._seed, self._trials = run, seed, trials
        self._task, self._ledger, self._evaluation = task, ledger, evaluation

    @property
    def runs(self) -> int:
        """Most evaluations of a study: its first trial has the stored scores."""
        return self._trials - 1

    def tune(self, k: int, candidate: Candidate, evaluated: Evaluated) -> Tuned | None:
        """The study of slot ``k``, whose candidate was scored in full. None when no trial beats the defaults."""
        if evaluated.score is None:
            raise ValueError(f"slot {k} has no score, so its numbers cannot be tuned")
        seed = key(self._seed, k, 0, "tune")
        study = self._ledger.start_study(self._run, k, seed=seed, n_trials=self._trials)
        tuner = Tuner(candidate.space, candidate.defaults, seed=seed, direction=self._task.direction)
        kept = {t.number: t for t in self._ledger.trials(study.id)}
        done: dict[tuple[tuple[str, ParameterValue], ...], Finished] = {}
        results: dict[int, StageResult] = {}
        best = Finished(0, candidate.defaults, "complete", evaluated.scores, evaluated.score)
        for number in range(self._trials):
            suggestion = tuner.ask()
            point = tuple(sorted(suggestion.parameters.items()))
            if number in kept:
                finished = _finished(kept[number], suggestion)
            elif point in done or number == 0:
                same = done.get(point, best)
                finished = Finished(number, suggestion.parameters, same.state, same.scores, same.value)
            else:
                result = self._evaluation.trial(candidate, suggestion.parameters, tuner.watch())
                finished = self._judge(suggestion, result)
                results[number] = result
            if number not in kept:
                self._ledger.add_trial(study.id, _record(finished))
            tuner.tell(finished)
            done.setdefault(point, finished)
            if self._better(finished, best):
                best = finished
        self._ledger.finish_study(study.id)
        return self._child(candidate, evaluated, best, results) if best.number else None

    def _judge(self, suggestion: Suggestion, result: StageResult) -> Finished:
        if result.outcome not in ("scored", "stopped"):
            return Finished(suggestion.number, suggestion.parameters, "failed", (), None)
        complete = result.outcome == "scored"
        value = aggregate(self._task.instances("search").instances, result.scores) if complete else None
        state: TrialState = "complete" if complete else "pruned"
        return Finished(suggestion.number, suggestion.parameters, state, result.scores, value)

    def _better(self, a: Finished, b: Finished) -> bool:
        if a.value is None or b.value is None:
            return False
        return a.value < b.value if self._task.direction == "minimize" else a.value > b.value

    def _child(
        self, candidate: Candidate, evaluated: Evaluated, best: Finished, results: Mapping[int, StageResult]
    ) -> Tuned | None:
        child = check(with_defaults(candidate, best.parameters), self._task.interface)
        if self._evaluation.screen(child) is not None:
            return None
        if best.number in results:
            self._evaluation.adopt(child, results[best.number])
        # A no-op after adopt; after a crash between the two it runs the child, which gives the same scores.
        own = self._evaluation.stage(child, self._task.instances("search"))
        if own.score is None or evaluated.score is None:
            return None
        difference = evaluated.score - own.score
        gain = difference if self._task.direction == "minimize" else -difference
        return Tuned(child, own, gain / abs(evaluated.score) if evaluated.score else 0.0)


def _record(finished: Finished) -> TrialRecord:
    return TrialRecord(
        finished.number, dict(finished.parameters), finished.state, finished.scores, finished.value
    )


def _finished(record: TrialRecord, suggestion: Suggestion) -> Finished:
    return Finished(record.number, suggestion.parameters, record.state, record.scores, record.value)
