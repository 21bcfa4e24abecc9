"""Who came from whom in a run: every entry, refused and evicted ones included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.ledger import Ledger
from db.records import EntryId, EntryRecord
from discovery.escape import plain
from discovery.review.names import frozen, label, short, task_of
from discovery.review.overview import promotions
from evaluators.task import Direction

SHOWN = 3000
"""Entries drawn as text; of more the best are drawn, with those they come from."""
REASON = 60
"""Characters of a reason in a line."""


@dataclass(frozen=True)
class Tree:
    """The entries of a run and the edges between them."""

    run: str
    direction: Direction
    unit: str
    entries: tuple[EntryRecord, ...]
    parents: Mapping[EntryId, tuple[EntryId, ...]]
    promoted: Mapping[EntryId, int | None]
    champion: EntryId | None
    names: Mapping[str, str]
    """The seeds' names by hash."""

    def to_json(self) -> dict[str, object]:
        """The object of ``tree --json``."""
        labels = {e.id: label(e) for e in self.entries}
        return {
            "run": self.run,
            "direction": self.direction,
            "unit": self.unit,
            "nodes": [self._node(e, labels) for e in self.entries],
            "edges": [
                {"child": labels[child], "parent": labels[parent], "position": position}
                for child, parents in sorted(self.parents.items())
                for position, parent in enumerate(parents)
                if child in labels and parent in labels
            ],
        }

    def _node(self, e: EntryRecord, labels: Mapping[EntryId, str]) -> dict[str, object]:
        return {
            "entry": labels[e.id],
            "name": self.names.get(e.candidate or "") if e.kind == "seed" else None,
            "candidate": e.candidate,
            "slot": e.k,
            "kind": e.kind,
            "operator": e.operator,
            "batch": e.batch,
            "island": e.island,
            "depth": e.depth,
            "outcome": e.outcome,
            "reason": e.reason,
            "score": e.score,
            "m": e.m,
            "marks": sorted(e.marks),
            "archived_from": e.archived_from,
            "archived_to": e.archived_to,
            "tuning_gain": e.tuning_gain,
            "duplicate_of": labels.get(e.duplicate_of) if e.duplicate_of is not None else None,
            "promoted_at": self.promoted.get(e.id),
            "champion": e.id == self.champion,
        }

    def lines(self, limit: int = SHOWN) -> list[str]:
        """The tree as text, the best child first. An entry hangs under its first parent; further ones are named."""
        by_id = {e.id: e for e in self.entries}
        children: dict[EntryId | None, list[EntryRecord]] = {}
        for e in sorted(self.entries, key=self._rank):
            children.setdefault(self._stem(e, by_id), []).append(e)
        kept = self._kept(by_id, limit)
        drawn: list[str] = []
        # A stack instead of recursion: a lineage may be deeper than Python's limit. Entries: (entry, stem, tip).
        waiting = self._below(children, kept, None, "", root=True)
        while waiting:
            entry, stem, tip = waiting.pop()
            if isinstance(entry, int):
                drawn.append(f"{stem}{tip}… {entry} more")
                continue
            drawn.append(f"{stem}{tip}{self._line(entry, by_id)}")
            below = stem + {"├─ ": "│  ", "└─ ": "   ", "": ""}[tip]
            waiting += self._below(children, kept, entry.id, below)
        if len(kept) < len(self.entries):
            drawn.append(
                f"{len(kept)} of {len(self.entries)} entries are drawn, the best ones; "
                f"`discover tree {self.run} --json` has them all"
            )
        return drawn

    def _below(
        self,
        children: Mapping[EntryId | None, Sequence[EntryRecord]],
        kept: set[EntryId],
        parent: EntryId | None,
        stem: str,
        root: bool = False,
    ) -> list[tuple[EntryRecord | int, str, str]]:
        """What is drawn under ``parent``, the first one last (the top of the stack)."""
        all_ = children.get(parent, ())
        items: list[EntryRecord | int] = [e for e in all_ if e.id in kept]
        if len(items) < len(all_):
            items.append(len(all_) - len(items))
        last = len(items) - 1
        tips = ["" if root else "└─ " if n == last else "├─ " for n in range(len(items))]
        return [(item, stem, tip) for item, tip in zip(items, tips, strict=True)][::-1]

    def _kept(self, by_id: Mapping[EntryId, EntryRecord], limit: int) -> set[EntryId]:
        """The entries that are drawn: the champion's line, then the best ones, each with what it hangs under."""
        kept: set[EntryId] = set()
        first = [by_id[self.champion]] if self.champion is not None and self.champion in by_id else []
        for entry in (*first, *sorted(self.entries, key=self._rank)):
            line: list[EntryId] = []
            at: EntryId | None = entry.id
            while at is not None and at not in kept:
                line.append(at)
                at = self._stem(by_id[at], by_id)
            if len(kept) + len(line) <= limit:
                kept.update(line)
        return kept

    def _stem(self, entry: EntryRecord, by_id: Mapping[EntryId, EntryRecord]) -> EntryId | None:
        return next((p for p in self.parents.get(entry.id, ()) if p in by_id), None)

    def _rank(self, e: EntryRecord) -> tuple[bool, float, int, str]:
        sign = 1 if self.direction == "minimize" else -1
        return (e.score is None or e.duplicate_of is not None, sign * (e.score or 0.0), e.k, e.kind)

    def _line(self, e: EntryRecord, by_id: Mapping[EntryId, EntryRecord]) -> str:
        name = self.names.get(e.candidate or "") if e.kind == "seed" else None
        words = [
            plain(name or e.operator) + (" (submitted)" if e.kind == "submitted" else ""),
            short(e.candidate) or label(e),
        ]
        if e.duplicate_of is not None:
            owner = by_id.get(e.duplicate_of)
            words.append(f"the same as {label(owner) if owner else 'another'}")
        elif e.score is not None:
            words.append(f"{e.score:.4g} {self.unit}".rstrip())
        else:
            words.append(e.outcome + (f": {plain(e.reason, limit=REASON)}" if e.reason else ""))
        marks = [*sorted(e.marks), *(["champion"] if e.id == self.champion else [])]
        if self.promoted.get(e.id) is not None:
            marks.append(f"passed look {self.promoted[e.id]}")
        further = [by_id[p] for p in self.parents.get(e.id, ())[1:] if p in by_id]
        if marks:
            words.append(f"[{', '.join(marks)}]")
        if further:
            words.append("and from " + ", ".join(short(p.candidate) or label(p) for p in further))
        return "  ".join(words)


def tree(ledger: Ledger, run: str) -> Tree:
    """The lineage of a run. Raises LedgerError; TaskError when its task is not installed."""
    record = ledger.run(run)
    task, champion = task_of(record), ledger.champion(record.id)
    return Tree(
        run=record.id,
        direction=task.direction,
        unit=task.unit,
        entries=ledger.entries(record.id),
        parents=ledger.parents(record.id),
        promoted=promotions(ledger, record.id),
        champion=champion.id if champion else None,
        names=frozen(record).seeds,
    )
