"""Stages of an evaluation over the ledger: what is stored is not run again, what runs is stored at once.

A stored evaluation is the prefix of m scores in the set's order and only ever extended; verdicts on prefixes (the
early stop) are pure functions and apply alike to stored scores.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from db.ledger import Ledger
from db.records import CandidateText, EvaluationRecord
from discovery.candidate import Candidate
from discovery.execution.base import Executor, Outcome, StageJob, StageResult, Watch
from discovery.execution.stage import kept
from discovery.population.behaviour import of_scores
from discovery.statistics import EarlyStop
from evaluators.policy import PolicyTask
from evaluators.task import InstanceSet, Task, aggregate, mean_of

ANSWER_BYTES_KEPT = 8_000_000
"""Answers of a set larger than this are kept as their digest only."""


@dataclass(frozen=True)
class Evaluated:
    """A candidate on one set. ``score`` exists only for the outcome "scored"; ``m`` counts the instances whose scores
    count (a stopped candidate keeps those up to the look that stopped it)."""

    outcome: Outcome
    reason: str
    score: float | None
    scores: tuple[float, ...]
    cpu: tuple[float, ...]
    marginal: bool = False
    slow: bool = False
    behaviour: str = ""
    """Equal for valid candidates that answered alike, as far as they were run."""
    values: tuple[float, ...] = ()
    lines: int | None = None
    """Lines executed on the screen; None where they were not counted."""

    @property
    def m(self) -> int:
        return len(self.scores)

    @property
    def valid(self) -> bool:
        """Whether the candidate ran well as far as it was run."""
        return self.outcome in ("scored", "stopped")


def chain(start: str, answers: Sequence[bytes]) -> str:
    """Running SHA-256 over answers; extending a stored prefix gives the digest of the whole."""
    digest = start
    for answer in answers:
        digest = hashlib.sha256(digest.encode() + answer).hexdigest()
    return digest


class Evaluation:
    """Runs stages of candidates on an executor and keeps them in the ledger. Thread-safe as the two are."""

    def __init__(self, task: Task, executor: Executor, ledger: Ledger) -> None:
        self._task = task
        self._executor = executor
        self._ledger = ledger
        self.call_limits: dict[int, float] = {}
        """The run's call limit by instance size, s; set once the seeds are scored."""

    @property
    def isolated(self) -> bool:
        """Whether candidates run in the sandbox."""
        return self._executor.isolated

    def stored(self, hash_: str, instances: InstanceSet) -> EvaluationRecord | None:
        """What the ledger has of this code on this set, under this evaluator version and isolation."""
        return self._recorded(hash_, instances).get(instances.digest)

    def search(self, candidate: Candidate, rival: Sequence[float] | None) -> Evaluated:
        """Screen and search split in one child, stopped early against ``rival`` (scores of the island's median member).

        A passed screen is not stored: the search split's row, which is written with it, says as much."""
        screen, split = self._task.instances("screen"), self._task.instances("search")
        recorded = self._recorded(candidate.hash, screen, split)
        stop = (
            EarlyStop(tuple(rival), self._task.direction, mean_of(self._task)) if rival is not None else None
        )
        if split.digest in recorded:
            found = self._continued(candidate, split, recorded[split.digest], stop)
            return self._described(candidate, found)
        failed = recorded.get(screen.digest)
        if failed is None:
            job = replace(self._job(candidate, split, None, stop), screen=screen, counted=True)
            result = self._executor.submit(job).result()
            if result.passed:
                return self._ended(candidate, split, None, stop, result)
            assert result.screen is not None
            failed = self._keep(candidate, self._merge(candidate, screen, None, result.screen))
        return self._refused(failed, screen)

    def found(self, hashes: Iterable[str], instances: InstanceSet) -> dict[str, Evaluated]:
        """What is stored of these candidates on this set; nothing is run."""
        records = self._ledger.evaluations_on(
            instances.digest, list(hashes), self._task.version, self._executor.isolated
        )
        return {hash_: self._view(record, instances, None) for hash_, record in records.items()}

    def _recorded(self, hash_: str, *sets: InstanceSet) -> dict[str, EvaluationRecord]:
        """What the ledger has of this code on these sets, by their digest."""
        digests = tuple(s.digest for s in sets)
        return self._ledger.evaluations(hash_, digests, self._task.version, self._executor.isolated)

    def _refused(self, record: EvaluationRecord, screen: InstanceSet) -> Evaluated:
        """A candidate that failed on the screen: those scores do not count."""
        return replace(self._view(record, screen, None), scores=(), score=None)

    def stage(self, candidate: Candidate, instances: InstanceSet, stop: EarlyStop | None = None) -> Evaluated:
        """One set in one child. Stored scores are used first; the rest is run, and stored before this returns."""
        return self._continued(candidate, instances, self.stored(candidate.hash, instances), stop)

    def _described(self, candidate: Candidate, found: Evaluated) -> Evaluated:
        """``found`` on the search split with the lines that the screen takes: where they were not counted with it, they
        are counted now, so that what is known of a candidate does not depend on who ran it first."""
        if found.score is None or found.lines is not None:
            return found
        result = self._count(candidate)
        record = self.stored(candidate.hash, self._task.instances("search"))
        if result.lines is None or record is None:
            return found
        self._keep(candidate, replace(record, lines=result.lines))
        return replace(found, lines=result.lines)

    def _count(self, candidate: Candidate) -> StageResult:
        """The screen alone, with its lines."""
        job = replace(
            self._job(candidate, self._task.instances("screen"), None, None), counted=True, inside=True
        )
        return self._executor.submit(job).result()

    def _continued(
        self,
        candidate: Candidate,
        instances: InstanceSet,
        record: EvaluationRecord | None,
        stop: EarlyStop | None,
    ) -> Evaluated:
        total = len(instances)
        if record is not None:
            # A look comes before a later failure, as it does where nothing is stored.
            looked = stop.stops_at(record.scores, total) if stop else None
            failed = record.outcome not in ("scored", "stopped")
            if looked is not None or failed or record.m == total:
                return self._view(record, instances, looked)
        result = self._executor.submit(self._job(candidate, instances, record, stop)).result()
        return self._ended(candidate, instances, record, stop, result)

    def _ended(
        self,
        candidate: Candidate,
        instances: InstanceSet,
        record: EvaluationRecord | None,
        stop: EarlyStop | None,
        result: StageResult,
    ) -> Evaluated:
        """Store what a job gave, behind the prefix ``record``, and say what it means."""
        record = self._keep(candidate, self._merge(candidate, instances, record, result))
        looked = None
        if stop is not None and record.outcome in ("scored", "stopped"):
            looked = stop.stops_at(record.scores, len(instances))
        return self._view(record, instances, looked)

    def whole(self, candidate: Candidate, instances: InstanceSet) -> Evaluated:
        """A large set (gate, report) in as many children as there are workers, at once."""
        record = self.stored(candidate.hash, instances)
        if record is None:
            jobs = parts(candidate.code, instances, self._executor.workers)
            named = [replace(job, candidate=candidate.hash) for job in jobs]
            results = [f.result() for f in [self._executor.submit(job) for job in named]]
            result = joined(self._task, instances, results)
            record = self._keep(candidate, self._merge(candidate, instances, None, result))
        return self._view(record, instances, None)

    def trial(
        self,
        candidate: Candidate,
        code: str,
        parameters: Mapping[str, float | int | str],
        watch: Watch | None,
        count: int | None = None,
    ) -> StageResult:
        """One tuning trial of the candidate, whose numbers may be others in ``code``, on the search split, or on its
        first ``count`` instances, in one child; the caller records it."""
        whole = self._task.instances("search")
        instances = whole if count is None else InstanceSet(whole.name, whole.instances[:count])
        job = StageJob(
            code,
            instances,
            dict(parameters),
            watch=watch,
            call_limits=self.call_limits,
            part=count is not None,
            candidate=candidate.hash,
            purpose="trial",
        )
        return self._executor.submit(job).result()

    def adopt(self, candidate: Candidate, trial: StageResult | None) -> Evaluated:
        """A tuned child on the search split: its screen, then the complete ``trial`` that ran with its defaults as its
        evaluation. Without one (the trial was run before a crash) the child is run, which gives the same scores unless
        they are measured."""
        screen, split = self._task.instances("screen"), self._task.instances("search")
        recorded = self._recorded(candidate.hash, screen, split)
        if split.digest not in recorded and trial is not None:
            failed = recorded.get(screen.digest)
            if failed is None:
                result = self._count(candidate)
                if result.outcome == "scored":
                    made = self._merge(candidate, split, None, replace(trial, lines=result.lines))
                    return self._view(self._keep(candidate, made), split, None)
                failed = self._keep(candidate, self._merge(candidate, screen, None, result))
            return self._refused(failed, screen)
        return self.search(candidate, None)

    def confirm(self, candidate: Candidate) -> str | None:
        """Run the search split again in another zygote and in reversed order, and keep the answers. Returns what
        differs from the stored scores, or None when all are equal. Policies run beside their simulator there, inside
        the sandbox: their event logs must be those that came from outside. Scores that are measured never come again;
        there the answers must."""
        instances = self._task.instances("search")
        record = self.stored(candidate.hash, instances)
        if record is None or record.m != len(instances):
            raise ValueError(f"candidate {candidate.hash[:8]} is not fully scored, so it cannot be confirmed")
        if record.answers is not None:
            return None
        job = replace(
            self._job(candidate, instances, None, None), confirm=True, inside=True, purpose="confirmation"
        )
        result = self._executor.submit(job).result()
        if result.outcome != "scored":
            return f"run again in reversed order it ended as {result.outcome}: {result.reason}"
        digest = chain("", result.answers)
        pairs = zip(instances, record.scores, result.scores, strict=True)
        differ = [] if self._task.measured else [i.id for i, a, b in pairs if a != b]
        if differ:
            return f"run again in reversed order it scores differently on {len(differ)} instances, first {differ[0]}"
        if self._task.measured and digest != record.answers_digest:
            return "run again in reversed order it gives other answers"
        if isinstance(self._task, PolicyTask) and digest != record.answers_digest:
            return "run again beside its simulator it gives the same scores, but other event logs"
        kept = b"".join(result.answers)
        if len(kept) <= ANSWER_BYTES_KEPT:
            self._keep(candidate, replace(record, answers=kept, answers_digest=digest))
        return None

    def _keep(self, candidate: Candidate, record: EvaluationRecord) -> EvaluationRecord:
        """Store a record and return what the ledger then holds. When another run has stored this code's evaluation in
        the meantime and the two differ (a clock's verdict), the first one stands."""
        text = CandidateText(candidate.hash, candidate.code, candidate.nodes)
        try:
            return self._ledger.store_evaluation(record, text)
        except ValueError:
            first = self._ledger.evaluation(
                record.candidate, record.set_digest, record.evaluator_version, record.isolated
            )
            if first is None:
                raise
            return first

    def _job(
        self,
        candidate: Candidate,
        instances: InstanceSet,
        record: EvaluationRecord | None,
        stop: EarlyStop | None,
    ) -> StageJob:
        return StageJob(
            candidate.code,
            instances,
            {},
            prior=record.scores if record is not None else (),
            prior_values=record.values if record is not None else (),
            watch=stop,
            call_limits=self.call_limits,
            candidate=candidate.hash,
        )

    def _merge(
        self,
        candidate: Candidate,
        instances: InstanceSet,
        record: EvaluationRecord | None,
        result: StageResult,
    ) -> EvaluationRecord:
        old = (record.scores, record.values, record.cpu) if record is not None else ((), (), ())
        valid = result.outcome in ("scored", "stopped")
        scores = (*old[0], *result.scores)
        return EvaluationRecord(
            candidate=candidate.hash,
            set_digest=instances.digest,
            set_name=instances.name,
            set_size=len(instances),
            evaluator_version=self._task.version,
            isolated=self._executor.isolated,
            outcome="scored" if valid and len(scores) == len(instances) else result.outcome,
            reason=result.reason,
            scores=scores,
            values=(*old[1], *result.values),
            cpu=(*old[2], *result.cpu)[: len(scores)],
            answers_digest=chain(record.answers_digest if record is not None else "", result.answers),
            answers=None,
            output=result.output or None,
            marginal=result.marginal or (record is not None and record.marginal),
            slow=result.slow or (record is not None and record.slow),
            lines=result.lines if record is None else record.lines,
        )

    def _view(self, record: EvaluationRecord, instances: InstanceSet, looked: int | None) -> Evaluated:
        scored = looked is None and record.outcome == "scored"
        m = record.m if looked is None else looked
        return Evaluated(
            outcome=record.outcome if looked is None else "stopped",
            reason=record.reason if looked is None else "",
            score=aggregate(instances.instances, record.scores, mean_of(self._task)) if scored else None,
            scores=record.scores[:m],
            cpu=record.cpu[:m] if looked is not None else record.cpu,
            marginal=record.marginal,
            slow=record.slow,
            behaviour=record.answers_digest if scored else of_scores(record.scores[:m]),
            values=record.values[:m],
            lines=record.lines,
        )


def parts(code: str, instances: InstanceSet, workers: int) -> list[StageJob]:
    """A set as one job a worker. Contiguous parts: classes and sizes alternate in a set's order, so equal parts are
    equal work."""
    count = min(workers, len(instances))
    cuts = [len(instances) * k // count for k in range(count + 1)]
    return [
        StageJob(code, InstanceSet(instances.name, instances.instances[a:b]), {}, part=True)
        for a, b in itertools.pairwise(cuts)
    ]


def joined(task: Task, instances: InstanceSet, results: Sequence[StageResult]) -> StageResult:
    """Results of consecutive parts of a set as one; the first failure decides, and then what the task wants kept over
    the whole set."""
    failed = next((r for r in results if r.outcome != "scored"), None)
    if failed is not None:
        return replace(failed, scores=(), values=(), cpu=(), answers=())
    whole = StageResult(
        outcome="scored",
        reason="",
        scores=tuple(s for r in results for s in r.scores),
        values=tuple(v for r in results for v in r.values),
        cpu=tuple(c for r in results for c in r.cpu),
        answers=tuple(a for r in results for a in r.answers),
        marginal=any(r.marginal for r in results),
        slow=any(r.slow for r in results),
    )
    return kept(task, instances, whole)
