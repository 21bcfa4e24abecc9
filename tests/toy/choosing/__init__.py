"""An answer task with hooks, for tests only: the bag of the knapsack, whose items a candidate may also turn down while
the bag is filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, Interface, Value
from toy.task import Knapsack

HERE = Path(__file__).parent
LEFT = Value("left", "scalar", "int64", "volume that is left", unit="litre", low=0)


class Choosing(Knapsack):
    """The task bound to its options, which are the knapsack's."""

    name = "choosing"
    interface = replace(
        Knapsack.interface,
        hooks=(
            Interface(
                function="take",
                summary="Say whether an item that fits goes in.",
                arguments=(
                    Value("weight", "scalar", "int64", "weight of the item", unit="kg", low=1),
                    Value("volume", "scalar", "int64", "volume of the item", unit="litre", low=1),
                    LEFT,
                ),
                returns=Value("taken", "scalar", "bool", "whether it goes in"),
                absent="every item that fits goes in.",
            ),
            Interface(
                function="enough",
                summary="Say whether the bag is full enough.",
                arguments=(LEFT,),
                returns=Value("full", "scalar", "bool", "whether no more items are looked at"),
                absent="all items are looked at.",
            ),
        ),
    )
    seeds = ("choosy", "trivial")
    adapter = HERE / "adapter.py"

    def baselines(self) -> Mapping[str, Baseline]:
        return shipped.candidates(HERE / "baselines")
