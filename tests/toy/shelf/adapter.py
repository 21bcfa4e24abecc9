"""The child's side: numbers become items, a shelf and a bag, and the items that come back a mask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Item:
    weight: int
    volume: int
    place: int


@dataclass(frozen=True)
class Shelf:
    items: tuple[Item, ...]


class Bag:
    """It has no equality of its own, so that two bags are never equal."""

    def __init__(self, room: int) -> None:
        self.room = room

    def fits(self, items: Sequence[Item]) -> bool:
        return sum(i.volume for i in items) <= self.room


def answer(function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any]) -> bytes:
    """n bytes, 1 = packed. Raises ValueError for what is no list of items of the shelf."""
    numbers = np.frombuffer(payload, dtype="<i8").tolist()
    n = len(numbers) // 2
    rows = zip(numbers[1 : n + 1], numbers[n + 1 :], strict=True)
    shelf = Shelf(tuple(Item(weight, volume, place) for place, (weight, volume) in enumerate(rows)))
    packed = function(shelf, Bag(numbers[0]), **parameters)
    if not isinstance(packed, list) or not all(isinstance(i, Item) and i in shelf.items for i in packed):
        raise ValueError("pack() must return a list of items of the shelf")
    mask = np.zeros(n, dtype=np.uint8)
    for item in packed:
        mask[item.place] = 1
    return mask.tobytes()
