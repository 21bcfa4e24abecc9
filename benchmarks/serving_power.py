"""Fits the three shares of the energy model (evaluators/serving/power.py) to measured power, and prints its errors.

    python benchmarks/serving_power.py

The power, in parts of the peak, of Llama-2-70B and BLOOM-176B on 2, 4 and 8 A100 comes from splitwise-sim's
``perf_model.csv`` (benchmarks/README.md says where from): the mean of a run that is nearly all decodes, and the highest
of a run where its prompt did not reach the cards' limit. Least squares of the relative error.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from serving_tables import Array, rows

from evaluators.serving.cards import CARDS
from evaluators.serving.models import BYTES

WEIGHTS = {"llama2-70b": 69e9, "bloom-176b": 176e9}
CARD = "a100"
NEARLY_ALL = 0.94
"""Of a run's time, from which its mean power is that of decodes."""
LIMITED = 0.97
"""Part of the peak from which a card may have been held back."""


class Measured(NamedTuple):
    """One setting's power beside what is used of the card: (1, memory, arithmetic), in parts of the peaks."""

    decodes: bool
    used: tuple[float, float, float]
    power: float


def measured() -> list[Measured]:
    settings = defaultdict(list)
    for row in rows("splitwise/perf_model.csv"):
        if row["hardware"] == f"{CARD}-80gb" and float(row["average_power"]) > 0:
            key = row["model"], int(row["tensor_parallel"]), int(row["prompt_size"]), int(row["batch_size"])
            settings[key].append(row)
    found = []
    for (model, tp, prompt, batch), runs in sorted(settings.items()):

        def mean(column: str, of: list[dict[str, str]] = runs) -> float:
            return sum(float(run[column]) for run in of) / len(of)

        first, following = mean("prompt_time") / 1e3, mean("token_time") / 1e3
        if first < (1 - NEARLY_ALL) * mean("e2e_time") / 1e3:
            found.append(Measured(True, _used(model, tp, batch, following), mean("average_power")))
        if mean("peak_power") < LIMITED:
            found.append(Measured(False, _used(model, tp, batch * prompt, first), mean("peak_power")))
    return found


def _used(model: str, tp: int, tokens: int, seconds: float) -> tuple[float, float, float]:
    card, weights = CARDS[CARD], WEIGHTS[model] / tp
    return 1.0, BYTES * weights / seconds / card.bandwidth, 2 * weights * tokens / seconds / card.flops


def fitted(found: list[Measured]) -> Array:
    used, power = np.array([m.used for m in found]), np.array([m.power for m in found])
    shares: Array = np.linalg.lstsq(used / power[:, None], np.ones(len(found)), rcond=None)[0]
    return shares


def main() -> None:
    found = measured()
    shares = fitted(found)
    say = sys.stdout.write
    say("shares of the peak: base {:.2f}, memory {:.2f}, arithmetic {:.2f}\n".format(*shares))
    for name, decodes in (("decodes", True), ("prompts", False)):
        off = [m.used @ shares / m.power - 1 for m in found if m.decodes is decodes]
        say(f"{name}: {len(off)} settings, mean error {100 * np.abs(off).mean():.1f} %, ")
        say(f"worst {100 * max(off, key=abs):+.0f} %\n")


if __name__ == "__main__":
    main()
