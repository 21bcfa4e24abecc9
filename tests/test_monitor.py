"""What a watched run says before it has begun."""

from __future__ import annotations

import pytest
from toy.task import Knapsack

from discovery.config import Settings
from discovery.monitor import Monitor
from discovery.progress import Progress
from evaluators.task import ShippedScore


class Recording(Monitor):
    """Lets one see what a listener would be told first."""

    @property
    def told(self) -> Progress:
        return self._progress


def monitor() -> Recording:
    return Recording("r-1", Knapsack({}), Settings(), "genetic", None)


@pytest.mark.parametrize(
    ("published", "tuned", "gate"),
    [({"gate": 70.0}, {"gate": 75.0}, 75.0), ({"gate": 70.0}, {}, 70.0), ({}, {}, None)],
)
def test_the_baseline_has_its_own_gate_score(
    monkeypatch: pytest.MonkeyPatch, published: dict[str, float], tuned: dict[str, float], gate: float | None
) -> None:
    """The best one on the gate is another."""
    scores = {
        "density": ShippedScore({"search": 90.0, **published}, tuned, {}),
        "heaviest": ShippedScore({"search": 80.0, "gate": 85.0}, {}, {}),
    }
    monkeypatch.setattr(Knapsack, "shipped_scores", lambda _: scores)
    baseline = monitor().told.baseline
    assert baseline is not None
    assert (baseline.name, baseline.search, baseline.gate) == ("density", 90.0, gate)
