"""Studies of the tuner and their trials. A trial is written as it ends and told again on resume."""

from __future__ import annotations

from typing import Any, cast, get_args

from sqlalchemy import Row, Table, func, select, update

from db.engine import Store, insert_new
from db.models import Entry, Study, Trial
from db.packing import dump, load, pack, unpack
from db.records import StudyId, StudyRecord, StudyState, TrialRecord, TrialState

_STUDY = Study.__table__


class Studies(Store):
    def start_study(self, run: str, k: int, *, seed: int, n_trials: int) -> StudyRecord:
        """The study of slot ``k``, made if there is none. Raises ValueError when the stored one differs in seed or
        number of trials. Its entry is filled in when the batch is integrated."""
        row: dict[str, object] = {"run": run, "k": k, "seed": seed, "n_trials": n_trials, "state": "running"}
        with self.writing() as c:
            insert_new(c, cast(Table, _STUDY), row)
            found = _study(c.execute(select(_STUDY).where(Study.run == run, Study.k == k)).one())
        if (found.seed, found.n_trials) != (seed, n_trials):
            raise ValueError(f"the study of slot {k} has seed {found.seed} and {found.n_trials} trials")
        return found

    def finish_study(self, study: StudyId, state: StudyState = "done") -> None:
        if state not in get_args(StudyState):
            raise ValueError(f"unknown state {state!r} of a study")
        with self.writing() as c:
            c.execute(update(Study).where(Study.id == study).values(state=state))

    def study(self, run: str, k: int) -> StudyRecord | None:
        with self.reading() as c:
            row = c.execute(select(_STUDY).where(Study.run == run, Study.k == k)).first()
        return None if row is None else _study(row)

    def studies(self, run: str) -> tuple[StudyRecord, ...]:
        """In order of k."""
        with self.reading() as c:
            return tuple(
                _study(r) for r in c.execute(select(_STUDY).where(Study.run == run).order_by(Study.k))
            )

    def add_trial(self, study: StudyId, trial: TrialRecord) -> bool:
        """Write a trial that ended. True if it is new; a number that is there keeps its first record."""
        if trial.state not in get_args(TrialState):
            raise ValueError(f"unknown state {trial.state!r} of a trial")
        row: dict[str, object] = {
            "study": study,
            "number": trial.number,
            "parameters": dump(trial.parameters),
            "state": trial.state,
            "m": trial.m,
            "scores": pack(trial.scores),
            "value": trial.value,
        }
        with self.writing() as c:
            return insert_new(c, cast(Table, Trial.__table__), row)

    def evaluated(self, run: str) -> int:
        """Evaluations of a run's integrated batches: slots whose candidate was not known to it, and the trials of their
        studies but the first, which has the candidate's own scores. What an earlier run had stored counts all the
        same, so that equal runs have equal counts."""
        own = select(func.count()).where(
            Entry.run == run,
            Entry.kind == "own",
            Entry.candidate.is_not(None),
            Entry.duplicate_of.is_(None),
            Entry.outcome != "refused",  # a near-copy, which is not run
        )
        tried = (
            select(func.count())
            .select_from(Trial)
            .join(Study, Study.id == Trial.study)
            .join(Entry, (Entry.run == Study.run) & (Entry.k == Study.k) & (Entry.kind == "own"))
            .where(Study.run == run, Trial.number > 0)
        )
        with self.reading() as c:
            return int(c.execute(own).scalar_one()) + int(c.execute(tried).scalar_one())

    def trials(self, study: StudyId) -> tuple[TrialRecord, ...]:
        """In order of their numbers."""
        statement = select(Trial.__table__).where(Trial.study == study).order_by(Trial.number)
        with self.reading() as c:
            return tuple(
                TrialRecord(r.number, load(r.parameters), r.state, unpack(r.scores), r.value)
                for r in c.execute(statement)
            )


def _study(row: Row[Any]) -> StudyRecord:
    return StudyRecord(**row._mapping)
