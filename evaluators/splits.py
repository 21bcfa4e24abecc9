"""Which instances form which split of a task, held to their SHA-256.

``data/manifest.json`` of the task holds the SHA-256 of each part (a split, or a block of the gate); instances are made
anew and must give it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from evaluators.task import Instance, InstanceSet, TaskError

SPLITS = ("screen", "search", "gate", "final")


@dataclass(frozen=True)
class Splits:
    """``make`` gives the instances of a part: ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK`` or ``final``.
    The gate has ``looks`` blocks for looks and ``reports`` blocks for the report."""

    task: str
    manifest: Path
    make: Callable[[str], Sequence[Instance]]
    looks: int = 8
    reports: int = 2

    def instances(self, split: str) -> InstanceSet:
        """A split; ``gate`` gives the report blocks. Raises TaskError when there is none or the data is damaged."""
        if split not in SPLITS:
            raise TaskError(
                f"task {self.task!r} has no split {split!r}; expected screen, search, gate or final"
            )
        return _assembled(self, split, self._reports() if split == "gate" else (split,))

    def gate(self, block: int) -> InstanceSet:
        """A block of the gate. Raises TaskError as :meth:`instances` does."""
        if not 0 <= block < self.looks:
            raise TaskError(f"task {self.task!r} has no gate block {block}; expected 0 to {self.looks - 1}")
        return _assembled(self, f"gate-{block}", (f"look-{block}",))

    def parts(self) -> Iterator[str]:
        """Every part."""
        yield from ("screen", "search", "final", *self._reports())
        yield from (f"look-{block}" for block in range(self.looks))

    def _reports(self) -> tuple[str, ...]:
        return tuple(f"report-{block}" for block in range(self.reports))

    def digest(self, part: str) -> str:
        """The SHA-256 of a part as made now, for the manifest."""
        return InstanceSet(part, tuple(self.make(part))).digest

    def load(self, part: str) -> tuple[Instance, ...]:
        """The instances of a part. Raises TaskError when they do not give the recorded SHA-256."""
        found = tuple(self.make(part))
        if InstanceSet(part, found).digest != self._recorded.get(part):
            raise TaskError(
                f"the instances of {part!r} do not match their SHA-256 in {self.manifest}: a damaged or altered "
                "installation; reinstall the package"
            )
        return found

    @cached_property
    def _recorded(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.manifest.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise TaskError(
                f"the manifest {self.manifest} cannot be read ({error}); reinstall the package"
            ) from None


@lru_cache(maxsize=64)
def _assembled(splits: Splits, name: str, parts: tuple[str, ...]) -> InstanceSet:
    return InstanceSet(name, tuple(i for part in parts for i in splits.load(part)))
