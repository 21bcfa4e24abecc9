"""Winners leave as installable packages (:func:`export`), and anybody can check one (:func:`verify_package`).

A package is a pure function of its provenance, the candidate's text, a few recorded calls and its licence
(:mod:`discovery.plugins.contents`), so exporting again gives the same bytes and verifying can make it anew.
"""

from __future__ import annotations

from discovery.plugins.exporting import Exported, export
from discovery.plugins.naming import Naming, naming
from discovery.plugins.verifying import Verified, verify_package, verify_run

__all__ = ["Exported", "Naming", "Verified", "export", "naming", "verify_package", "verify_run"]
