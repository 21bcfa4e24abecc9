"""How a run's models and temperatures did, from the request to a gain over the parents."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from db.records import Attempt
from discovery.proposers.choice import improved
from evaluators.task import Direction


def by_model(slots: Sequence[Attempt], direction: Direction) -> list[dict[str, object]]:
    """One object a model, by name."""
    return _rates(slots, direction, "model", lambda a: a.arm)


def by_temperature(slots: Sequence[Attempt], direction: Direction) -> list[dict[str, object]]:
    """One object a temperature, the lowest first; none where the server's own held throughout."""
    found = _rates(slots, direction, "temperature", lambda a: a.temperature)
    return found if any(row["temperature"] is not None for row in found) else []


def _rates(
    slots: Sequence[Attempt],
    direction: Direction,
    name: str,
    of: Callable[[Attempt], Hashable],
) -> list[dict[str, object]]:
    groups: dict[Hashable, list[Attempt]] = {}
    for slot in slots:
        if slot.requests:
            groups.setdefault(of(slot), []).append(slot)
    return [
        {name: value, **_rate(groups[value], direction)}
        for value in sorted(groups, key=lambda v: (v is not None, v))
    ]


def _rate(slots: Sequence[Attempt], direction: Direction) -> dict[str, object]:
    ran = [s for s in slots if s.outcome in ("scored", "stopped")]
    tokens, costs = [s.tokens for s in slots], [s.cost for s in slots]
    return {
        "samples": len(slots),
        "requests": sum(s.requests for s in slots),
        "replies": sum(s.replies for s in slots),
        "checked": sum(s.checked for s in slots),
        "valid": len(ran),
        "new": sum(not s.duplicate for s in ran),
        "improved": sum(improved(s, direction) for s in slots),
        "tokens": None if None in tokens else sum(t or 0 for t in tokens),
        "cost": None if None in costs else sum(c or 0.0 for c in costs),
    }
