"""The lineage as a picture: where each entry of a run stands, what became of it, and the edges between them.

From left to right the samples, from top to bottom the rank by score: a rank spreads what a few hopeless scores would
squeeze together, and equal scores share a place. What has no score lies in lanes below, one for each kind of ending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from db.ledger import Ledger
from db.records import EntryRecord
from discovery.members import ending
from discovery.review.columns import columns
from discovery.review.curve import in_order
from discovery.review.family import Tree, tree
from discovery.review.names import label, short
from evaluators.task import Direction

State = Literal["champion", "promoted", "archived", "evicted", "scored", "stopped", "noted", "lost"]
"""The champion; one that passed the gate earlier; in the archive; marked as having left it; scored, never taken into
it; stopped early, being worse beyond doubt; a reflection's note; everything else, whose lane says how it ended."""
TICKS = 5
LANES_FROM, LANE = 1.08, 0.055
"""The first lane, and the distance of two, in heights of the scored part."""


@dataclass(frozen=True)
class Node:
    """``x`` is the sample (0 for seeds), ``y`` 0 for the best score and 1 for the worst, more in a lane. ``name`` is a
    seed's name or the first digits of the hash, None for what is no candidate."""

    entry: str
    name: str | None
    kind: str
    operator: str
    state: State
    ending: str
    score: float | None
    x: float
    y: float


@dataclass(frozen=True)
class Lineage:
    run: str
    direction: Direction
    unit: str
    nodes: tuple[Node, ...]
    """In the order of integration, so parents come before their children."""
    edges: tuple[tuple[int, int], ...]
    """Parent and child as positions in ``nodes``; a child's edges in the order of its parents, the edited one first."""
    ticks: tuple[tuple[float, float], ...]
    """``y`` and the score that stands there."""
    lanes: tuple[tuple[float, str], ...]
    """``y`` of each lane and the ending it holds."""

    def to_json(self) -> dict[str, object]:
        """The documented object; nodes and edges as columns."""
        return {
            "run": self.run,
            "direction": self.direction,
            "unit": self.unit,
            "nodes": columns(Node, self.nodes),
            "edges": {"parent": [p for p, _ in self.edges], "child": [c for _, c in self.edges]},
            "ticks": [{"y": y, "score": score} for y, score in self.ticks],
            "lanes": [{"y": y, "ending": name} for y, name in self.lanes],
        }


def lineage(ledger: Ledger, run: str) -> Lineage:
    """Every entry of a run, refused and evicted ones too. Raises LedgerError; TaskError when its task is not
    installed."""
    made = tree(ledger, run)
    rows = in_order(made.entries)
    heights = _heights([e.score for e, _ in rows if e.score is not None], made.direction)
    lanes = _lanes([ending(e) for e, _ in rows if e.score is None])
    nodes = [_node(made, e, sample, heights, lanes) for e, sample in rows]
    index = {e.id: n for n, (e, _) in enumerate(rows)}
    return Lineage(
        made.run,
        made.direction,
        made.unit,
        tuple(nodes),
        tuple(
            (index[p], n) for n, (e, _) in enumerate(rows) for p in made.parents.get(e.id, ()) if p in index
        ),
        _ticks(heights),
        tuple((y, name) for name, y in lanes.items()),
    )


def _node(
    made: Tree, e: EntryRecord, sample: int, heights: Mapping[float, float], lanes: Mapping[str, float]
) -> Node:
    name = made.names.get(e.candidate or "") if e.kind == "seed" else short(e.candidate)
    return Node(
        entry=label(e),
        name=name,
        kind=e.kind,
        operator=e.operator,
        state=_state(made, e),
        ending=ending(e),
        score=e.score,
        # A tuned child stands a little behind its parent, or the edge between the two could not be seen.
        x=sample + (0.0 if e.kind in ("seed", "own") else 0.4),
        y=heights[e.score] if e.score is not None else lanes[ending(e)],
    )


def _state(made: Tree, e: EntryRecord) -> State:
    if e.id == made.champion:
        return "champion"
    if made.promoted.get(e.id) is not None:
        return "promoted"
    if e.archived_from is not None:
        return "archived" if e.archived_to is None else "evicted"
    if e.score is not None:
        return "scored"
    return cast(State, e.outcome) if e.outcome in ("noted", "stopped") else "lost"


def _heights(scores: Sequence[float], direction: Direction) -> dict[float, float]:
    """The height of each score: its rank among the different ones, as a share."""
    ordered = sorted(set(scores), reverse=direction == "maximize")
    most = max(1, len(ordered) - 1)
    return {score: n / most for n, score in enumerate(ordered)}


def _lanes(endings: Sequence[str]) -> dict[str, float]:
    return {name: LANES_FROM + LANE * n for n, name in enumerate(sorted(set(endings)))}


def _ticks(heights: Mapping[float, float]) -> tuple[tuple[float, float], ...]:
    """A few heights with their scores, evenly spread, best and worst among them."""
    found = [(y, score) for score, y in heights.items()]
    if len(found) <= TICKS:
        return tuple(found)
    return tuple(found[round(n * (len(found) - 1) / (TICKS - 1))] for n in range(TICKS))
