"""The fast memory over time: every stay of a buffer a rectangle of addresses, copies marked while they are under
way."""

from __future__ import annotations

from collections.abc import Iterator

from evaluators.memory.mapping.program import decode
from evaluators.memory.mapping.referee import Replay, replay
from evaluators.pictures import Mark, Tile, Tiles
from evaluators.task import Instance

KEPT, COMING, COPIED = "kept", "room for a copy", "copied"
MICROSECOND = 1000
"""ns."""


def pictures(instance: Instance, answer: bytes) -> tuple[Tiles, ...]:
    """One picture: time to the right, addresses of the fast memory upwards. Raises InvalidAnswer for a log that cannot
    be."""
    found = replay(decode(instance.payload), answer)
    program = found.program
    return (
        Tiles(
            title=f"{len(program.compute)} operations in {found.run_time / MICROSECOND:.4g} µs",
            caption="Each rectangle is a buffer in fast memory: kept since the access before, or copied there ahead of "
            "its use; until the copy is there its room is empty.",
            across="time, µs",
            up="address, bytes",
            tiles=tuple(_tiles(found)),
            marks=(Mark("capacity", program.machine.capacity),),
            kinds=(KEPT, COMING, COPIED),
        ),
    )


def _tiles(found: Replay) -> Iterator[Tile]:
    for first, last, offset, size, number in found.boxes:
        one = found.decided[number]
        begin, end = found.times[first][0], found.times[last][1]
        what = f"buffer {one.segment.buffer} for operation {one.segment.use}: {size} bytes at {offset}"
        pieces = (
            [(begin, one.done, COMING), (one.done, end, COPIED)] if one.code > 0 else [(begin, end, KEPT)]
        )
        for start, stop, kind in pieces:
            yield Tile(
                left=start / MICROSECOND,
                right=stop / MICROSECOND,
                bottom=offset,
                top=offset + size,
                label=str(one.segment.buffer),
                note=f"{what}, {kind} from {start} to {stop} ns",
                kind=kind,
            )
