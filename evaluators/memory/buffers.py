"""Buffers of a program: when each is alive and how many bytes it has, and what follows from that alone.

A buffer is alive in the half-open interval [lower, upper). Buffers that are alive at the same time must not share an
address. The tasks of this family have this in common.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MAX_BUFFERS = 100_000
MAX_SIZE = 2**44
"""Bytes of one buffer, so that the sum over all stays below 2**61."""
MAX_TIME = 2**44


@dataclass(frozen=True, eq=False)
class Buffers:
    """``n`` buffers: the time ``lower`` from which on each is alive, the time ``upper`` from which on it no longer
    is, and its ``size`` in bytes; each int64[n], lower < upper, size > 0."""

    lower: Ints
    upper: Ints
    size: Ints

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def profile(self) -> tuple[Ints, Ints]:
        """The times at which a buffer begins or ends, rising, and the bytes alive from each of them on; both
        int64[m]."""
        times, at = np.unique(np.concatenate([self.lower, self.upper]), return_inverse=True)
        change = np.zeros(len(times), np.int64)
        np.add.at(change, at, np.concatenate([self.size, -self.size]))
        return times, np.cumsum(change)

    @property
    def bound(self) -> int:
        """The most bytes alive at one time: no placing is lower."""
        return int(self.profile[1].max())

    def height(self, offsets: Ints) -> int:
        """The highest end of a buffer, in bytes, when they are placed at ``offsets``."""
        return int((offsets + self.size).max())

    def clash(self, offsets: Ints) -> tuple[int, int] | None:
        """Two buffers that share an address while both are alive when placed at ``offsets``; None where none do.

        A sweep over time: the live buffers are sorted by offset, so that only neighbours can overlap."""
        bases, tops = offsets.tolist(), (offsets + self.size).tolist()
        # At the same time ends come first: the interval is half-open.
        events = sorted(
            [(time, 0, buffer) for buffer, time in enumerate(self.upper.tolist())]
            + [(time, 1, buffer) for buffer, time in enumerate(self.lower.tolist())]
        )
        live: list[tuple[int, int]] = []
        for _, begins, buffer in events:
            entry = bases[buffer], buffer
            at = bisect_left(live, entry)
            if not begins:
                del live[at]
                continue
            if at and tops[live[at - 1][1]] > bases[buffer]:
                return live[at - 1][1], buffer
            if at < len(live) and live[at][0] < tops[buffer]:
                return live[at][1], buffer
            live.insert(at, entry)
        return None


def encode(buffers: Buffers) -> bytes:
    """The payload of an instance: all lower, then all upper, then all sizes, little-endian int64."""
    return np.concatenate([buffers.lower, buffers.upper, buffers.size]).astype("<i8").tobytes()


def decode(payload: bytes) -> Buffers:
    """The buffers of a payload."""
    return Buffers(*np.frombuffer(payload, "<i8").astype(np.int64).reshape(3, -1))


def capacity(id_: str, bound: int) -> int | None:
    """The bytes of memory that a name such as ``A.1048576`` tells; None where it tells none, or fewer than
    ``bound``."""
    word = id_.rpartition(".")[2]
    told = int(word) if word.isascii() and word.isdecimal() and len(word) < 20 and word != id_ else 0
    return told if told >= bound else None
