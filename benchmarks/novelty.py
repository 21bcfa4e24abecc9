"""What the search for near-copies costs, and how often it is right.

Cost: processor time of one question ("is this a near-copy of a rejected idea?") with 1,000 and with 50,000 rejected
candidates in the index, features included, and what the index holds in memory.

Right: for each shipped baseline, every small real change of one place (an operator, a comparison, max for min, another
argument, one more term) is a rejected idea in turn. Copies of it (locals renamed, operands reordered, numbers changed,
all three) should be found; the other real changes of the same baseline should not.

Real pairs: with --ledger, each candidate of the ledger's runs is asked about in its turn; a refusal saved an evaluation
when the candidate was worse than its parents in fact, and lost an improvement when it was better.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from db.ledger import Ledger
from db.records import EntryKey, EntryRecord, NewEntry
from discovery.candidate import Candidate, Refused, check
from discovery.members import as_new, parent_scores
from discovery.population.archive import Member
from discovery.population.likeness import likeness
from discovery.population.novelty import KEPT, Novelty
from discovery.population.similar import SimilarSets
from evaluators.registry import load
from evaluators.task import Interface, Task

THRESHOLDS = (0.6, 0.7, 0.8, 0.9, 0.95)
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.GtE: ast.Lt,
}  # fmt: skip
CALLS = {"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "argmin": "argmax"}


# -- cost --


def crowd(count: int, seed: int) -> Iterator[frozenset[int]]:
    """Sets as a long run makes them: each shares most of its features with one of a hundred families."""
    draw = random.Random(seed)
    families = [[draw.getrandbits(32) for _ in range(120)] for _ in range(100)]
    for _ in range(count):
        base = draw.choice(families)
        yield frozenset([*draw.sample(base, 90), *(draw.getrandbits(32) for _ in range(35))])


def cost(counts: tuple[int, ...], asked: list[Candidate]) -> None:
    times = []
    for count in counts:
        SimilarSets(1, 0.8).add(frozenset({1}))  # imports are no part of it
        tracemalloc.start()
        index = SimilarSets(count, 0.8)
        for features in crowd(count, 1):
            index.add(features)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        questions = list(crowd(200, 2))
        begin = time.process_time()
        for features in questions:
            index.like(features)
        times.append((time.process_time() - begin) / len(questions))
        print(f"{count:6,} in the index: {1000 * times[-1]:.3f} ms a question, {held / 2**20:.0f} MB")
    print(f"ratio {times[-1] / times[0]:.2f}; a run keeps at most {KEPT:,}")
    begin = time.process_time()
    for candidate in asked * 5:
        likeness(candidate)
    spent = (time.process_time() - begin) / (5 * len(asked))
    print(
        f"features of a baseline ({sum(c.nodes for c in asked) // len(asked)} nodes): {1000 * spent:.3f} ms"
    )


# -- labelled pairs --


class Renamed(ast.NodeTransformer):
    """Every local of the task's function under another name."""

    def __init__(self, function: ast.FunctionDef) -> None:
        stored = {
            n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        self.names = {name: f"other_{n}" for n, name in enumerate(sorted(stored))}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node


class Reordered(ast.NodeTransformer):
    """The operands of each sum, product and comparison the other way round."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Mult):
            node.left, node.right = node.right, node.left
        return node


class Renumbered(ast.NodeTransformer):
    """Other decimal numbers."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, float):
            node.value = node.value * 1.7 + 0.1
        return node


def copies(code: str, interface: Interface) -> dict[str, str]:
    """The same idea in other words."""
    made = {}
    for name, kinds in {
        "renamed": "n", "reordered": "o", "renumbered": "c", "all three": "noc",
    }.items():  # fmt: skip
        tree = ast.parse(code)
        main = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == interface.function)
        for kind, transformer in (("n", Renamed(main)), ("o", Reordered()), ("c", Renumbered())):
            if kind in kinds:
                for n, statement in enumerate(main.body):
                    main.body[n] = transformer.visit(statement)
        made[name] = ast.unparse(ast.fix_missing_locations(tree))
    return made


def changes(code: str, interface: Interface) -> Iterator[str]:
    """Each small real change of one place of the code."""
    arguments = [a.name for a in interface.arguments]
    tree = ast.parse(code)
    main = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == interface.function)
    places = list(ast.walk(main))
    for number, node in enumerate(places):
        for change in _changes(node, arguments):
            other = copy.deepcopy(main)
            change(list(ast.walk(other))[number])
            body = [other if n is main else n for n in tree.body]
            yield ast.unparse(ast.fix_missing_locations(ast.Module(body, [])))


def _changes(node: ast.AST, arguments: list[str]) -> Iterator[Callable[[Any], None]]:
    """What may be done to one node in place."""

    def swap(n: Any) -> None:
        n.op = SWAPPED[type(n.op)]()

    def add_term(n: Any) -> None:
        term = ast.BinOp(ast.Constant(0.3), ast.Mult(), copy.deepcopy(n.right))
        n.left = ast.BinOp(n.left, ast.Add(), term)

    def compare(n: Any) -> None:
        n.ops = [SWAPPED[type(n.ops[0])](), *n.ops[1:]]

    def call(n: Any) -> None:
        n.attr = CALLS[n.attr]

    def name(n: Any) -> None:
        n.id = arguments[(arguments.index(n.id) + 1) % len(arguments)]

    if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED:
        yield from (swap, add_term)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        yield compare
    if isinstance(node, ast.Attribute) and node.attr in CALLS:
        yield call
    if isinstance(node, ast.Name) and node.id in arguments and len(arguments) > 1:
        yield name


