"""The calls that decode together, as running totals: an iteration costs the same however many take part.

A call that joins at step j with L tokens in the cache holds L + (s - j) of them at step s, so it needs a new block at
the steps with (j - L) mod B = s mod B: one counter a residue says how many blocks a step takes. Calls leave at a step
known when they join, so a heap by step finds the next one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heappop, heappush

from evaluators.serving.core.calls import DECODE, FOREVER, Call


class Batch:
    """Decoding calls over a cache of blocks of ``block`` tokens, of which ``span`` may be shared with others. ``step``
    decode iterations have ended; the calls in ``decoding`` (by number, in the order in which they joined) hold ``kv``
    tokens. The calls that have left made ``made`` tokens here, for which they ``read`` so many in the cache."""

    __slots__ = (
        "_leaving", "_longest", "_peak", "_residues",
        "block", "decoding", "kv", "made", "needed", "read", "span", "step",
    )  # fmt: skip

    def __init__(self, block: int, span: int) -> None:
        self.block, self.span = block, span
        self.step = self.kv = self.made = self.read = 0
        self.needed = 0
        """Blocks that the next iteration takes."""
        self.decoding: dict[int, Call] = {}
        self._residues = [0] * block
        self._leaving: list[tuple[int, int, int]] = []
        """(step at which it ends, number, step at which it joined); a call that left before is still in it."""
        self._peak = 0
        """The longest iteration since a call joined last, ps."""
        self._longest: list[tuple[int, int]] = []
        """(step, ps): the longest iteration up to a step at which calls joined, since the entry before; ever shorter
        ones."""

    def takes(self, start: int, stop: int) -> int:
        """Blocks that iterations ``start`` … ``stop - 1`` from now take."""
        size, residues = self.block, self._residues
        low, count = (self.step + start) % size, stop - start
        high = low + count % size
        taken = count // size * len(self.decoding) + sum(residues[low:high])
        return taken + sum(residues[: high - size]) if high > size else taken

    def affords(self, count: int, free: int) -> int:
        """How many of ``count`` iterations there are before a call ends or ``free`` blocks run out, at least one."""
        leaving, decoding = self._leaving, self.decoding
        while True:
            finish, number, joined = leaving[0]
            call = decoding.get(number)
            if call is not None and call.joined == joined:
                break
            heappop(leaving)  # it left before its end
        if finish - self.step < count:
            count = finish - self.step
        size, decodes = self.block, len(decoding)
        if count == 1 or (count // size + 1) * decodes <= free:
            return count
        rounds = min(count // size, free // decodes)
        done, free = rounds * size, free - rounds * decodes
        while done < count:
            free -= self._residues[(self.step + done) % size]
            if free < 0:
                break
            done += 1
        return max(1, done)

    def advance(self, count: int, longest: int) -> Sequence[Call]:
        """``count`` iterations have ended, the last and longest of which took ``longest`` ps. Returns the calls that
        end with it; they are still in the batch."""
        step = self.step = self.step + count
        self.kv += count * len(self.decoding)
        self.needed = self._residues[step % self.block]
        if longest > self._peak:
            self._peak = longest
        leaving = self._leaving
        if leaving[0][0] > step:
            return ()
        found = []
        while leaving and leaving[0][0] <= step:
            _, number, joined = heappop(leaving)
            call = self.decoding.get(number)
            if call is not None and call.joined == joined:
                found.append(call)
        return found

    def join(self, call: Call) -> None:
        """A call whose prompt is in the cache decodes from the next iteration on."""
        step, number, peak, longest = self.step, call.number, self._peak, self._longest
        if peak:
            while longest and longest[-1][1] <= peak:
                longest.pop()
            longest.append((step, peak))
            self._peak = 0
        call.state, call.joined = DECODE, step
        self.decoding[number] = call
        self.kv += call.length
        self._residues[(step - call.length) % self.block] += 1
        self.needed = self._residues[step % self.block]
        heappush(self._leaving, (step + call.request.output - call.generated, number, step))

    def detach(self, call: Call, now: int) -> None:
        """A decoding call leaves the batch at the present step; its blocks stay its own."""
        joined, length = call.joined, call.length
        steps = self.step - joined
        self.made += steps
        self.read += steps * (2 * length + steps + 1) // 2
        del self.decoding[call.number]
        self._residues[(joined - length) % self.block] -= 1
        self.needed = self._residues[self.step % self.block]
        length += steps
        self.kv -= length
        call.length = length
        call.generated += steps
        call.blocks = -(-length // self.block) - call.shared * self.span
        if steps:
            call.last = now
            # Lengths decrease with later ends, so the first iteration after it joined was the longest.
            longest = self._longest
            before = bisect_right(longest, (joined, FOREVER))
            call.worst = max(call.worst, self._peak, longest[before][1] if before < len(longest) else 0)
        if not self.decoding:
            self._longest.clear()
            self._leaving.clear()
