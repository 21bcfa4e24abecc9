"""The schema's history (Alembic). The names are here so that opening a current ledger need not import Alembic."""

VERSION_TABLE = "discover_alembic_version"
REVISIONS = ("0001", "0002", "0003", "0004")
"""All revisions, oldest first; a test compares them with the files in ``versions``."""
