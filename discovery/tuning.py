"""Tuning a candidate's numbers makes a child candidate: the same text with other defaults, and other literals where
those are lifted.

Every trial is kept in the ledger as it ends and told again to the seeded sampler on resume, so a study goes on where
it was. The child exists only if it is better on the full search split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from db.ledger import Ledger
from db.records import Json, TrialRecord
from discovery.candidate import Candidate, Refused, check
from discovery.draws import key
from discovery.evaluation import Evaluated, Evaluation
from discovery.execution.base import StageResult
from discovery.lifting import Literal, Numbers, literals, relevant
from evaluators.task import Task, aggregate, breach_of, mean_of
from searchspaces.space import ParameterValue
from searchspaces.tuner import Finished, Suggestion, Tuner

LIFTED, GAINED = "lifted", "lifted gain"
"""Ledger events: the literals that a study may change, and what those gained in a child."""


@dataclass(frozen=True)
class Tuned:
    """A child better than its parent on the search split. ``gain`` is relative to the parent's score; ``lifted`` is
    what literals have to do with it."""

    candidate: Candidate
    evaluated: Evaluated
    gain: float
    lifted: Json | None = None


class Tuning:
    """Studies of one run. Thread-safe: studies are independent of one another."""

    def __init__(
        self,
        run: str,
        seed: int,
        *,
        task: Task,
        ledger: Ledger,
        evaluation: Evaluation,
        trials: int,
        lift: bool = False,
        recorded: str | None = None,
    ) -> None:
        """``recorded``: the run whose trials are taken where they are the same; of a replay whose scores are
        measured, so that running them again would give others."""
        self._run, self._seed, self._trials, self._lift = run, seed, trials, lift
        self._recorded = recorded
        self._task, self._ledger, self._evaluation = task, ledger, evaluation

    @property
    def runs(self) -> int:
        """Most evaluations of a study. Its first trial has the stored scores; with literals there may be a trial more
        than probes left, and one evaluation tells what the literals gained."""
        return self._trials - 1 + (2 if self._lift else 0)

    def tunable(self, candidate: Candidate) -> bool:
        """Whether there is a number to tune."""
        return bool(candidate.space) or (self._lift and bool(literals(candidate)))

    def tune(self, k: int, candidate: Candidate, evaluated: Evaluated) -> Tuned | None:
        """The study of slot ``k``, whose candidate was scored in full. None when no trial beats the defaults."""
        if evaluated.score is None:
            raise ValueError(f"slot {k} has no score, so its numbers cannot be tuned")
        numbers, trials = self._numbers(k, candidate, evaluated)
        if not numbers.space:
            return None
        seed = key(self._seed, k, 0, "tune")
        study = self._ledger.start_study(self._run, k, seed=seed, n_trials=trials)
        tuner = Tuner(
            numbers.space,
            numbers.defaults,
            seed=seed,
            direction=self._task.direction,
            mean=mean_of(self._task),
        )
        kept = {t.number: t for t in self._ledger.trials(study.id)}
        before = self._before(k, candidate)
        done: dict[tuple[tuple[str, ParameterValue], ...], Finished] = {}
        results: dict[int, StageResult] = {}
        best = Finished(0, numbers.defaults, "complete", evaluated.scores, evaluated.score)
        for number in range(trials):
            suggestion = tuner.ask()
            point = tuple(sorted(suggestion.parameters.items()))
            if number in kept:
                finished = _finished(kept[number], suggestion)
            elif point in done or number == 0:
                same = done.get(point, best)
                finished = Finished(number, suggestion.parameters, same.state, same.scores, same.value)
            elif number in before and before[number].parameters == dict(suggestion.parameters):
                finished = _finished(before[number], suggestion)
            else:
                values = suggestion.parameters
                result = self._evaluation.trial(
                    candidate, numbers.code(values), numbers.declared(values), tuner.watch()
                )
                finished = judged(self._task, suggestion, result)
                results[number] = result
            if number not in kept:
                self._ledger.add_trial(study.id, _record(finished))
            tuner.tell(finished)
            done.setdefault(point, finished)
            if self._better(finished, best):
                best = finished
        self._ledger.finish_study(study.id)
        return self._child(numbers, evaluated, best, results) if best.number else None

    def _before(self, k: int, candidate: Candidate) -> dict[int, TrialRecord]:
        """The recorded run's trials of the same candidate in the same slot, by number."""
        recorded = self._recorded
        study = self._ledger.study(recorded, k) if recorded is not None else None
        if recorded is None or study is None:
            return {}
        same = any(
            (e.k, e.kind, e.candidate) == (k, "own", candidate.hash) for e in self._ledger.entries(recorded)
        )
        return {t.number: t for t in self._ledger.trials(study.id)} if same else {}

    # -- literals -----------------------------------------------------------------------------------------------------

    def _numbers(self, k: int, candidate: Candidate, evaluated: Evaluated) -> tuple[Numbers, int]:
        """What the study of slot ``k`` may change, and its trials: probes of literals are paid for in trials. Written
        down before the first trial, since a probe may end by the clock."""
        found = literals(candidate) if self._lift else ()
        if not found:
            return Numbers(candidate), self._trials
        events = [e.data for e in self._ledger.events(self._run, LIFTED) if e.data.get("k") == k]
        if not events:
            groups = len({i.group for i in self._task.instances("search")})
            matter, probes = relevant(
                Numbers(candidate, found),
                evaluated.scores,
                groups,
                lambda code, count: self._evaluation.trial(candidate, code, {}, None, count),
                measured=self._task.measured,
            )
            data: Json = {"k": k, "trials": probes, "literals": [_told(x) for x in found if x.name in matter]}
            self._ledger.add_event(self._run, LIFTED, data)
            events = [data]
        rows, spent = events[0]["literals"], events[0]["trials"]
        assert isinstance(rows, list) and isinstance(spent, int)
        names = {row["name"] for row in rows}
        kept = tuple(x for x in found if x.name in names)
        return Numbers(candidate, kept), max(2, self._trials - spent) if kept else self._trials

    def _gained(
        self, numbers: Numbers, values: Mapping[str, ParameterValue], parent: float, own: float
    ) -> Json | None:
        """What the literals of a child gained, relative to the parent's score. Where declared parameters moved as well,
        they are run without the literals, so that each has its own part."""
        moved = numbers.lifted(values)
        if not moved:
            return None
        declared = numbers.declared(values)
        base = parent
        if any(numbers.candidate.defaults[n] != v for n, v in declared.items()):
            result = self._evaluation.trial(numbers.candidate, numbers.candidate.code, declared, None)
            if result.outcome == "scored":
                base = _score(self._task, result)
        told = [{**_told(x), "now": values[x.name]} for x in moved]
        return {"gain": self._gain(base, own, parent), "literals": told}

    # -- trials and the child -----------------------------------------------------------------------------------------

    def _better(self, a: Finished, b: Finished) -> bool:
        if a.value is None or b.value is None:
            return False
        return a.value < b.value if self._task.direction == "minimize" else a.value > b.value

    def _gain(self, before: float, after: float, unit: float) -> float:
        """The step from one score to another, relative to ``unit``; positive is better."""
        difference = before - after if self._task.direction == "minimize" else after - before
        return difference / abs(unit) if unit else 0.0

    def _child(
        self, numbers: Numbers, evaluated: Evaluated, best: Finished, results: Mapping[int, StageResult]
    ) -> Tuned | None:
        try:
            child = check(numbers.text(best.parameters), self._task.interface)
        except Refused:  # longer numbers can make a text too long
            return None
        own = self._evaluation.adopt(child, results.get(best.number))
        if own.score is None or evaluated.score is None:
            return None
        if self._gain(evaluated.score, own.score, 1.0) <= 0:  # measured again, after a crash, it is no better
            return None
        gain = self._gain(evaluated.score, own.score, evaluated.score)
        lifted = self._gained(numbers, best.parameters, evaluated.score, own.score)
        return Tuned(child, own, gain, lifted)


