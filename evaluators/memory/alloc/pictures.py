"""The placing of an answer: each buffer a rectangle, as long as its life and as high as its size."""

from __future__ import annotations

import numpy as np

from evaluators.memory.buffers import Buffers, capacity, decode
from evaluators.pictures import Mark, Tile, Tiles
from evaluators.task import Instance


def pictures(instance: Instance, answer: bytes) -> tuple[Tiles, ...]:
    """One picture: time to the right, addresses upwards; what ends above the lower bound is the redder the higher."""
    buffers = decode(instance.payload)
    offsets = np.frombuffer(answer, "<i8").astype(np.int64)
    height, bound = buffers.height(offsets), buffers.bound
    marks = [Mark("height", height), Mark("lower bound", bound)]
    room = capacity(instance.id, bound)
    if room is not None:
        marks.append(Mark("capacity", room))
    return (
        Tiles(
            title=f"{len(buffers)} buffers in memory",
            caption="Each rectangle is a buffer over its life; the redder, the further it ends above the lower bound.",
            across="time",
            up="bytes",
            tiles=_tiles(buffers, offsets.tolist(), bound, height),
            marks=tuple(marks),
        ),
    )


def _tiles(buffers: Buffers, offsets: list[int], bound: int, height: int) -> tuple[Tile, ...]:
    """The axis of time begins with the first buffer; notes tell times as they are."""
    first = int(buffers.lower.min())
    rows = zip(buffers.lower.tolist(), buffers.upper.tolist(), buffers.size.tolist(), offsets, strict=True)
    return tuple(
        Tile(
            left=lower - first,
            right=upper - first,
            bottom=offset,
            top=offset + size,
            label=str(number),
            level=max(0, offset + size - bound) / (height - bound) if height > bound else 0.0,
            note=f"buffer {number}: {size} bytes at {offset}, from {lower} to {upper}",
        )
        for number, (lower, upper, size, offset) in enumerate(rows)
    )
