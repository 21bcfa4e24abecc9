"""Trials of a run's studies, as jobs that give their scores again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from db.ledger import Ledger
from db.records import RunRecord, TrialRecord
from discovery.candidate import Refused, check
from discovery.execution.base import StageJob, StageResult
from discovery.lifting import Numbers, literals
from discovery.tuning import LIFTED
from evaluators.task import InstanceSet, Task
from searchspaces.space import ParameterValue


@dataclass(frozen=True)
class Trial:
    """A trial with scores, and the job that gives them again."""

    name: str
    record: TrialRecord
    job: StageJob

    def compared(self, result: StageResult) -> str | None:
        """What does not agree; None when all does."""
        again = "rejected" if self.record.state == "failed" else "scored"
        if result.outcome == again and result.scores == self.record.scores:
            return None
        return f"{self.name}: run again it ended as {result.outcome} with other scores than recorded"


def trials(ledger: Ledger, task: Task, run: RunRecord) -> Iterator[Trial]:
    """The trials of all studies that have scores of their own: not the first, which has the candidate's, and one for
    equal parameters."""
    split = task.instances("search")
    own = {e.k: e.candidate for e in ledger.entries(run.id) if e.kind == "own"}
    lifted = {e.data.get("k"): e.data.get("literals") for e in ledger.events(run.id, LIFTED)}
    for study in ledger.studies(run.id):
        hash_ = own.get(study.k)
        if hash_ is None:  # its batch was never integrated
            continue
        try:
            candidate = check(ledger.candidate_code(hash_), task.interface)
        except Refused:  # the rules for candidates have changed
            continue
        rows = lifted.get(study.k)
        names = {str(row["name"]) for row in rows} if isinstance(rows, list) else set[str]()
        kept = tuple(x for x in literals(candidate) if x.name in names) if names else ()
        numbers, seen = Numbers(candidate, kept), set[tuple[tuple[str, object], ...]]()
        for trial in ledger.trials(study.id):
            point = tuple(sorted(trial.parameters.items()))
            if trial.number and trial.scores and point not in seen:
                values = cast("dict[str, ParameterValue]", dict(trial.parameters))
                part = InstanceSet(split.name, split.instances[: trial.m])
                job = StageJob(
                    numbers.code(values), part, numbers.declared(values), part=trial.m < len(split)
                )
                yield Trial(f"trial {trial.number} of slot {study.k}", trial, job)
            seen.add(point)
