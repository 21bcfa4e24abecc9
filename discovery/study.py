"""Tuning outside any run: one candidate's numbers on the search split. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from discovery.candidate import Refused, check
from discovery.draws import key
from discovery.errors import NothingValid, UsageError
from discovery.execution.base import Executor, StageJob, StageResult, Watch
from discovery.execution.make import make_executor
from discovery.lifting import Literal, Numbers, literals, relevant
from discovery.tuning import judged
from evaluators.task import InstanceSet, Task, aggregate, mean_of
from searchspaces.space import ParameterValue
from searchspaces.tuner import Finished, Tuner

Say = Callable[[str], None]


@dataclass(frozen=True)
class TuneReport:
    """``code`` is the tuned text (the text as given, to the letter, when no trial was better)."""

    code: str
    default_score: float
    tuned_score: float
    parameters: Mapping[str, ParameterValue]
    trials: int
    literals: tuple[Literal, ...] = ()
    """Numbers in the code that were tuned beside the declared parameters, under names of their own."""


def tune_text(
    code: str,
    task: Task,
    *,
    trials: int,
    seed: int,
    lift: bool = False,
    unsafe: bool = False,
    progress: Say | None = None,
) -> TuneReport:
    """Tune a candidate's declared numbers on the search split, and with ``lift`` the literals in its code that matter
    there; trial 0 is the candidate as it is.

    Raises UsageError when there is nothing to tune or it is refused, NothingValid when as it is it has no score."""
    try:
        candidate = check(code, task.interface)
    except Refused as error:
        raise UsageError(f"this is not a candidate for task {task.name!r}: {error}") from None
    found = Numbers(candidate, literals(candidate) if lift else ())
    if not found.space:
        raise UsageError(
            "the candidate declares no SEARCH_SPACE"
            + (" and has no number to lift" if lift else "")
            + ", so there is nothing to tune"
            + ("" if lift else "; --lift-constants tunes numbers that stand in the code")
        )
    executor = make_executor(task, "local", 1, unsafe=unsafe)
    try:
        return _tuned(Study(task, executor, seed, progress), found, trials)
    finally:
        executor.close()


def _tuned(study: Study, found: Numbers, trials: int) -> TuneReport:
    """The report of a study that begins with the candidate as it is and a look at which literals matter."""
    first = study.run(found, {}, None)
    if first.outcome != "scored":
        raise NothingValid(f"with its own numbers it ended as {first.outcome}: {first.reason}")
    default = aggregate(study.instances.instances, first.scores, mean_of(study.task))
    names, spent = relevant(
        found,
        first.scores,
        study.groups,
        lambda code, count: study.job(code, {}, None, count),
        measured=study.task.measured,
    )
    numbers = Numbers(found.candidate, tuple(x for x in found.literals if x.name in names))
    if not numbers.space:
        raise UsageError(
            "no number in the code changes a score on the search split, so there is nothing to tune"
        )
    if study.progress is not None and found.literals:
        study.progress(f"{len(numbers.literals)} of {len(found.literals)} numbers in the code matter")
    left = max(2, trials - spent)
    best = study.best(numbers, left, first.scores, default)
    assert best.value is not None
    text = numbers.text(best.parameters) if best.number else numbers.candidate.code
    return TuneReport(text, default, best.value, best.parameters, left + spent, numbers.literals)


@dataclass(frozen=True)
class Study:
    """Trials of one candidate outside any run."""

    task: Task
    executor: Executor
    seed: int
    progress: Say | None

    @property
    def instances(self) -> InstanceSet:
        return self.task.instances("search")

    @property
    def groups(self) -> int:
        return len({i.group for i in self.instances})

    def job(
        self,
        code: str,
        parameters: Mapping[str, ParameterValue],
        watch: Watch | None,
        count: int | None = None,
    ) -> StageResult:
        whole = self.instances
        part = count is not None
        instances = InstanceSet(whole.name, whole.instances[:count]) if part else whole
        job = StageJob(code, instances, dict(parameters), watch=watch, part=part)
        return self.executor.submit(job).result()

    def run(self, numbers: Numbers, values: Mapping[str, ParameterValue], watch: Watch | None) -> StageResult:
        return self.job(numbers.code(values), numbers.declared(values), watch)

    def best(self, numbers: Numbers, trials: int, scores: tuple[float, ...], value: float) -> Finished:
        """The best of ``trials``; number 0, whose ``scores`` are known, when none is better."""
        task, sign = self.task, 1 if self.task.direction == "minimize" else -1
        tuner = Tuner(
            numbers.space,
            numbers.defaults,
            seed=key(self.seed, "tune"),
            direction=task.direction,
            mean=mean_of(task),
        )
        own = {name: numbers.defaults[name] for name in numbers.space}
        tuner.ask()
        best = Finished(0, own, "complete", scores, value)
        tuner.tell(best)
        for number in range(1, trials):
            suggestion = tuner.ask()
            finished = judged(task, suggestion, self.run(numbers, suggestion.parameters, tuner.watch()))
            tuner.tell(finished)
            found = finished.value
            if found is not None and best.value is not None and sign * found < sign * best.value:
                best = finished
            if self.progress is not None:
                self.progress(f"trial {number + 1}/{trials}: {finished.state}, best {best.value}")
        return best