def judged(task: Task, suggestion: Suggestion, result: StageResult) -> Finished:
    """What a trial on the search split is told to the tuner as. One that fails has no scores, but for one that ran to
    its end and does not keep what the task wants kept: from that the sampler learns."""
    number, parameters = suggestion.number, suggestion.parameters
    if result.outcome == "scored":
        return Finished(number, parameters, "complete", result.scores, _score(task, result))
    if result.outcome == "stopped":
        return Finished(number, parameters, "pruned", result.scores, None)
    search = task.instances("search")
    ended = len(result.values) == len(search) and breach_of(task, search, result.values) is not None
    return Finished(number, parameters, "failed", result.scores if ended else (), None)


def _score(task: Task, result: StageResult) -> float:
    """The score of a complete trial."""
    return aggregate(task.instances("search").instances, result.scores, mean_of(task))


def _told(literal: Literal) -> dict[str, object]:
    """A literal as the ledger keeps it."""
    return {"name": literal.name, "line": literal.line, "was": literal.value}


def _record(finished: Finished) -> TrialRecord:
    return TrialRecord(
        finished.number, dict(finished.parameters), finished.state, finished.scores, finished.value
    )


def _finished(record: TrialRecord, suggestion: Suggestion) -> Finished:
    return Finished(record.number, suggestion.parameters, record.state, record.scores, record.value)
