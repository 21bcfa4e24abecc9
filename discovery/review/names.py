"""What a word names (a run, or a candidate by its hash), and what a run's frozen row says."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from db.errors import LedgerUnknown
from db.ledger import Ledger
from db.records import EntryKind, EntryRecord, RunRecord
from discovery.errors import UsageError
from discovery.frozen import control_samples
from evaluators.registry import load
from evaluators.task import Task

SHORT = 8
"""Digits of a hash that are shown to people."""
LEAST = 4


def is_candidate(name: str) -> bool:
    """Whether ``name`` is meant as the beginning of a hash; ids of runs begin with ``r-``."""
    return bool(name) and set(name) <= set(string.hexdigits)


def candidate_entry(ledger: Ledger, prefix: str) -> EntryRecord:
    """The entry that first held the candidate. Raises UsageError for what is no hash, LedgerError when none or
    several match."""
    if not is_candidate(prefix) or len(prefix) < LEAST:
        raise UsageError(
            f"{prefix!r} names no candidate; write at least {LEAST} hexadecimal digits of its hash"
        )
    return ledger.entry_by_hash(None, prefix)


def short(candidate: str | None) -> str | None:
    return candidate[:SHORT] if candidate is not None else None


def label(entry: EntryRecord) -> str:
    """An entry's name within its run, also for one without a candidate: ``own17``, ``tuned17``, ``seed-1``."""
    return f"{entry.kind}{entry.k}"


def entry_named(ledger: Ledger, run: str, name: str) -> EntryRecord:
    """The entry that :func:`label` gave this name. Raises LedgerError when the run has none."""
    record = ledger.run(run)
    found = re.fullmatch(r"(seed|own|tuned|submitted)(-?[0-9]{1,15})", name, re.ASCII)
    entry = ledger.entry(record.id, int(found[2]), cast(EntryKind, found[1])) if found else None
    if entry is None:
        raise LedgerUnknown(
            f"run {record.id} has no entry {name!r}; `discover tree {record.id}` shows them all"
        )
    return entry


def seen(ledger: Ledger, run: str) -> RunRecord:
    """The run as people should see it: one whose process died without a word is interrupted. Raises LedgerError."""
    return as_seen(ledger, ledger.run(run))


def as_seen(ledger: Ledger, record: RunRecord) -> RunRecord:
    if record.status != "running" or not ledger.abandoned(record.id):
        return record
    reason = f"its process ended without a word; `discover resume {record.id}` goes on"
    return replace(record, status="interrupted", reason=reason)


def task_of(record: RunRecord) -> Task:
    """The run's task with the run's options. Raises TaskError when it is not installed (any more)."""
    return load(record.task, {k: str(v) for k, v in record.options.items()})


def utc(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Frozen:
    """What a run's row says about how it was started. ``seeds`` are names by hash."""

    settings: Mapping[str, object]
    seeds: Mapping[str, str]
    model: str | None
    is_control: bool = False

    @property
    def proposer(self) -> str:
        return str(self.settings.get("proposer", ""))

    @property
    def samples(self) -> int | None:
        """The samples asked for. The row of a run and that of its control both hold the sum of the two."""
        total, share = self.settings.get("samples"), self.settings.get("control")
        if not isinstance(total, int):
            return None
        if not isinstance(share, int | float):
            return total
        own = control_samples(total, share)
        return own if self.is_control else total - own

    def done(self, record: RunRecord) -> int:
        """Samples integrated so far."""
        batch = self.settings.get("batch")
        slots = (record.batches_done + 1) * (batch if isinstance(batch, int) else 0)
        return min(slots, self.samples) if self.samples is not None else slots


def frozen(record: RunRecord) -> Frozen:
    """The run's row, read without trust in its shape (an older version may have written it)."""
    settings, seeds, model = (record.settings.get(name) for name in ("settings", "seeds", "model"))
    pairs = (
        [s for s in seeds if isinstance(s, list | tuple) and len(s) == 2] if isinstance(seeds, list) else []
    )
    return Frozen(
        settings if isinstance(settings, Mapping) else {},
        {str(hash_): str(name) for name, hash_ in pairs},
        str(model) if model else None,
        record.control_of is not None,
    )


def gate_scores(ledger: Ledger, run: str) -> dict[str, float]:
    """Scores on the report blocks by candidate, as the run's end wrote them."""
    found = {}
    for event in ledger.events(run, "report blocks"):
        score = event.data.get("score")
        if isinstance(score, int | float):
            found[str(event.data.get("candidate"))] = float(score)
    return found
