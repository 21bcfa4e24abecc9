"""Lineage queries against a slow oracle in Python."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_samples import RUN, key, own, put, run_record, seeded

from db import lineage
from db.errors import LedgerError
from db.ledger import Ledger
from db.records import Edge, EntryId, Integration


def reach(edges: dict[int, list[int]], start: int) -> set[int]:
    """Plain depth-first search."""
    seen: set[int] = set()
    todo = [start]
    while todo:
        for there in edges.get(todo.pop(), []):
            if there not in seen:
                seen.add(there)
                todo.append(there)
    return seen


@settings(max_examples=40, deadline=None)
@given(
    choices=st.lists(st.lists(st.integers(0, 10**6), max_size=3), min_size=1, max_size=25),
    batches=st.integers(1, 4),
)
def test_lineage_equals_the_oracle(tmp_path_factory, choices, batches):
    """Each entry takes any earlier entries as parents (also the same one twice), or none, spread over batches."""
    with Ledger.open(tmp_path_factory.mktemp("lineage") / "l.sqlite") as ledger:
        seeded(ledger, "r-other", 1)
        put(ledger, 77)
        ledger.integrate("r-other", 0, Integration((own(0, 77),), (Edge(key(0), key(0, "seed")),)))
        seeded(ledger)
        put(ledger, *range(len(choices)))
        earlier = [key(0, "seed"), key(1, "seed")]
        up: dict[tuple[int, str], list[tuple[int, str]]] = {}
        size = -(-len(choices) // batches)
        for batch in range(-(-len(choices) // size)):
            entries, edges = [], []
            for k in range(batch * size, min(len(choices), (batch + 1) * size)):
                picked = [earlier[c % len(earlier)] for c in choices[k]]
                entries.append(own(k))
                edges += [Edge(key(k), parent, i) for i, parent in enumerate(picked)]
                up[key(k)] = picked
                earlier.append(key(k))
            ledger.integrate(RUN, batch, Integration(tuple(reversed(entries)), tuple(reversed(edges))))
        ids = {e.key: e.id for e in ledger.entries(RUN)}
        depth: dict[tuple[int, str], int] = {}
        for name in earlier:
            depth[name] = 1 + max((depth[p] for p in up.get(name, [])), default=-1)
        upwards = {ids[c]: [ids[p] for p in ps] for c, ps in up.items()}
        downwards: dict[int, list[int]] = {}
        for child, found in upwards.items():
            for parent in found:
                downwards.setdefault(parent, []).append(child)
        for name in earlier:
            i = ids[name]
            assert lineage.ancestors(ledger, RUN, i) == reach(upwards, i)
            assert lineage.descendants(ledger, RUN, i) == reach(downwards, i)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(lineage, "FEW", 0)
                patch.setattr(lineage, "_PIECE", 3)
                patch.setattr(lineage, "_PASSES", 1)
                assert lineage.ancestors(ledger, RUN, i) == reach(upwards, i), "by a scan"
                assert lineage.descendants(ledger, RUN, i) == reach(downwards, i), "in small pieces"
            assert list(lineage.parents(ledger, RUN, i)) == upwards.get(i, [])
            assert list(lineage.children(ledger, RUN, i)) == sorted(set(downwards.get(i, [])))
            line = [i]
            while upwards.get(line[0]):
                line.insert(0, upwards[line[0]][0])
            assert list(lineage.path_to_root(ledger, RUN, i)) == line
        assert lineage.generation_counts(ledger, RUN) == Counter(depth.values())
        assert {e.key: e.depth for e in ledger.entries(RUN)} == depth
        assert {c: list(p) for c, p in ledger.parents(RUN).items()} == {c: p for c, p in upwards.items() if p}


def test_more_ancestors_than_are_followed_one_by_one(ledger, monkeypatch):
    """A chain of single parents, the deepest lineage there is, interleaved with another run."""
    monkeypatch.setattr(lineage, "FEW", 10)
    seeded(ledger, "r-other", 1)
    put(ledger, *range(40))
    for k in range(40):
        parent = key(k - 1) if k else key(0, "seed")
        ledger.integrate(RUN, k, Integration((own(k),), (Edge(key(k), parent),)))
        ledger.integrate("r-other", k, Integration((own(k),), (Edge(key(k), key(0, "seed")),)))
    chain = [ledger.entry(RUN, 0, "seed").id, *(ledger.entry(RUN, k, "own").id for k in range(40))]
    for place, i in enumerate(chain):
        assert lineage.ancestors(ledger, RUN, i) == set(chain[:place])
        assert lineage.descendants(ledger, RUN, i) == set(chain[place + 1 :])


def test_an_entry_of_another_run_is_refused(ledger):
    ledger.create_run(run_record("r-2"))
    entry = ledger.entry(RUN, 0, "seed")
    for query in (
        lineage.ancestors,
        lineage.descendants,
        lineage.parents,
        lineage.children,
        lineage.path_to_root,
    ):
        with pytest.raises(LedgerError, match="no entry"):
            query(ledger, "r-2", entry.id)
        with pytest.raises(LedgerError, match="no entry"):
            query(ledger, RUN, EntryId(999))
    assert lineage.generation_counts(ledger, "r-2") == {}
