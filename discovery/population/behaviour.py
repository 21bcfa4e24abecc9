"""What candidates do, apart from how they are written: entries with the same answers share one behaviour.

The behaviour of a candidate that was scored in full is the digest of all its answers on the search split; of one that
was stopped early, the digest of its scores so far. The first entry of a run with a behaviour owns it. A later one keeps
its own code and its score (which is the same), and is marked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from db.records import EntryKey, EntryRecord, NewEntry
from discovery.population.firsts import Firsts, of_hash, shown

SAME_BEHAVIOUR = "same-behaviour"
"""Mark of an entry whose answers are those of an earlier one with other code."""


def of_scores(scores: Sequence[float]) -> str:
    """The behaviour of a candidate that was stopped after these scores."""
    return "stopped " + hashlib.sha256(",".join(map(repr, scores)).encode()).hexdigest()


class Behaviours:
    """The behaviours of a run: who had each first, and which were tuned. Grows by one batch at a time."""

    def __init__(self, seeds: Iterable[tuple[str, str]]) -> None:
        """``seeds``: behaviour and hash of each, best first."""
        self._owners, self._tuned = Firsts(), Firsts()
        for behaviour, hash_ in seeds:
            self._owners.add(behaviour, of_hash(hash_))

    def marked(self, entries: Iterable[NewEntry], found: Mapping[EntryKey, str]) -> list[NewEntry]:
        """The entries of a batch, those without a behaviour of their own marked. ``found``: the behaviours of valid
        entries that own their evaluation. What is quarantined owns nothing."""
        made = []
        for entry in entries:
            behaviour = found.get(entry.key)
            if (
                behaviour is not None
                and entry.outcome in ("scored", "stopped")
                and entry.candidate is not None
            ):
                own = of_hash(entry.candidate)
                owner = self._owners.add(behaviour, own)
                if owner != own:
                    said = f"answers as {shown(owner)} does"
                    reason = f"{entry.reason}; {said}" if entry.reason else said
                    entry = replace(entry, reason=reason, marks=entry.marks | {SAME_BEHAVIOUR})
            made.append(entry)
        return made

    def tune(self, behaviour: str, parameters: Iterable[str]) -> None:
        """A candidate with this behaviour and these parameters was tuned."""
        self._tuned.add(_study(behaviour, parameters), 0)

    def untuned(self, ranked: Iterable[tuple[int, str, Iterable[str]]]) -> list[int]:
        """Of slots with behaviour and parameters, best first, those whose tuning was not done before, nor would be by
        one that stands before it."""
        seen, left = set[str](), []
        for k, behaviour, parameters in ranked:
            same = _study(behaviour, parameters)
            if same not in seen and same not in self._tuned:
                seen.add(same)
                left.append(k)
        return left


def _study(behaviour: str, parameters: Iterable[str]) -> str:
    return "\n".join((behaviour, *sorted(set(parameters))))


def counted(entries: Iterable[EntryRecord]) -> dict[str, float | int | None]:
    """How many of a run's samples were valid, and how many of these did something that no earlier entry had done."""
    valid = [e for e in entries if e.kind == "own" and e.outcome in ("scored", "stopped")]
    new = sum(e.duplicate_of is None and SAME_BEHAVIOUR not in e.marks for e in valid)
    return {"valid": len(valid), "new": new, "share": new / len(valid) if valid else None}
