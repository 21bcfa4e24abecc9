"""An index of sets by likeness: which stored sets are like this one, without a look at all of them.

MinHash signatures (Broder 1997), by the package datasketch, and locality-sensitive hashing (Indyk & Motwani 1998). The
permutations are derived from a constant by SHAKE, so that a signature is the same with every numpy on every machine.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERMUTATIONS = 96
RECALL = 0.98
"""Least probability that a set which is as like as asked for is found."""
FOUND = 8
"""How many sets an answer holds at most."""


class SimilarSets:
    """At most ``capacity`` sets of 32-bit hashes, numbered in the order in which they came; the oldest leave first.
    Those with a Jaccard index of ``threshold`` and more are to be found.

    Every band has buckets, and a bucket is a chain of numbers, newest first, so that what has left needs no removal: a
    chain ends where it comes to a number that is too old. All is in arrays of fixed size, whose pages take memory when
    they are first written: a set takes its signature and 4 bytes a band."""

    def __init__(self, capacity: int, threshold: float) -> None:
        import numpy as np

        self._capacity, self._next = capacity, 0
        self._bands, self._rows = bands(threshold)
        bits = capacity.bit_length() + 1
        self._shift = np.uint32(32 - bits)
        self._starts = np.arange(self._bands, dtype=np.int64) << bits
        self._factors = _permutations()[0, : self._rows]
        self._signatures = np.zeros((capacity, PERMUTATIONS), dtype=np.uint32)
        self._bytes = self._signatures.data.cast("B")
        # Numbers are kept plus one: 0 is nothing.
        self._heads = np.zeros(self._bands << bits, dtype=np.int32).data
        self._older = np.zeros(self._bands * capacity, dtype=np.int32).data

    def __len__(self) -> int:
        return min(self._next, self._capacity)

    def add(self, features: frozenset[int]) -> tuple[int, int | None]:
        """Store a set. Returns its number, and that of the set that had to leave for it."""
        signature = _signature(features)
        number, self._next = self._next, self._next + 1
        place = number % self._capacity
        self._signatures[place] = signature
        for band, bucket in enumerate(self._chains(signature)):
            self._older[place * self._bands + band] = self._heads[bucket]
            self._heads[bucket] = number + 1
        return number, number - self._capacity if number >= self._capacity else None

    def like(self, features: frozenset[int]) -> list[int]:
        """The numbers of the likest stored sets that the index finds, oldest first, at most :data:`FOUND`."""
        import numpy as np

        signature = _signature(features)
        found = sorted(self._met(signature))
        if len(found) <= FOUND:
            return found
        agree = (self._signatures[np.array(found) % self._capacity] == signature).sum(axis=1)
        return sorted(found[i] for i in np.argsort(-agree, kind="stable")[:FOUND])

    def _met(self, signature: NDArray[np.uint32]) -> set[int]:
        """The stored sets that have a whole band in common with a signature. Buckets are shared by chance, too."""
        met, oldest, size = set[int](), self._next - len(self), 4 * self._rows
        own, theirs = signature.data.cast("B"), self._bytes
        for band, bucket in enumerate(self._chains(signature)):
            wanted = own[band * size : (band + 1) * size]
            number = self._heads[bucket] - 1
            while number >= oldest:
                place = number % self._capacity * self._bands + band
                if number not in met and theirs[place * size : (place + 1) * size] == wanted:
                    met.add(number)
                number = self._older[place] - 1
        return met

    def _chains(self, signature: NDArray[np.uint32]) -> list[int]:
        """The bucket of each band."""
        # Multiply-shift hashing (Dietzfelbinger et al. 1997): the upper bits of a sum of products by odd factors.
        mixed = signature.reshape(self._bands, self._rows) @ self._factors
        chains: list[int] = (self._starts + (mixed >> self._shift)).tolist()
        return chains


def bands(threshold: float) -> tuple[int, int]:
    """Bands of a signature and rows a band: as many rows as :data:`RECALL` allows, since each row more spares looks.
    Of b bands of r rows, two sets with Jaccard index s share one with probability 1 − (1 − sʳ)ᵇ."""
    for rows in (8, 6, 4, 3, 2):
        if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= RECALL:
            return PERMUTATIONS // rows, rows
    return PERMUTATIONS, 1


def _signature(features: frozenset[int]) -> NDArray[np.uint32]:
    from datasketch import MinHash

    made = MinHash(PERMUTATIONS, hashfunc=int, permutations=_permutations(), scheme="affine32")
    made.update_batch(features)
    signature: NDArray[np.uint32] = made.hashvalues
    return signature


@cache
def _permutations() -> NDArray[np.uint32]:
    """Factors, which must be odd, and summands of the maps h → a·h + b modulo 2³²."""
    import numpy as np

    bits = hashlib.shake_256(b"permutations of novelty").digest(8 * PERMUTATIONS)
    drawn = np.frombuffer(bits, dtype="<u4").astype(np.uint32).reshape(2, PERMUTATIONS).copy()
    drawn[0] |= np.uint32(1)
    return drawn
