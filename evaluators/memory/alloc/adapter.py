"""The child's side of ``memory-alloc``: places the buffers in the order of the candidate's keys, round after round.

Runs inside the sandbox with numpy and nothing else of the project; it knows no references.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import index
from typing import Any

import numpy as np

BUDGET = 20_000
"""Placements an instance: as many rounds as fit into it, but always one."""
KEPT = 2_000
"""Up to so many buffers, overlaps are kept from round to round; more buffers have few rounds."""
OPEN = 2**62
"""Where the gap above everything ends, in bytes."""

Span = tuple[int, int]
"""Addresses from the first one to before the second one, in bytes."""
Choose = Callable[[int, Sequence[Span]], int]
"""Buffer and the gaps that hold it, from below → the offset that it gets."""


def answer(
    function: Callable[..., Any],
    payload: bytes,
    parameters: Mapping[str, Any],
    hooks: Mapping[str, Callable[..., Any]] = {},
) -> bytes:
    """Run one instance; return the offset of each buffer in the best round as n little-endian int64.

    Rounds end when the candidate orders the buffers as in the round before, when the height is the lower bound, or when
    another round could exceed :data:`BUDGET`. Raises TypeError or ValueError with a message for the proposer."""
    board = Board(*np.frombuffer(payload, "<i8").astype(np.int64).reshape(3, -1))
    n, size, bound = board.n, board.size, board.bound
    choose = _chooser(board, hooks["gap"]) if "gap" in hooks else None
    fixed = board.lives, board.lengths, size / bound, board.pressure / bound, board.crowd / bound
    keys, tops, best, excess = np.zeros((4, n))
    height, lowest, before = OPEN, np.zeros(n, np.int64), [-1]
    for passes in range(max(1, BUDGET // n)):
        views = (view.copy() for view in (*fixed, keys, tops, excess, best))
        reached = height / bound if passes else 0.0
        keys = numbers(function(*views, reached, passes, **parameters), n)
        order = np.lexsort((-size, keys)).tolist()  # stable: the lower index first where both are equal
        if order == before:
            break
        before = order
        offsets = board.place(order, choose)
        ends = offsets + size
        tops = ends / bound
        excess = excess + np.maximum(tops - 1.0, 0.0)
        if int(ends.max()) <= height:
            height, lowest, best = int(ends.max()), offsets, keys
        if height == bound:
            break
    return lowest.astype("<i8").tobytes()


class Board:
    """``n`` buffers with lifetimes [lower, upper) and sizes, each int64[n], and what follows from them: ``bound``, the
    most bytes alive at any time, and of each buffer ``pressure``, the most alive at once during its life, ``crowd``,
    the bytes of all others that share a part of it, and its beginning and length (``lives``, ``lengths``) as shares
    of the whole time."""

    def __init__(self, lower: Any, upper: Any, size: Any) -> None:
        self.lower, self.upper, self.size, self.n = lower, upper, size, len(size)
        times, at = np.unique(np.concatenate([lower, upper]), return_inverse=True)
        begin, end = at[: self.n], at[self.n :]
        begun, ended = (_sums(where, size, len(times)) for where in (begin, end))
        alive = begun - ended
        self.pressure = np.array([alive[first:last].max() for first, last in zip(begin, end, strict=True)])
        self.bound = int(self.pressure.max())
        # What has begun before a buffer's end, less what has ended when it begins, shares a part of its life.
        self.crowd = begun[end - 1] - ended[begin] - size
        whole = times[-1] - times[0]
        self.lives, self.lengths = (lower - times[0]) / whole, (upper - lower) / whole
        self._sizes = size.tolist()
        self._near: dict[int, list[int]] = {}

    def near(self, buffer: int) -> list[int]:
        """The buffers that are alive at the same time as ``buffer``, itself among them."""
        found = self._near.get(buffer)
        if found is None:
            alive = (self.lower < self.upper[buffer]) & (self.upper > self.lower[buffer])
            found = np.flatnonzero(alive).tolist()
            if self.n <= KEPT:
                self._near[buffer] = found
        return found

    def place(self, order: Sequence[int], choose: Choose | None) -> Any:
        """Offsets in bytes, int64[n], when the buffers are placed in this order, each at the bottom of a gap: the
        lowest one that holds it, or the one that ``choose`` picks among those."""
        spans: list[Span | None] = [None] * self.n
        offsets = np.zeros(self.n, np.int64)
        for buffer in order:
            size = self._sizes[buffer]
            taken = [span for other in self.near(buffer) if (span := spans[other])]
            taken.sort()
            offset = lowest_gap(taken, size) if choose is None else choose(buffer, gaps(taken, size))
            spans[buffer] = offset, offset + size
            offsets[buffer] = offset
        return offsets


def lowest_gap(taken: Sequence[Span], size: int) -> int:
    """The least offset at which ``size`` fits between the ``taken`` spans, sorted by their first address."""
    top = 0
    for first, end in taken:
        if first - top >= size:
            break
        if end > top:
            top = end
    return top


def gaps(taken: Sequence[Span], size: int) -> list[Span]:
    """The gaps between the sorted ``taken`` spans that hold ``size``, from below; the last one is open."""
    found, top = [], 0
    for first, end in taken:
        if first - top >= size:
            found.append((top, first))
        if end > top:
            top = end
    found.append((top, OPEN))
    return found


def _chooser(board: Board, hook: Callable[..., Any]) -> Choose:
    """Asks the candidate's hook where there is more than one gap, in shares of the lower bound."""
    bound = board.bound
    whole = float(board.size.sum()) / bound
    of = list(zip((board.size / bound).tolist(), board.lives.tolist(), board.lengths.tolist(), strict=True))

    def choose(buffer: int, found: Sequence[Span]) -> int:
        if len(found) == 1:
            return found[0][0]
        offsets = np.array([first for first, _ in found]) / bound
        rooms = np.array([end - first for first, end in found]) / bound
        rooms[-1] = whole
        chosen = hook(offsets, rooms, *of[buffer])
        try:
            at = index(chosen)
        except TypeError:
            raise TypeError(f"gap returned {type(chosen).__name__}; expected a whole number") from None
        if not 0 <= at < len(found):
            raise ValueError(f"gap returned {at}; the buffer fits into {len(found)} gaps, numbered from 0")
        return found[at][0]

    return choose


def _sums(where: Any, size: Any, count: int) -> Any:
    """Bytes at each of ``count`` times or before, int64[count]."""
    found = np.zeros(count, np.int64)
    np.add.at(found, where, size)
    return np.cumsum(found)


def numbers(returned: Any, n: int) -> Any:
    """The candidate's numbers: ``n`` of them, finite."""
    key = np.array(returned, dtype=np.float64)
    if key.shape != (n,):
        raise ValueError(f"shape {key.shape} returned; expected ({n},), one number for each buffer")
    if not np.isfinite(key).all():
        wrong = int(np.argmin(np.isfinite(key)))
        raise ValueError(f"buffer {wrong} of {n} got {key[wrong]}; expected finite numbers")
    return key
