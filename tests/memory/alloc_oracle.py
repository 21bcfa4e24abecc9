"""Static allocation by its definition: slow, and with nothing of the harness."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

Buffer = tuple[int, int, int]
"""Lower, upper, size."""


def together(a: Buffer, b: Buffer) -> bool:
    """Whether some moment lies in both lives."""
    return any(a[0] <= time < a[1] for time in range(b[0], b[1]))


def overlap(a: Buffer, at: int, b: Buffer, bt: int) -> bool:
    """Whether two placed buffers share an address while both are alive."""
    return together(a, b) and at < bt + b[2] and bt < at + a[2]


def bound(buffers: Sequence[Buffer]) -> int:
    """The most alive at one time."""
    last = max(b[1] for b in buffers)
    return max(sum(s for lo, up, s in buffers if lo <= time < up) for time in range(last))


def fitting(buffers: Sequence[Buffer], placed: dict[int, int], one: int) -> list[int]:
    """The bottoms of all gaps into which buffer ``one`` fits, rising: 0 and the ends of those it meets."""
    meets = [b for b in placed if together(buffers[b], buffers[one])]
    bottoms = {0, *(placed[b] + buffers[b][2] for b in meets)}
    return sorted(
        at for at in bottoms if not any(overlap(buffers[one], at, buffers[b], placed[b]) for b in meets)
    )


def first_fit(buffers: Sequence[Buffer], order: Sequence[int]) -> list[int]:
    """Offsets when each is placed as low as it fits."""
    placed: dict[int, int] = {}
    for one in order:
        placed[one] = fitting(buffers, placed, one)[0]
    return [placed[b] for b in range(len(buffers))]


def height(buffers: Sequence[Buffer], offsets: Sequence[int]) -> int:
    return max(at + b[2] for b, at in zip(buffers, offsets, strict=True))


def fits(buffers: Sequence[Buffer], capacity: int) -> bool:
    """Whether some offsets are free of overlaps: all are tried, buffer by buffer as they begin."""
    rows = sorted(buffers)

    def rest(offsets: list[int]) -> bool:
        at = len(offsets)
        if at == len(rows):
            return True
        return any(
            not any(overlap(rows[at], offset, rows[b], offsets[b]) for b in range(at))
            and rest([*offsets, offset])
            for offset in range(capacity - rows[at][2] + 1)
        )

    return rest([])


def drawn(most: int) -> st.SearchStrategy[list[Buffer]]:
    """Some buffers with short lives."""
    one = st.tuples(st.integers(0, 8), st.integers(1, 6), st.integers(1, 9))
    return st.lists(one.map(lambda b: (b[0], b[0] + b[1], b[2])), min_size=1, max_size=most)
