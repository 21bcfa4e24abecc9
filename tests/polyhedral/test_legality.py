"""Legality and independence against counting: every pair of accesses of a small program, in both directions.

What is called legal has no pair out of order at any size that is tried. What is called illegal has one at sizes that
isl gives as a witness, small ones; there it must be found by counting as well.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import slow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import List, plans

from evaluators.polyhedral import codegen
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.dependences import OPERATIONS, Analysis, OutOfOperations
from evaluators.polyhedral.generator import random_program
from evaluators.polyhedral.language import parse
from evaluators.polyhedral.program import Affine
from evaluators.polyhedral.transforms import Meaningless
from evaluators.polyhedral.tree import Schedule, original
from evaluators.task import TaskError

pytest.importorskip("islpy", reason="islpy is not installed")

KERNELS = {p.stem: p.read_text("utf-8") for p in (Path(codegen.__file__).parent / "kernels").glob("*.poly")}
TEXTS = [*(KERNELS[n] for n in sorted(KERNELS)), *map(random_program, range(30))]
LARGEST = 60
"""Of a witness's sizes, with which the brute force still ends."""


@cache
def compiler_of(text: str) -> Compiler:
    return Compiler(parse(text, "program"))


def tried(compiler: Compiler) -> list[dict[str, int]]:
    """Sizes at which everything is counted: up to 9 for flat programs, up to 6 for deep ones."""
    names = compiler.program.sizes
    most = 9 if all(len(s.loops) < 3 for s in compiler.program.statements) else 5
    return [
        *(dict.fromkeys(names, v) for v in (1, 2, 3, most)),
        {n: (2, most, 3, most - 1, 4)[k % 5] for k, n in enumerate(names)},
        {n: (most, 3, most - 1, 2, 4)[k % 5] for k, n in enumerate(names)},
    ]


def witness(compiler: Compiler, images: Any) -> dict[str, int] | None:
    """The first sizes at which one of some relations between times is not empty, or None when they are too large."""
    isl = compiler.analysis.isl
    for image in images:
        sizes = image.params()
        for most in (4, 8, 16, 32, LARGEST):
            small = sizes
            for k in range(len(compiler.program.sizes)):
                small = small.upper_bound_val(isl.dim_type.param, k, isl.Val(most, compiler.analysis.context))
            if not small.is_empty():
                point = small.sample_point()
                return {
                    n: int(point.get_coordinate_val(isl.dim_type.param, k).to_python())
                    for k, n in enumerate(compiler.program.sizes)
                }
    return None


def out_of_order(compiler: Compiler, schedule: Schedule) -> Any:
    for _, image in compiler.analysis._images(schedule, None):
        found = image.intersect(compiler.analysis.isl.Map.lex_ge(image.get_space().domain()))
        if not found.is_empty():
            yield found


def across(compiler: Compiler, schedule: Schedule, loop: str) -> Any:
    inside = schedule.nests[loop].row
    place = 2 * len(schedule.around[loop]) + 1
    for dependence, image in compiler.analysis._images(schedule, None):
        if dependence.source in inside and dependence.target in inside:
            found = image.intersect(compiler.analysis._same_but(place, image.get_space()))
            if not found.is_empty():
                yield found


SEEN: Counter[str] = Counter()


def check_order(text: str, schedule: Schedule) -> None:
    """``broken`` against counting."""
    compiler = compiler_of(text)
    found = compiler.analysis.broken(schedule)
    counted = [b for s in tried(compiler) if (b := slow.broken(text, s, schedule))]
    if found is None:
        assert not counted, f"called legal, but {counted[0]}"
        SEEN["legal"] += 1
    elif not counted:
        sizes = witness(compiler, out_of_order(compiler, schedule))
        assert sizes is None or slow.broken(text, sizes, schedule), f"{found} is not out of order at {sizes}"
        SEEN["too large" if sizes is None else "illegal by a witness"] += 1
    else:
        SEEN["illegal"] += 1


def check_independence(text: str, schedule: Schedule) -> None:
    """``carried`` against counting, for every loop of a legal schedule."""
    compiler = compiler_of(text)
    for loop in schedule.nests:
        found = compiler.analysis.carried(schedule, loop)
        counted = any(slow.carried(text, s, schedule, loop) for s in tried(compiler))
        if found is None:
            assert not counted, f"{loop} is called independent"
            SEEN["independent"] += 1
        elif not counted:
            sizes = witness(compiler, across(compiler, schedule, loop))
            assert sizes is None or slow.carried(text, sizes, schedule, loop), f"{loop} at {sizes}: {found}"
            SEEN["too large" if sizes is None else "carried by a witness"] += 1
        else:
            SEEN["carried"] += 1


