"""One stored evaluation against what its answers, or a new run of its candidate, give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db.records import EvaluationRecord
from discovery.escape import plain
from discovery.evaluation import chain
from discovery.execution.base import StageJob, StageResult
from evaluators.task import Instance, InstanceSet, InvalidAnswer, Task, breach_of

REPEATABLE = frozenset({"scored", "stopped", "rejected", "error", "killed"})
"""Outcomes that a second run must give again. A time-out depends on the machine, a quarantine on what led to it."""
NAME = 8


@dataclass(frozen=True)
class Stored:
    """An evaluation of the ledger and the instances that it is about. Scores that are ``measured`` do not come again,
    so that only the answers are compared."""

    record: EvaluationRecord
    instances: InstanceSet
    measured: bool = False

    @property
    def name(self) -> str:
        return f"candidate {self.record.candidate[:NAME]} on {plain(self.record.set_name)}"

    @property
    def valid(self) -> bool:
        return self.record.outcome in ("scored", "stopped")

    def job(self, code: str) -> StageJob:
        """What runs it again: the instances that it holds, and the one it failed on."""
        count = self.record.m + (not self.valid)
        some = InstanceSet(self.instances.name, self.instances.instances[:count])
        return StageJob(code, some, {}, part=count < len(self.instances))


def recomputed(task: Task, stored: Stored) -> str | None:
    """What does not agree when the referee judges the kept answers; no candidate is run. None when all agrees."""
    record, instances = stored.record, stored.instances.instances[: stored.record.m]
    answers = list(_split(record.answers or b"", instances))
    if sum(map(len, answers)) != len(record.answers or b"") or chain("", answers) != record.answers_digest:
        return f"{stored.name}: the answers kept are not those that were hashed"
    values, scores = [], []
    for instance, answer in zip(instances, answers, strict=True):
        try:
            judgement = task.judge(instance, answer)
        except InvalidAnswer as error:
            return f"{stored.name}: the answer kept for {plain(instance.id)} is refused: {plain(str(error), limit=200)}"
        values.append(judgement.value)
        scores.append(judgement.score)
    why = breach_of(task, stored.instances, values) if record.outcome == "scored" else None
    if why is not None:
        return f"{stored.name}: it is recorded as scored, and is to be rejected: {plain(why, limit=200)}"
    return _differ(stored, scores, values)


def compared(stored: Stored, result: StageResult) -> str | None:
    """What does not agree between an evaluation and a new run of it. None when all agrees."""
    record = stored.record
    again = "scored" if stored.valid else record.outcome
    if result.outcome != again:
        reason = f": {plain(result.reason, limit=120)}" if result.reason else ""
        return f"{stored.name}: run again it ended as {result.outcome}{reason}; {record.outcome} is recorded"
    if (stored.valid or stored.measured) and chain("", result.answers) != record.answers_digest:
        though = "" if stored.measured else ", though with the same scores"
        differ = _differ(stored, result.scores, result.values)
        return differ or f"{stored.name}: run again it gives other answers{though}"
    return _differ(stored, result.scores, result.values)


def _split(blob: bytes, instances: Sequence[Instance]) -> Iterator[bytes]:
    """The kept answers one by one."""
    at = 0
    for instance in instances:
        yield blob[at : at + instance.answer_bytes]
        at += instance.answer_bytes


def _differ(stored: Stored, scores: Sequence[float], values: Sequence[float]) -> str | None:
    record = stored.record
    pairs = zip(record.scores, record.values, scores, values, stored.instances, strict=False)
    differ = [] if stored.measured else [(i, a, b) for a, v, b, w, i in pairs if (a, v) != (b, w)]
    if not differ and len(scores) == record.m:
        return None
    if not differ:
        return f"{stored.name}: {record.m} scores are recorded, {len(scores)} came again"
    instance, was, now = differ[0]
    return (
        f"{stored.name}: {len(differ)} of {record.m} scores differ, first that of {plain(instance.id)} "
        f"({was!r} is recorded, it is {now!r})"
    )
