"""The tables of the ledger. Rows are added and marked, never deleted; only leases, which tell of the present, go.

Types are portable between SQLite and PostgreSQL; texts marked JSON hold one JSON value, times are UTC seconds,
packed blobs are little-endian float64. The migrations in :mod:`db.migrations` make the same tables (a test).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

ROW_ID = BigInteger().with_variant(Integer, "sqlite")


class Seed(TypeDecorator[int]):
    """A whole number of any size as decimal text: unsigned 64-bit seeds do not fit a signed column."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {float: Double, bytes: LargeBinary, str: Text}  # noqa: RUF012


class Run(Base):
    __tablename__ = "run"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    task: Mapped[str]
    options: Mapped[str]
    settings: Mapped[str]
    seed: Mapped[int] = mapped_column(Seed)
    evaluator_version: Mapped[str]
    versions: Mapped[str]
    templates: Mapped[str]
    isolated: Mapped[bool]
    layers: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str]
    created: Mapped[float]
    updated: Mapped[float]
    batches_done: Mapped[int]
    control_of: Mapped[str | None] = mapped_column(String(64), ForeignKey("run.id"))


class Candidate(Base):
    __tablename__ = "candidate"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    code: Mapped[bytes]
    code_bytes: Mapped[int]
    nodes: Mapped[int]
    first_seen: Mapped[float]


class Proposal(Base):
    __tablename__ = "proposal"
    __table_args__ = (UniqueConstraint("run", "k", "r"), Index(None, "run", "batch"))
    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("run.id"))
    k: Mapped[int]
    r: Mapped[int]
    batch: Mapped[int]
    operator: Mapped[str]
    proposer: Mapped[str]
    model: Mapped[str | None]
    seed: Mapped[int] = mapped_column(Seed)
    prompt: Mapped[bytes | None]
    state: Mapped[str]
    reply: Mapped[bytes | None]
    finish: Mapped[str | None]
    prompt_tokens: Mapped[int | None] = mapped_column(BigInteger)
    completion_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cost: Mapped[float | None]
    seconds: Mapped[float]
    asked: Mapped[int]
    reason: Mapped[str]
    arm: Mapped[str | None]
    temperature: Mapped[float | None]


class Entry(Base):
    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("run", "k", "kind"),
        Index(None, "run", "batch"),
        Index(None, "run", "candidate"),
        Index(None, "run", "archived_from", "archived_to"),
    )
    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("run.id"))
    k: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    batch: Mapped[int]
    island: Mapped[int]
    operator: Mapped[str]
    candidate: Mapped[str | None] = mapped_column(String(64), ForeignKey("candidate.hash"), index=True)
    outcome: Mapped[str]
    reason: Mapped[str]
    score: Mapped[float | None]
    m: Mapped[int]
    duplicate_of: Mapped[int | None] = mapped_column(ROW_ID, ForeignKey("entry.id"))
    depth: Mapped[int]
    mark: Mapped[str | None]
    archived_from: Mapped[int | None]
    archived_to: Mapped[int | None]
    tuning_gain: Mapped[float | None]


class Parent(Base):
    """An edge of the lineage. Clustered by child, indexed by parent: both directions read one index only."""

    __tablename__ = "parent"
    __table_args__ = (Index(None, "parent", "child"), {"sqlite_with_rowid": False})
    child: Mapped[int] = mapped_column(ROW_ID, ForeignKey("entry.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    parent: Mapped[int] = mapped_column(ROW_ID, ForeignKey("entry.id"))


class Evaluation(Base):
    __tablename__ = "evaluation"
    __table_args__ = (UniqueConstraint("candidate", "set_digest", "evaluator_version", "isolated"),)
    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    candidate: Mapped[str] = mapped_column(String(64), ForeignKey("candidate.hash"))
    set_digest: Mapped[str]
    set_name: Mapped[str]
    set_size: Mapped[int]
    evaluator_version: Mapped[str]
    isolated: Mapped[bool]
    outcome: Mapped[str]
    reason: Mapped[str]
    m: Mapped[int]
    scores: Mapped[bytes]
    values: Mapped[bytes]
    cpu: Mapped[bytes]
    answers_digest: Mapped[str]
    answers: Mapped[bytes | None]
    output: Mapped[bytes | None]
    marginal: Mapped[bool]
    slow: Mapped[bool]
    lines: Mapped[int | None]


class Study(Base):
    """A tuning of slot ``k``. ``entry`` is filled in when the batch is integrated: trials are written before."""

    __tablename__ = "study"
    __table_args__ = (UniqueConstraint("run", "k"),)
    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("run.id"))
    k: Mapped[int]
    entry: Mapped[int | None] = mapped_column(ROW_ID, ForeignKey("entry.id"))
    seed: Mapped[int] = mapped_column(Seed)
    n_trials: Mapped[int]
    state: Mapped[str]


class Trial(Base):
    __tablename__ = "trial"
    study: Mapped[int] = mapped_column(ROW_ID, ForeignKey("study.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    parameters: Mapped[str]
    state: Mapped[str]
    m: Mapped[int]
    scores: Mapped[bytes]
    value: Mapped[float | None]


class Look(Base):
    __tablename__ = "look"
    __table_args__ = (UniqueConstraint("run", "k"),)
    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("run.id"))
    k: Mapped[int]
    batch: Mapped[int]
    entry: Mapped[int] = mapped_column(ROW_ID, ForeignKey("entry.id"))
    champion: Mapped[int] = mapped_column(ROW_ID, ForeignKey("entry.id"))
    block: Mapped[int]
    alpha: Mapped[float]
    p_value: Mapped[float]
    effect: Mapped[float]
    passed: Mapped[bool]
    detail: Mapped[str]


class Promotion(Base):
    __tablename__ = "promotion"
    __table_args__ = (UniqueConstraint("run", "batch"),)
    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("run.id"))
    batch: Mapped[int]
    entry: Mapped[int] = mapped_column(ROW_ID, ForeignKey("entry.id"))
    look: Mapped[int | None] = mapped_column(ROW_ID, ForeignKey("look.id"))
    gate_score: Mapped[float | None]


class Export(Base):
    __tablename__ = "export"
    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    run: Mapped[str] = mapped_column(String(64), ForeignKey("run.id"), index=True)
    entry: Mapped[int] = mapped_column(ROW_ID, ForeignKey("entry.id"))
    path: Mapped[str]
    created: Mapped[float]


class Lease(Base):
    """A job that is at a worker of a cluster, or that lost one: see :mod:`db.leases`. Its candidate may not be in the
    ledger yet."""

    __tablename__ = "lease"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012
    run: Mapped[str] = mapped_column(String(64), ForeignKey("run.id"), primary_key=True)
    job: Mapped[str] = mapped_column(String(64), primary_key=True)
    candidate: Mapped[str]
    purpose: Mapped[str]
    set_digest: Mapped[str]
    set_size: Mapped[int]
    parameters: Mapped[str]
    node: Mapped[str]
    state: Mapped[str] = mapped_column(String(16))
    lost: Mapped[int]
    taken: Mapped[float]


class Event(Base):
    __tablename__ = "event"
    __table_args__ = (Index(None, "run", "kind"),)
    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    run: Mapped[str | None] = mapped_column(String(64), ForeignKey("run.id"))
    kind: Mapped[str] = mapped_column(String(64))
    created: Mapped[float]
    data: Mapped[str]