def check(text: str, legal: List, refused: list[List]) -> None:
    """Verdicts against counting: the order and the marks of what is legal, and why the rest is refused."""
    compiler = compiler_of(text)
    schedule = compiler.verdict(legal).schedule
    assert schedule is not None and compiler.analysis.broken(schedule) is None
    check_order(text, schedule)
    check_independence(text, schedule)
    for nest in schedule.nests.values():
        if nest.mark in ("vector", "parallel"):
            assert not any(slow.carried(text, s, schedule, nest.name) for s in tried(compiler))
            SEEN["marked"] += 1
    for transforms in refused:
        *before, last = transforms
        verdict, known = compiler.verdict(transforms), compiler.verdict(tuple(before)).schedule
        assert known is not None and verdict.reason.startswith(
            f"transform {len(before)} ({type(last).__name__})"
        )
        try:
            changed = last.apply(known, compiler.program)
        except Meaningless as error:
            assert str(error) in verdict.reason
            SEEN["meaningless"] += 1
            continue
        if " breaks " in verdict.reason:
            assert compiler.analysis.broken(changed) is not None
            check_order(text, changed)
        else:
            found = re.search(r": (\S+?),? (marked \w+, would carry|carries) the ", verdict.reason)
            assert found and compiler.analysis.broken(changed) is None, verdict.reason
            assert compiler.analysis.carried(changed, found[1]) is not None
            SEEN["marks refused"] += 1


DRAWN = st.sampled_from(TEXTS).flatmap(lambda text: st.tuples(st.just(text), plans(compiler_of(text))))
LAX = {"suppress_health_check": list(HealthCheck)}


def test_legality_and_independence_are_what_counting_says() -> None:
    SEEN.clear()

    @settings(max_examples=50, derandomize=True, **LAX)
    @given(DRAWN)
    def run(drawn: Any) -> None:
        text, (legal, refused) = drawn
        check(text, legal, refused)

    run()
    assert min(SEEN["legal"], SEEN["illegal"], SEEN["independent"], SEEN["carried"]) >= 15, SEEN
    assert SEEN["too large"] <= 0.02 * SEEN.total(), SEEN


@pytest.mark.campaign
def test_legality_and_independence_are_what_counting_says_many_times() -> None:
    SEEN.clear()

    @settings(max_examples=3000, **LAX)
    @given(DRAWN)
    def run(drawn: Any) -> None:
        text, (legal, refused) = drawn
        check(text, legal, refused)

    run()
    assert SEEN["too large"] <= 0.02 * SEEN.total(), SEEN


@pytest.mark.parametrize("text", TEXTS[:30], ids=sorted(KERNELS))
def test_a_program_keeps_its_own_order_and_its_loops_are_independent_where_counting_says(text: str) -> None:
    compiler = compiler_of(text)
    schedule = compiler.verdict(()).schedule
    assert schedule is not None
    check_order(text, schedule)
    check_independence(text, schedule)


@pytest.mark.parametrize("name", ["gemm", "lu", "atax", "nussinov", "seidel-2d", "durbin", "deriche", "symm"])
def test_dependences_are_all_pairs_of_accesses(name: str) -> None:
    """Instance by instance: the relations of ``Analysis`` at some sizes are the pairs that the text has."""
    text = KERNELS[name]
    analysis = compiler_of(text).analysis
    sizes = dict.fromkeys(analysis.program.sizes, 4)
    pairs: set[tuple[Any, ...]] = set()
    runs = slow.instances(text, tuple(sorted(sizes.items())))
    for (k, first), (m, second) in product(enumerate(runs), repeat=2):
        if k < m:
            for (a, e, w), (b, f, v) in product(first.touched, second.touched):
                if (a, e) == (b, f) and (w or v):
                    kind = "output" if w and v else "flow" if w else "anti"
                    pairs.add((first.statement, first.at, second.statement, second.at, a, kind))
    found: set[tuple[Any, ...]] = set()
    isl = analysis.isl
    for dependence in analysis.dependences:
        relation = dependence.relation
        for k, size in enumerate(sizes.values()):
            relation = relation.fix_val(isl.dim_type.param, k, isl.Val(size, analysis.context))
        inner = relation.dim(isl.dim_type.in_)

        def note(point: Any, inner: int = inner, d: Any = dependence) -> None:
            count = point.get_space().dim(isl.dim_type.set)
            values = [int(point.get_coordinate_val(isl.dim_type.set, k).to_python()) for k in range(count)]
            found.add((d.source, tuple(values[:inner]), d.target, tuple(values[inner:]), d.array, d.kind))

        relation.wrap().flatten().foreach_point(note)
    assert found == pairs and pairs


def test_instances_that_depend_on_each_other_may_not_run_at_once() -> None:
    """A schedule that tells the iterations of gemm's k not apart; no list of transforms makes one."""
    analysis = compiler_of(KERNELS["gemm"]).analysis
    schedule = original(analysis.program)
    nest = schedule.nests["k"]
    collapsed = schedule.edit("k", lambda n: (replace(n, rows=tuple((s, Affine(())) for s, _ in nest.rows)),))
    found = analysis.broken(collapsed)
    assert found is not None and (found.source, found.target, found.array) == ("S1", "S1", "C")
    assert slow.broken(KERNELS["gemm"], {"NI": 2, "NJ": 2, "NK": 3}, collapsed)


def test_a_question_that_takes_too_long_is_no_proof() -> None:
    program = parse(KERNELS["lu"], "lu")
    analysis = Analysis(program)
    for operations in (1, 10, 100, 300, 500, 1000, 1500, 2000, 2500, 3000):
        analysis._operations = operations
        with pytest.raises(OutOfOperations, match="more than its operations"):
            analysis.broken(original(program))
        with pytest.raises(TaskError, match=r"^lu: the program is too complicated"):
            Analysis(program, operations=operations // 10 + 1)
    analysis._operations = OPERATIONS
    assert analysis.broken(original(program)) is None, "the context goes on after a question was stopped"
