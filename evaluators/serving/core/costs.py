"""What an iteration of an engine costs, in whole picoseconds.

Time is an integer throughout the simulator: sums do not depend on their order, a stretch of k decode iterations has an
exact closed form, and an event log is equal bit for bit however it was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the core is loaded inside the sandbox as well, the tables are not
    from evaluators.serving.timing import Timing

SECOND = 10**12
"""Picoseconds."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Iteration times of one engine: :class:`evaluators.serving.timing.Timing` in whole picoseconds. ``tokens`` is
    everything that depends on the number of tokens alone, beyond its end with the slope of its last step; the other
    fields are Timing's, ``crowd_from`` in tokens."""

    tokens: tuple[int, ...]
    decode: tuple[int, int, int]
    prefill: tuple[int, int, int, int, int]
    mixed: tuple[int, int, int, int, int, int]
    engine: tuple[int, int]

    @classmethod
    def of(cls, timing: Timing) -> Costs:
        """A timing, each of its numbers rounded by itself."""
        sequence, kv, spread, crowd, crowd_from, serial = timing.mixed
        return cls(
            tokens=tuple(round(timing.linear(n) * SECOND) for n in range(len(timing.dense))),
            decode=_whole(timing.decode),
            prefill=_whole(timing.prefill),
            mixed=(*_whole((sequence, kv, spread, crowd)), round(crowd_from), round(serial * SECOND)),
            engine=_whole(timing.engine),
        )

    def linear(self, tokens: int) -> int:
        """What depends on the number of tokens alone."""
        table = self.tokens
        if tokens < len(table):
            return table[tokens]
        return table[-1] + (tokens - len(table) + 1) * (table[-1] - table[-2])

    def stretch(self, sequences: int, kv: int) -> tuple[int, int]:
        """(first, growth) of consecutive decode iterations of ``sequences`` that hold ``kv`` tokens before the first:
        iteration i takes first + i·growth. Each writes a token a sequence and reads it with the rest."""
        fixed, each, read = self.decode
        start, sequence = self.engine
        first = (
            self.linear(sequences) + fixed + sequences * (each + sequence) + (kv + sequences) * read + start
        )
        return first, sequences * read

    def mixture(self, sequences: int, kv: int, chunks: Sequence[tuple[int, int]]) -> int:
        """An iteration that prefills ``chunks`` (tokens, context before them) beside ``sequences`` decodes that hold
        ``kv`` tokens before it."""
        fixed, chunk, token, pair, context = self.prefill
        start, sequence = self.engine
        total = pairs = behind = longest = 0
        for tokens, before in chunks:
            total += tokens
            pairs += tokens * (2 * before + tokens)
            behind += before
            if tokens > longest:
                longest = tokens
        parts = len(chunks)
        time = fixed + parts * chunk + total * token + pairs * pair // 2 + behind * context
        if sequences:
            each, read, spread, crowd, crowd_from, serial = self.mixed
            kv += sequences
            time += sequences * (each + spread * longest) + kv * read
            if kv > crowd_from:
                time += (kv - crowd_from) * crowd
            least = fixed + serial * kv // sequences
            if time < least:
                time = least
        total += sequences
        linear = self.tokens[total] if total < len(self.tokens) else self.linear(total)
        return time + linear + start + (sequences + parts) * sequence


def _whole(seconds: Sequence[float]) -> Any:
    return tuple(round(value * SECOND) for value in seconds)


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
    count = int((sqrt(b * b + 8 * growth * time) - b) / (2 * growth))  # or one beside it
    while lasting(first, growth, count + 1) <= time:
        count += 1
    while lasting(first, growth, count) > time:
        count -= 1
    return count
