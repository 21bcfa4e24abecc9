"""Why a candidate works: what each part of it is worth, how its parameters matter, what may go, where it loses.

Everything is measured in the sandbox by the one pipeline of evaluation; nothing that is found here enters a run.
"""

from __future__ import annotations

from discovery.explain.explanation import MOST, Explanation, explain
from discovery.explain.subject import Subject, of_ledger, of_text

__all__ = ["MOST", "Explanation", "Subject", "explain", "of_ledger", "of_text"]