def member(candidate: Candidate) -> Member:
    return Member(EntryKey(-1, "seed"), candidate.hash, candidate.code, 0.0, (0.0,), candidate.nodes, 0)


def _about(
    parent: Candidate, interface: Interface, counts: dict[float, Counter[str]], missed: Counter[str]
) -> None:
    """Every idea about one baseline as the rejected one, against its copies and the other ideas."""
    ideas = []
    for text in changes(parent.code, interface):
        try:
            ideas.append(check(text, interface))
        except Refused:
            continue
    random.Random(0).shuffle(ideas)
    for n, one in enumerate(ideas[:12]):
        others = (ideas[n + 1 :] + ideas[:n])[:12]
        same = copies(one.code, interface)
        for threshold in THRESHOLDS:
            known = Novelty(
                threshold, interface=interface, direction="minimize", code={one.hash: one.code}.__getitem__
            )
            known.remember(0, [NewEntry(0, "own", "improve", "error", one.hash)], {})
            for name, text in same.items():
                found = known.near(0, check(text, interface), [member(parent)])
                counts[threshold]["hit" if found else "miss"] += 1
                missed[name] += found is None and threshold == 0.8
            for other in others:
                wrong = known.near(0, other, [member(parent)])
                counts[threshold]["false" if wrong else "clear"] += 1


def labelled(tasks: list[Task]) -> None:
    counts: dict[float, Counter[str]] = {t: Counter() for t in THRESHOLDS}
    missed: Counter[str] = Counter()
    for task in tasks:
        for baseline in task.baselines().values():
            if baseline.path is not None:
                _about(check(baseline.path.read_text(), task.interface), task.interface, counts, missed)
    print("threshold  precision  recall  real changes taken for copies")
    for threshold, c in counts.items():
        precision = c["hit"] / max(1, c["hit"] + c["false"])
        recall = c["hit"] / max(1, c["hit"] + c["miss"])
        print(f"{threshold:9}  {precision:9.3f}  {recall:6.3f}  {c['false']} of {c['false'] + c['clear']}")
    print(f"copies missed at 0.8: {dict(+missed) or 'none'}")


# -- real pairs --


def real(path: Path) -> Counter[tuple[float, str]]:
    counts: Counter[tuple[float, str]] = Counter()
    ledger = Ledger.open(path, create=False)
    for run in ledger.runs():
        task = load(run.task, {k: str(v) for k, v in run.options.items()})
        entries, above = ledger.entries(run.id), ledger.parents(run.id)
        by_id, scores = {e.id: e for e in entries}, parent_scores(ledger, run.id)
        own = [e for e in entries if e.kind == "own" and e.candidate and e.duplicate_of is None]
        for threshold in THRESHOLDS:
            known = Novelty(
                threshold, interface=task.interface, direction=task.direction, code=ledger.candidate_code
            )
            for g in range(run.batches_done + 1):
                batch = [e for e in own if e.batch == g]
                for e in batch:
                    parents = [
                        _member(ledger, by_id[p]) for p in above.get(e.id, ()) if by_id[p].score is not None
                    ]
                    candidate = check(ledger.candidate_code(e.candidate or ""), task.interface)
                    if known.near(g - 1, candidate, parents) is not None:
                        sign = 1 if task.direction == "minimize" else -1
                        better = e.score is not None and any(
                            sign * e.score <= sign * p.score for p in parents
                        )
                        counts[threshold, "lost" if better else "saved"] += 1
                known.remember(g, [as_new(e) for e in batch], {e.key: scores.get(e.id, ()) for e in batch})
        counts[0.0, "candidates"] += len(own)
    ledger.close()
    return counts


def _member(ledger: Ledger, entry: EntryRecord) -> Member:
    code = ledger.candidate_code(entry.candidate or "")
    return Member(entry.key, entry.candidate or "", code, entry.score or 0.0, (0.0,), 1, 0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ledger", type=Path, action="append", default=[])
    chosen = parser.parse_args()
    tasks = [load("smtt", {}), load("smtt-index", {})]
    codes = [
        check(b.path.read_text(), t.interface)
        for t in tasks
        for b in t.baselines().values()
        if b.path is not None
    ]
    cost((1_000, 50_000), codes)
    labelled(tasks)
    if chosen.ledger:
        counts = sum((real(path) for path in chosen.ledger), Counter())
        print(
            f"{counts[0.0, 'candidates']} candidates of recorded runs: evaluations saved, improvements lost"
        )
        for threshold in THRESHOLDS:
            print(f"{threshold:9}  {counts[threshold, 'saved']} saved, {counts[threshold, 'lost']} lost")


if __name__ == "__main__":
    sys.exit(main())
