"""Candidates and their evaluations. A stored evaluation is a prefix of scores, only ever extended."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast, get_args

from sqlalchemy import Connection, Row, Table, bindparam, or_, select, update

from db.engine import Store, insert_new
from db.errors import LedgerUnknown
from db.models import Candidate, Evaluation
from db.packing import clean, pack, squeeze, stretch, unpack
from db.records import CandidateText, EvaluationOutcome, EvaluationRecord

OUTPUT_BYTES = 4096
OPEN_OUTCOMES = frozenset({"scored", "stopped"})
"""Outcomes that more instances may follow; all others are final."""
_FIND = select(Evaluation.__table__).where(
    Evaluation.candidate == bindparam("_candidate"),
    Evaluation.set_digest == bindparam("_set"),
    Evaluation.evaluator_version == bindparam("_version"),
    Evaluation.isolated == bindparam("_isolated"),
)
_FIND_LOCKED = _FIND.with_for_update()
# Two sets by two parameters: an expanding IN is compiled anew at every call, half a millisecond each.
_FIND_TWO = select(Evaluation.__table__).where(
    Evaluation.candidate == bindparam("_candidate"),
    or_(Evaluation.set_digest == bindparam("_set"), Evaluation.set_digest == bindparam("_other")),
    Evaluation.evaluator_version == bindparam("_version"),
    Evaluation.isolated == bindparam("_isolated"),
)


class Evaluations(Store):
    def put_candidate(self, hash: str, code: str, nodes: int) -> bool:  # noqa: A002
        """Store code under its hash unless it is there; the first text wins. True if it is new."""
        with self.writing() as c:
            return _put(c, CandidateText(hash, code, nodes), self._clock())

    def candidate_code(self, hash: str) -> str:  # noqa: A002
        """Raises LedgerError for an unknown hash."""
        with self.reading() as c:
            blob = c.execute(select(Candidate.code).where(Candidate.hash == hash)).scalar()
        if blob is None:
            raise LedgerUnknown(f"there is no candidate {hash} in {self.where}")
        return stretch(blob)

    def candidates(self, hashes: Sequence[str]) -> dict[str, CandidateText]:
        """Those of these candidates that are there, by hash."""
        statement = select(Candidate.hash, Candidate.code, Candidate.nodes).where(Candidate.hash.in_(hashes))
        with self.reading() as c:
            return {r.hash: CandidateText(r.hash, stretch(r.code), r.nodes) for r in c.execute(statement)}

    def evaluation(
        self,
        hash: str,  # noqa: A002
        set_digest: str,
        version: str,
        isolated: bool,
    ) -> EvaluationRecord | None:
        with self.reading() as c:
            row = _find(c, hash, set_digest, version, isolated)
        return None if row is None else _record(row)

    def evaluations(
        self,
        hash: str,  # noqa: A002
        set_digests: Sequence[str],
        version: str,
        isolated: bool,
    ) -> dict[str, EvaluationRecord]:
        """What is stored of one candidate on one set or two, by digest. Raises ValueError for more."""
        if not 1 <= len(set_digests) <= 2:
            raise ValueError(f"one or two sets can be asked for, not {len(set_digests)}")
        values: dict[str, Any] = {"_candidate": hash, "_version": version, "_isolated": isolated}
        values |= {"_set": set_digests[0], "_other": set_digests[-1]}
        with self.reading() as c:
            return {row.set_digest: _record(row) for row in c.execute(_FIND_TWO, values)}

    def evaluations_on(
        self, set_digest: str, hashes: Sequence[str], version: str, isolated: bool
    ) -> dict[str, EvaluationRecord]:
        """What is stored of several candidates on one set, by hash."""
        statement = select(Evaluation.__table__).where(
            Evaluation.candidate.in_(hashes),
            Evaluation.set_digest == set_digest,
            Evaluation.evaluator_version == version,
            Evaluation.isolated == isolated,
        )
        with self.reading() as c:
            return {row.candidate: _record(row) for row in c.execute(statement)}

    def store_evaluation(
        self, new: EvaluationRecord, candidate: CandidateText | None = None
    ) -> EvaluationRecord:
        """Insert an evaluation or extend the stored one; returns what is stored then. Times of instances that were
        stored before stay. Storing the same again changes nothing. ``candidate`` is stored with it unless it is there.

        Raises ValueError when ``new`` is malformed, shorter than the stored prefix, contradicts it, or would change
        an invalid outcome."""
        check(new)
        with self.writing() as c:
            fresh = candidate is not None and _put(c, candidate, self._clock())
            # Code that was not in the ledger has no evaluation there.
            row = (
                None
                if fresh
                else _find(c, new.candidate, new.set_digest, new.evaluator_version, new.isolated, lock=True)
            )
            if row is None:
                if insert_new(c, cast(Table, Evaluation.__table__), _columns(new)):
                    return replace(new, reason=clean(new.reason), output=_bounded(new.output))
                # Another process has stored it since.
                row = _find(c, new.candidate, new.set_digest, new.evaluator_version, new.isolated, lock=True)
                assert row is not None
            old = _record(row)
            merged = extend(old, new)
            if merged != old:
                c.execute(update(Evaluation).where(Evaluation.id == row.id), _columns(merged))
            return merged


def check(new: EvaluationRecord) -> None:
    """Raises ValueError for a record that contradicts itself."""
    if new.outcome not in get_args(EvaluationOutcome):
        raise ValueError(f"unknown outcome {new.outcome!r} of an evaluation")
    if not len(new.scores) == len(new.values) == len(new.cpu):
        raise ValueError("scores, values and cpu of an evaluation differ in length")
    if not all(map(math.isfinite, new.scores)):
        raise ValueError("a score is not finite; an invalid candidate has no score")
    if new.m > new.set_size or (new.outcome == "scored" and new.m != new.set_size):
        raise ValueError(f"{new.m} scores of a set of {new.set_size} cannot be {new.outcome}")


def extend(old: EvaluationRecord, new: EvaluationRecord) -> EvaluationRecord:
    """The stored evaluation after ``new`` arrived. Raises ValueError as :meth:`Evaluations.store_evaluation`."""
    name = f"the evaluation of {new.candidate[:12]} on {new.set_name}"
    if new.set_size != old.set_size:
        raise ValueError(f"{name}: the set has {old.set_size} instances, not {new.set_size}")
    if new.m < old.m:
        raise ValueError(f"{name} holds {old.m} scores already, {new.m} would shorten it")
    if pack(new.scores[: old.m]) != pack(old.scores) or pack(new.values[: old.m]) != pack(old.values):
        raise ValueError(f"{name} contradicts the stored prefix of {old.m} scores")
    if old.outcome not in OPEN_OUTCOMES:
        if new.outcome != old.outcome or new.m != old.m:
            raise ValueError(f"{name} ended as {old.outcome}, which is final")
        return old
    if old.outcome == "scored" and new.outcome not in ("scored", "quarantined"):
        raise ValueError(f"{name} is complete; it can only be quarantined, not {new.outcome}")
    grown = new.m > old.m
    return replace(
        new,
        reason=clean(new.reason),
        cpu=old.cpu + new.cpu[old.m :],
        answers_digest=new.answers_digest if grown else old.answers_digest,
        answers=new.answers if grown or new.answers is not None else old.answers,
        output=_bounded(new.output) if new.output is not None else old.output,
        marginal=old.marginal or new.marginal,
        slow=old.slow or new.slow,
        lines=old.lines if old.lines is not None else new.lines,
    )


def _put(c: Connection, new: CandidateText, now: float) -> bool:
    """Insert a candidate unless it is there. True if it is new."""
    row: dict[str, object] = {
        "hash": new.hash,
        "code": squeeze(new.code),
        "code_bytes": len(new.code.encode("utf-8", "surrogatepass")),
        "nodes": new.nodes,
        "first_seen": now,
    }
    return insert_new(c, cast(Table, Candidate.__table__), row)


def _bounded(output: bytes | None) -> bytes | None:
    return None if output is None else output[:OUTPUT_BYTES]


def _find(
    c: Connection, candidate: str, set_digest: str, version: str, isolated: bool, lock: bool = False
) -> Row[Any] | None:
    values = {"_candidate": candidate, "_set": set_digest, "_version": version, "_isolated": isolated}
    return c.execute(_FIND_LOCKED if lock else _FIND, values).first()


def _columns(record: EvaluationRecord) -> dict[str, Any]:
    return {
        "candidate": record.candidate,
        "set_digest": record.set_digest,
        "set_name": record.set_name,
        "set_size": record.set_size,
        "evaluator_version": record.evaluator_version,
        "isolated": record.isolated,
        "outcome": record.outcome,
        "reason": clean(record.reason),
        "m": record.m,
        "scores": pack(record.scores),
        "values": pack(record.values),
        "cpu": pack(record.cpu),
        "answers_digest": record.answers_digest,
        "answers": None if record.answers is None else zlib.compress(record.answers),
        "output": _bounded(record.output),
        "marginal": record.marginal,
        "slow": record.slow,
        "lines": record.lines,
    }


def _record(row: Row[Any]) -> EvaluationRecord:
    values = dict(row._mapping)
    del values["id"], values["m"]
    for name in ("scores", "values", "cpu"):
        values[name] = unpack(values[name])
    if values["answers"] is not None:
        values["answers"] = zlib.decompress(values["answers"])
    return EvaluationRecord(**values)
