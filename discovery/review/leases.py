"""What a cluster's workers have in hand, for a run that seems to stand still, and which jobs took workers along."""

from __future__ import annotations

from collections.abc import Sequence

from db.leases import OPEN
from db.ledger import Ledger
from db.records import LeaseRecord, RunRecord
from discovery.review.names import utc


def leases(ledger: Ledger, record: RunRecord) -> dict[str, object] | None:
    """The leases of a run, given as people see it (:func:`~discovery.review.names.seen`); None when there are none."""
    found = ledger.leases(record.id)
    if not found:
        return None
    running = record.status == "running"  # else nobody is at work, whatever a killed process had left unsaid
    held: dict[str, list[LeaseRecord]] = {}
    for lease in found:
        if running and lease.state == "held":
            held.setdefault(lease.node, []).append(lease)
    return {
        "nodes": [_node(node, held[node]) for node in sorted(held)],
        "queued": sum(running and lease.state == "queued" for lease in found),
        "left": sum(lease.state == "left" or (not running and lease.state in OPEN) for lease in found),
        "lost": [_lost(lease, running) for lease in found if lease.lost],
    }


def _node(node: str, held: Sequence[LeaseRecord]) -> dict[str, object]:
    """A node and what one of its workers has had longest."""
    return {
        "node": node,
        "jobs": len(held),
        "since": utc(held[0].taken),
        "candidate": held[0].candidate or None,
        "purpose": held[0].purpose,
    }


def _lost(lease: LeaseRecord, running: bool) -> dict[str, object]:
    return {
        "candidate": lease.candidate or None,
        "purpose": lease.purpose,
        "instances": lease.set_size,
        "parameters": lease.parameters,
        "state": lease.state if running or lease.state not in OPEN else "left",
        "lost": lease.lost,
        "node": lease.node,
        "since": utc(lease.taken),
    }
