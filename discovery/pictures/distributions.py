"""How a quantity is spread, and how a score follows its reference, for several candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.pictures.canvas import BLUE, GREEN, GREY, ORANGE, RED, Picture, drawn, logarithmic, panels
from evaluators.task import Instance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, ORANGE, GREEN, RED)
Values = Mapping[str, Sequence[float]]
"""By the name of a candidate."""


def cumulative(
    quantities: Mapping[str, Values], unit: str, limits: Mapping[str, float] | None = None
) -> Picture:
    """Of each quantity the share of values up to x, on a scale of logarithms; a dotted line at its limit. A value of
    infinity is never reached: it keeps its line below 1. Values above 0, at least one of each."""
    limits = limits or {}
    told = []
    for name, limit in limits.items():
        told += [f"{name} within {limit:g} {unit}: {_shares(quantities[name], limit)}"]
    draws: list[Callable[[Axes], None]] = [
        partial(_cumulative, values=values, title=f"{name}, {unit}", limit=limits.get(name))
        for name, values in quantities.items()
    ]
    text = f"distribution of {', '.join(quantities)}" + "".join(f"; {one}" for one in told)
    return panels(text, draws, size=(3.8 * len(draws), 3.2), columns=len(draws))


def _shares(values: Values, limit: float) -> str:
    shares = {name: sum(v <= limit for v in own) / len(own) for name, own in values.items()}
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())


def _cumulative(axes: Axes, *, values: Values, title: str, limit: float | None) -> None:
    for (name, own), colour in zip(values.items(), cycle(COLOURS), strict=False):
        reached = sorted(v for v in own if math.isfinite(v))
        shares = [(n + 1) / len(own) for n in range(len(reached))]
        axes.step(reached, shares, where="post", color=colour, label=plain(name, limit=30))
    if limit is not None:
        axes.axvline(limit, color="black", linewidth=0.8, linestyle=":")
    logarithmic(axes, (1.0,))
    axes.set_ylim(0, 1.02)
    axes.set_title(title)
    axes.legend(loc="upper left")


def against_reference(instances: Sequence[Instance], values: Values, what: str, reference: str) -> Picture:
    """What each class reaches of its mean reference, with 95 % intervals of the mean share over the instances of the
    class (Student's t; none where there is one). ``what`` and ``reference`` name the axes. Every instance has a
    reference."""
    lines = {name: _points(instances, own) for name, own in values.items()}
    best = {name: max(points, key=lambda p: p[1]) for name, points in lines.items()}
    told = ", ".join(f"{name} up to {y:.3g} at {x:.3g}" for name, (x, y, _) in best.items())
    return drawn(f"{what} over {reference}: {told}", lambda axes: _against(axes, lines, what, reference))


def _points(instances: Sequence[Instance], values: Sequence[float]) -> list[tuple[float, float, float]]:
    """(mean reference, as much of it as is reached, half of the interval) of each class, by reference. Shares, since
    references differ within a class."""
    classes: dict[str, list[tuple[float, float]]] = {}
    for instance, value in zip(instances, values, strict=True):
        assert instance.reference
        classes.setdefault(instance.group, []).append((instance.reference, value / instance.reference))
    found = []
    for rows in classes.values():
        references, shares = zip(*rows, strict=True)
        mean = sum(references) / len(rows)
        found.append((mean, mean * sum(shares) / len(rows), mean * _half(shares)))
    return sorted(found)


def _half(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean."""
    from scipy.special import stdtrit

    count = len(values)
    if count < 2:
        return 0.0
    mean = sum(values) / count
    variance = sum((v - mean) ** 2 for v in values) / (count - 1)
    return float(stdtrit(count - 1, 0.975)) * math.sqrt(variance / count)


def _against(
    axes: Axes, lines: Mapping[str, Sequence[tuple[float, float, float]]], what: str, reference: str
) -> None:
    for (name, points), colour in zip(lines.items(), cycle(COLOURS), strict=False):
        x, y, half = zip(*points, strict=True)
        axes.errorbar(
            x, y, yerr=half, fmt="o-", markersize=3, color=colour, capsize=2, label=plain(name, limit=30)
        )
    most = max(x for points in lines.values() for x, _, _ in points)
    axes.plot([0, most], [0, most], color=GREY, linewidth=1, linestyle="--", label="all of it")
    axes.set_xlim(0, None)
    axes.set_ylim(0, None)
    axes.set_xlabel(reference)
    axes.set_ylabel(what)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
