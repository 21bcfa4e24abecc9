"""The user's own recordings as instances of ``diffusion-exit``."""

from __future__ import annotations

from pathlib import Path

from evaluators.diffusion.early_exit.instances import instance
from evaluators.diffusion.early_exit.recordings import load
from evaluators.task import InstanceSet


def read(path: Path) -> InstanceSet:
    """The recordings of a file, ids kept. Raises TaskError with what is wrong."""
    made = []
    for recorded in load(path):
        t = recorded.trajectory
        full = float(t.quality[-1])
        made.append(instance(recorded.id, recorded.family, t.to_bytes(), t.span, t.passes, full))
    return InstanceSet(path.name, tuple(made))
