"""An answer task of objects, for tests only: the knapsack, whose items a candidate gets and returns as objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, Interface, Value
from toy.task import Knapsack

HERE = Path(__file__).parent


class Shelf(Knapsack):
    """The task bound to its options, which are the knapsack's."""

    name = "shelf"
    interface = Interface(
        function="pack",
        summary="Return the items that go into the bag.",
        arguments=(
            Value(
                "shelf",
                "object",
                "object",
                "`shelf.items` is a tuple of items; an item has `weight` (kg) and `volume` (litre), whole numbers",
            ),
            Value(
                "bag",
                "object",
                "object",
                "`bag.room` is its volume (litre); `bag.fits(items)` says whether a list of items fits into it",
            ),
        ),
        returns=Value("packed", "object", "object", "a list of items of the shelf, each at most once"),
        facts=("Items that do not fit together are no answer.",),
    )
    seeds = ("greedy", "trivial")
    adapter = HERE / "adapter.py"

    def baselines(self) -> Mapping[str, Baseline]:
        return shipped.candidates(HERE / "baselines")
