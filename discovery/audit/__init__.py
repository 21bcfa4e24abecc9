"""Every score and decision of a run, computed again and compared with the ledger (``discover verify RUN``)."""

from discovery.audit.audit import Audit, audit

__all__ = ["Audit", "audit"]
