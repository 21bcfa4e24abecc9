"""What an iteration of an engine costs, in whole picoseconds.

Time is an integer throughout the simulator: sums do not depend on their order, a stretch of k decode iterations has an
exact closed form, and an event log is equal bit for bit however it was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

SECOND = 10**12
"""Picoseconds."""


@dataclass(frozen=True)
class Costs:
    """Iteration time of one engine (a model on a card).

    ``tokens[n]`` is the time of everything but attention for ``n`` tokens in an iteration; beyond the table it goes on
    with the slope of its last step. ``decode`` and ``mixed`` are (fixed, a sequence, a KV token) of decode attention in
    an iteration without and with prefill; ``chunk`` is (a token, a token pair, a context token) of prefill attention:
    a chunk of c tokens behind x in the cache costs c·chunk[0] + c·(2x + c)/2·chunk[1] + x·chunk[2]. ``host`` is (an
    iteration, a sequence) of the engine's own work. All in picoseconds."""

    tokens: tuple[int, ...]
    decode: tuple[int, int, int]
    mixed: tuple[int, int, int]
    chunk: tuple[int, int, int]
    host: tuple[int, int]

    def linear(self, tokens: int) -> int:
        """Everything but attention for ``tokens`` tokens."""
        table = self.tokens
        if tokens < len(table):
            return table[tokens]
        return table[-1] + (tokens - len(table) + 1) * (table[-1] - table[-2])

    def stretch(self, sequences: int, kv: int) -> tuple[int, int]:
        """(first, growth) of consecutive decode iterations of ``sequences`` that hold ``kv`` tokens before the first:
        iteration i takes first + i·growth. Each writes a token a sequence and reads it with the rest."""
        fixed, each, read = self.decode
        first = self.linear(sequences) + fixed + sequences * each + (kv + sequences) * read
        return first + self.host[0] + sequences * self.host[1], sequences * read

    def mixture(self, sequences: int, kv: int, chunks: Sequence[tuple[int, int]]) -> int:
        """An iteration that prefills ``chunks`` (tokens, context before them) beside ``sequences`` decodes."""
        a, pair, context = self.chunk
        total = pairs = behind = 0
        for tokens, before in chunks:
            total += tokens
            pairs += tokens * (2 * before + tokens)
            behind += before
        time = self.linear(total + sequences) + total * a + pairs * pair // 2 + behind * context
        if sequences:
            fixed, each, read = self.mixed
            time += fixed + sequences * each + (kv + sequences) * read
        return time + self.host[0] + (sequences + len(chunks)) * self.host[1]


def lasting(first: int, growth: int, count: int) -> int:
    """How long ``count`` iterations of a stretch take."""
    return count * first + growth * (count * (count - 1) // 2)


def fitting(first: int, growth: int, time: int) -> int:
    """How many iterations of a stretch end before or at ``time`` after its start."""
    if time < first:
        return 0
    if not growth:
        return time // first
    # The largest k with growth·k² + (2·first − growth)·k − 2·time ≤ 0.
    b = 2 * first - growth
    count = (isqrt(b * b + 8 * growth * time) - b) // (2 * growth)
    while lasting(first, growth, count + 1) <= time:
        count += 1
    while lasting(first, growth, count) > time:
        count -= 1
    return count
