"""Two small instances of ``smtt`` with proved optima; the first one's reference is spoilt on purpose where asked."""

from __future__ import annotations

from dataclasses import replace

from evaluators.smtt.task import Smtt
from evaluators.task import InstanceSet

LIMIT = 0.05
"""Processor time of a call, s; the child is killed at twice that."""
SET = InstanceSet(
    "attacked", tuple(replace(i, limit=LIMIT) for i in Smtt({}).instances("screen").instances[:2])
)
SPOILT = InstanceSet(
    "spoilt", (replace(SET.instances[0], reference=1.0 + (SET.instances[0].reference or 0)),)
)
