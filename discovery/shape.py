"""The numbers of a run: what decides its course, and what is under way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The numbers that decide a run's course; frozen when it starts."""

    seed: int
    samples: int
    batch: int
    islands: int
    archive: int
    tune: bool
    migration: int = 0
    """Batches between migrations; 0 = none."""
    cells: int = 0
    """Kinds whose best member is kept besides the islands."""

    @property
    def batches(self) -> int:
        return -(-self.samples // self.batch)

    def width(self, g: int) -> int:
        """Slots of batch ``g`` as far as the samples go."""
        return max(0, min(self.batch, self.samples - g * self.batch)) if g >= 0 else 0

    @property
    def tuned_a_batch(self) -> int:
        return -(-self.batch // 4)


@dataclass(frozen=True)
class InFlight:
    """Slots filled but not integrated, and how many branches are at work."""

    filled: int
    proposing: int
    evaluating: int
    tuning: int
