"""What can go wrong with a ledger. Each error carries one clear sentence for the user."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger cannot do what was asked; the text says what, why and what to do."""


class LedgerUnknown(LedgerError):
    """A run, an entry or a candidate was named that is not there, or that the name does not tell from others."""


class LedgerMissing(LedgerError):
    """There is no ledger at that place, and none was to be made."""


class LedgerNewer(LedgerError):
    """The database was written by a newer version of this package."""


class LedgerBehind(LedgerError):
    """The database must be upgraded first, and that is not done unasked (PostgreSQL)."""


class LedgerForeign(LedgerError):
    """The file or database belongs to something else, or is no database at all."""


class LedgerUnwritable(LedgerError):
    """The folder is missing, or the place cannot be written (permissions, read-only or full file system)."""


class LedgerLocked(LedgerError):
    """Another process held the database for longer than the busy timeout."""


class RunHeld(LedgerError):
    """Another process works on the run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"another process works on run {run}; wait for it to end, or end it")


def translate(error: object, where: str) -> LedgerError:
    """The ledger's error for a driver's error; ``where`` names the database without secrets."""
    text = " ".join(str(error).split())
    low = text.lower()
    if "locked" in low or "busy" in low:
        return LedgerLocked(f"the ledger {where} is in use by another process; wait for it or end it")
    if "not a database" in low:
        return LedgerForeign(f"{where} is not a SQLite database; name another file")
    if "malformed" in low:
        return LedgerError(f"the ledger {where} is damaged ({text}); restore a copy")
    if any(word in low for word in ("readonly", "unable to open", "disk is full", "disk i/o", "permission")):
        return LedgerUnwritable(
            f"the ledger {where} cannot be written ({text}); check the folder and its space"
        )
    return LedgerError(f"the ledger {where} refused a statement ({text})")
