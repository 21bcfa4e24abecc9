"""Who came first with a text (a hash, a behaviour, a shape), for each sample of a long run, in 42 to 84 bytes a text.

An open-addressing table (Knuth 1998, vol. 3, 6.4) in plain arrays: objects of Python would be several times as large.
Of a text its digest of 16 bytes is kept, in which no two of a million texts agree but by a chance of 10⁻²⁷.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import NamedTuple

SMALLEST = 1 << 8
"""Places of a new table, which doubles when two thirds are taken; a power of two."""
_FREE = -(1 << 31)
"""The batch of a place that nobody has taken."""


class _Table(NamedTuple):
    """Columns over the places: the digest's halves, the value, and the batch, written last."""

    high: array[int]
    low: array[int]
    values: array[int]
    batches: array[int]

    def place(self, high: int, low: int) -> int:
        """Where this digest is, or would be."""
        last = len(self.batches) - 1
        at = low & last
        while self.batches[at] != _FREE and (self.low[at] != low or self.high[at] != high):
            at = (at + 1) & last
        return at

    def put(self, high: int, low: int, value: int, batch: int) -> None:
        at = self.place(high, low)
        self.high[at], self.low[at], self.values[at] = high, low, value
        self.batches[at] = batch


class Firsts:
    """Grows and forgets nothing. One thread may add while others ask."""

    def __init__(self) -> None:
        self._table = _table(SMALLEST)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, text: str, value: int, batch: int = 0) -> int:
        """Take in what comes with a text, a whole number of 63 bits and its sign, unless the text is there. Returns the
        value of the first that had it."""
        found = self.get(text)
        if found is not None:
            return found[0]
        if 3 * self._count >= 2 * len(self._table.batches):
            self._grow()
        self._table.put(*_digest(text), value, batch)
        self._count += 1
        return value

    def get(self, text: str) -> tuple[int, int] | None:
        """Value and batch of the first that had this text."""
        table = self._table
        at = table.place(*_digest(text))
        return None if table.batches[at] == _FREE else (table.values[at], table.batches[at])

    def __contains__(self, text: str) -> bool:
        return self.get(text) is not None

    def _grow(self) -> None:
        larger = _table(2 * len(self._table.batches))
        for high, low, value, batch in zip(*self._table, strict=True):
            if batch != _FREE:
                larger.put(high, low, value, batch)
        self._table = larger


def of_hash(hash_: str) -> int:
    """The value that stands for a candidate's hash: its first fifteen digits."""
    return int(hash_[:15], 16)


def shown(value: int) -> str:
    """The first eight digits of the hash that a value stands for, as texts name it."""
    return f"{value:015x}"[:8]


def _table(places: int) -> _Table:
    nothing = bytes(8 * places)
    free = array("i", [_FREE]) * places
    return _Table(array("Q", nothing), array("Q", nothing), array("q", nothing), free)


def _digest(text: str) -> tuple[int, int]:
    digest = blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
