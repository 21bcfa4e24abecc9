"""What happened, read from the ledger: runs, candidates, lineage, differences, and the report on the final split.

Text that models and candidates wrote stays as it is in these objects; whoever prints it escapes it
(:mod:`discovery.escape`; JSON is ASCII).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from db.engine import BUSY_TIMEOUT
from db.ledger import Ledger
from discovery.proposers.cassette import Cassette
from discovery.recorded import of_run
from discovery.review.candidates import CandidateSummary, candidate_summary, entry_summary
from discovery.review.classes import ClassScore, ClassScores, Rival, class_scores
from discovery.review.compare import Difference, descent, difference, unified
from discovery.review.curve import Curve, Scored, curve
from discovery.review.family import Tree, tree
from discovery.review.final import FinalReport, report
from discovery.review.leaderboard import Leaderboard, Ranked, leaderboards
from discovery.review.lineage import Lineage, Node, lineage
from discovery.review.live import Live, live, stamp
from discovery.review.names import candidate_entry, is_candidate
from discovery.review.overview import RunRow, RunSummary, run_head, run_summary, runs
from discovery.review.paired import ClassGain, HeldOut, class_gains, held_out
from discovery.review.pareto import Pareto, Priced, pareto
from discovery.review.pictures import Pictures, pictures

__all__ = [
    "CandidateSummary",
    "ClassGain",
    "ClassScore",
    "ClassScores",
    "Curve",
    "Difference",
    "FinalReport",
    "HeldOut",
    "Leaderboard",
    "Lineage",
    "Live",
    "Node",
    "Pareto",
    "Pictures",
    "Priced",
    "Ranked",
    "Rival",
    "RunRow",
    "RunSummary",
    "Scored",
    "Tree",
    "candidate_entry",
    "candidate_summary",
    "cassette",
    "class_gains",
    "class_scores",
    "curve",
    "descent",
    "difference",
    "digest",
    "entry_summary",
    "held_out",
    "is_candidate",
    "leaderboards",
    "lineage",
    "live",
    "opened",
    "pareto",
    "pictures",
    "report",
    "run_head",
    "run_summary",
    "runs",
    "source",
    "stamp",
    "summary",
    "tree",
    "unified",
]


@contextmanager
def opened(db: str, *, readonly: bool = False, busy_timeout: float = BUSY_TIMEOUT) -> Iterator[Ledger]:
    """An existing ledger, closed at the end; ``busy_timeout`` in s. Raises LedgerError."""
    with Ledger.open(db, create=False, readonly=readonly, busy_timeout=busy_timeout) as ledger:
        yield ledger


def digest(ledger: Ledger, run: str) -> str:
    """The digest of a run's decisions: equal digests mean the same archive. Raises LedgerError."""
    return ledger.digest(ledger.run(run).id)


def cassette(ledger: Ledger, run: str) -> Cassette:
    """All that repeating a run takes. Raises LedgerError."""
    return of_run(ledger, ledger.run(run))


def source(ledger: Ledger, name: str) -> str:
    """The code of a candidate, or of a run's champion, to the letter. Raises UsageError and LedgerError."""
    if is_candidate(name):
        found = candidate_entry(ledger, name).candidate
    else:
        record = ledger.run(name)
        champion = ledger.champion(record.id)
        found = champion.candidate if champion is not None else None
        if found is None:
            from discovery.errors import UsageError

            raise UsageError(
                f"run {record.id} has no champion yet: its seeds were not scored; resume it first"
            )
    return ledger.candidate_code(found or "")


def summary(ledger: Ledger, name: str) -> RunSummary | CandidateSummary:
    """A run by its id, or a candidate by at least four digits of its hash. Raises UsageError and LedgerError."""
    return candidate_summary(ledger, name) if is_candidate(name) else run_summary(ledger, name)
