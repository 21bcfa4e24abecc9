"""Finds strategies: the built-in ones and those that installed packages announce in the group ``discover.strategies``.

An entry point loads to a callable without arguments that returns a :class:`Strategy` (a class will do). Listing loads
nothing; a package that fails to load is reported under its own name and harms no other strategy.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

from discovery.config import Settings
from discovery.errors import UsageError
from discovery.population.best_of_n import BestOfN
from discovery.population.islands import Islands
from discovery.population.reflective import Reflective
from discovery.population.strategy import Strategy

GROUP = "discover.strategies"
STRATEGY = "strategy "
"""What the names of strategies begin with among the versions that a run freezes."""
BUILT_IN: dict[str, Callable[[Settings], Strategy]] = {
    "islands": lambda settings: Islands(front=settings.fronts),
    "best-of-n": lambda _: BestOfN(),
    "reflective": lambda _: Reflective(),
}
"""Known without installation metadata, so that a plain checkout works."""


def names() -> tuple[str, ...]:
    """All strategies, the built-in ones first; nothing is imported."""
    return (*BUILT_IN, *sorted({e.name for e in entry_points(group=GROUP)} - set(BUILT_IN)))


def make(settings: Settings) -> Strategy:
    """The strategy that the settings name.

    Raises UsageError for an unknown name and for a package that does not give a strategy."""
    name = settings.strategy
    if name in BUILT_IN:
        return BUILT_IN[name](settings)
    announced = _announced(name)
    if announced is None:
        close = get_close_matches(name, names(), n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        raise UsageError(f"unknown strategy {name!r}{meant}; there are: {', '.join(names())}")
    try:
        made = announced.load()()
    except Exception as error:
        raise UsageError(
            f"strategy {name!r} from {announced.value} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, Strategy) or made.name != name:
        raise UsageError(
            f"strategy {name!r} from {announced.value} is not one: expected an object with the name {name!r} and a "
            f"method plan(situation, draw), got {type(made).__name__}"
        )
    return made


def versions(name: str) -> dict[str, str]:
    """What a run row freezes about a strategy of an installed package: the package and its version. Empty for a
    built-in one, whose version is that of this package."""
    announced = None if name in BUILT_IN else _announced(name)
    if announced is None:
        return {}
    package = announced.dist
    return {STRATEGY + name: f"{package.name} {package.version}" if package else announced.value}


def _announced(name: str) -> EntryPoint | None:
    return next(iter(entry_points(group=GROUP, name=name)), None)
