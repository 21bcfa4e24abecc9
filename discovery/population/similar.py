"""An index of sets by likeness: which stored sets are like this one, without a look at all of them.

MinHash signatures and locality-sensitive hashing (Broder 1997; Indyk & Motwani 1998), by the package datasketch. The
permutations are derived from a constant by SHAKE, so that a signature is the same with every numpy on every machine.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any

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
    Those with a Jaccard index of ``threshold`` and more are to be found."""

    def __init__(self, capacity: int, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._capacity = capacity
        self._index: Any = MinHashLSH(num_perm=PERMUTATIONS, params=bands(threshold))
        self._signatures: OrderedDict[int, NDArray[np.uint32]] = OrderedDict()
        self._next = 0

    def __len__(self) -> int:
        return len(self._signatures)

    def add(self, features: frozenset[int]) -> tuple[int, int | None]:
        """Store a set. Returns its number, and that of the set that had to leave for it."""
        signature = _signature(features)
        number, self._next = self._next, self._next + 1
        self._index.insert(number, signature, check_duplication=False)
        self._signatures[number] = signature.hashvalues
        if len(self._signatures) <= self._capacity:
            return number, None
        oldest, _ = self._signatures.popitem(last=False)
        self._index.remove(oldest)
        return number, oldest

    def like(self, features: frozenset[int]) -> list[int]:
        """The numbers of the likest stored sets that the index finds, oldest first, at most :data:`FOUND`."""
        import numpy as np

        signature = _signature(features)
        found: list[int] = sorted(self._index.query(signature))
        if len(found) <= FOUND:
            return found
        matrix = np.stack([self._signatures[n] for n in found])
        agree = (matrix == signature.hashvalues).sum(axis=1)
        return sorted(found[i] for i in np.argsort(-agree, kind="stable")[:FOUND])


def bands(threshold: float) -> tuple[int, int]:
    """Bands of a signature and rows a band: as many rows as :data:`RECALL` allows, since each row more spares looks.
    Of b bands of r rows, two sets with Jaccard index s share one with probability 1 − (1 − sʳ)ᵇ."""
    for rows in (8, 6, 4, 3, 2):
        if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= RECALL:
            return PERMUTATIONS // rows, rows
    return PERMUTATIONS, 1


def _signature(features: frozenset[int]) -> Any:
    from datasketch import MinHash

    made = MinHash(PERMUTATIONS, hashfunc=int, permutations=_permutations(), scheme="affine32")
    made.update_batch(features)
    return made


@cache
def _permutations() -> NDArray[np.uint32]:
    """Factors, which must be odd, and summands of the maps h → a·h + b modulo 2³²."""
    import numpy as np

    bits = hashlib.shake_256(b"permutations of novelty").digest(8 * PERMUTATIONS)
    drawn = np.frombuffer(bits, dtype="<u4").astype(np.uint32).reshape(2, PERMUTATIONS).copy()
    drawn[0] |= np.uint32(1)
    return drawn
