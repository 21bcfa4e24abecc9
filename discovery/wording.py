"""Figures as people read them, the same on the terminal and on the pages."""

from __future__ import annotations

from discovery.progress import gain
from evaluators.task import Direction


def number(value: float) -> str:
    """Four significant digits, thousands whole."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(share: float | None) -> str:
    """A share with its sign; a dash for nothing."""
    return "-" if share is None else f"{100 * share:+.1f} %"


def clock(seconds: float) -> str:
    """Minutes and seconds, hours where there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def compared(direction: Direction, own: float | None, other: float | None, name: str) -> str:
    """A relative gain; where the other is more than twice as good, a percentage says nothing and its score does."""
    better = gain(direction, own, other)
    if better is None or other is None:
        return ""
    return f"{percent(better)} against {name}" if better > -1 else f"{name} has {number(other)}"
