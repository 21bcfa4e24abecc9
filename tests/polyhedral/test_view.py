"""What a candidate sees of a program, against counting on its text."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow import instances

from evaluators.polyhedral import adapter, codegen, view
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.generator import random_program
from evaluators.polyhedral.language import parse

KERNELS = {p.stem: p.read_text("utf-8") for p in (Path(codegen.__file__).parent / "kernels").glob("*.poly")}


def compiler_of(text: str, name: str = "secret") -> Compiler:
    pytest.importorskip("islpy", reason="islpy is not installed")
    return Compiler(parse(text, name))


def seen(text: str, sizes: dict[str, int]) -> adapter.Program:
    """The program as the candidate gets it."""
    return adapter.program_of(json.loads(json.dumps(view.described(compiler_of(text).analysis, sizes))))


def distinct(text: str, step: int, start: int = 4) -> dict[str, int]:
    return {n: start + step * k for k, n in enumerate(parse(text, "x").sizes)}


@pytest.mark.parametrize("text", [*KERNELS.values(), *map(random_program, range(10))], ids=lambda t: t[3:30])
def test_accesses_and_loops_are_those_of_the_text(text: str) -> None:
    sizes = distinct(text, 1)
    program, runs = seen(text, sizes), instances(text, tuple(sorted(sizes.items())))
    shapes = {a.name: a.shape for a in program.arrays}
    assert program.sizes == tuple(sizes.items())
    for statement in program.statements:
        own = [r for r in runs if r.statement == statement.name]
        assert [a.write for a in statement.accesses].count(True) == 1 == statement.accesses[0].write
        for run in own:
            touched = {(a, e) for a, e, written in run.touched if not written}
            told = set()
            for access in statement.accesses:
                element = tuple(
                    o + sum(c * v for c, v in zip(row, run.at, strict=True))
                    for o, row in zip(access.offsets, access.matrix, strict=True)
                )
                shape = shapes[access.array]
                flat, step = 0, 1
                for position, extent in zip(reversed(element), reversed(shape), strict=True):
                    flat, step = flat + position * step, step * extent
                base, step = 0, 1
                for offset, extent in zip(reversed(access.offsets), reversed(shape), strict=True):
                    base, step = base + offset * step, step * extent
                assert flat == base + sum(s * v for s, v in zip(access.strides, run.at, strict=True))
                if access.write:
                    assert (access.array, element, True) in run.touched
                else:
                    told.add((access.array, element))
            assert told == touched
    for loop in program.loops:
        inside = {s.name for s in program.statements if loop.name in s.loops}
        assert set(loop.statements) == inside
        assert not loop.parent or inside <= set(
            next(p for p in program.loops if p.name == loop.parent).statements
        )


@pytest.mark.parametrize(
    "name", ["gemm", "2mm", "mvt", "atax", "jacobi-2d", "seidel-2d", "doitgen", "fdtd-2d"]
)
def test_instances_of_rectangular_programs_are_counted_exactly(name: str) -> None:
    text = KERNELS[name]
    sizes = distinct(text, 1)
    runs = instances(text, tuple(sorted(sizes.items())))
    for statement in seen(text, sizes).statements:
        assert statement.instances == sum(r.statement == statement.name for r in runs)


@pytest.mark.parametrize("name", ["lu", "cholesky", "trmm", "syrk", "trisolv", "symm", "gramschmidt"])
def test_instances_of_triangular_programs_are_about_right(name: str) -> None:
    """Loops are taken at the middle of those around them: at most half too many where two of them meet (lu)."""
    text = KERNELS[name]
    sizes = distinct(text, 1, 14)
    runs = instances(text, tuple(sorted(sizes.items())))
    for statement in seen(text, sizes).statements:
        assert statement.instances == pytest.approx(
            sum(r.statement == statement.name for r in runs), rel=0.55
        )


def test_known_programs() -> None:
    program = seen(KERNELS["gemm"], {"NI": 5, "NJ": 6, "NK": 7})
    assert [(n.name, n.parent, n.trip) for n in program.loops] == [
        ("i", "", 5), ("j", "i", 6), ("k", "i", 7), ("j2", "k", 6),
    ]  # fmt: skip
    assert [(a.name, a.shape, a.bytes) for a in program.arrays] == [
        ("C", (5, 6), 240), ("A", (5, 7), 280), ("B", (7, 6), 336),
    ]  # fmt: skip
    update = program.statements[1]
    assert (update.loops, update.instances, update.operations) == (("i", "k", "j2"), 210, 3)
    assert [(a.array, a.write, a.strides) for a in update.accesses] == [
        ("C", True, (6, 0, 1)), ("C", False, (6, 0, 1)), ("A", False, (7, 1, 0)), ("B", False, (0, 6, 1)),
    ]  # fmt: skip
    assert program.tree == (("i", (("j", ("S0",)), ("k", (("j2", ("S1",)),)))),)
    assert {(d.source, d.target, d.kind, d.loops, d.distances) for d in program.dependences} == {
        ("S0", "S1", "flow", ("i",), ((0, 0),)), ("S0", "S1", "anti", ("i",), ((0, 0),)),
        ("S0", "S1", "output", ("i",), ((0, 0),)),
        *(("S1", "S1", kind, ("i", "k", "j2"), ((0, 0), (1, None), (0, 0))) for kind in ("flow", "anti", "output")),
    }  # fmt: skip
    seidel = seen(KERNELS["seidel-2d"], {"T": 3, "N": 9})
    flow = {d.distances for d in seidel.dependences if d.kind == "flow"}
    assert len(flow) == 9 and ((0, None), (0, 0), (1, 1)) in flow and ((1, None), (-1, -1), (-1, -1)) in flow
    assert {d[0] for d in flow} == {(0, None), (1, None)}
    lu = seen(KERNELS["lu"], {"N": 9})
    pivots = {(d.source, d.target, d.loops, d.distances) for d in lu.dependences if d.kind == "flow"}
    assert ("S2", "S1", ("i",), ((1, None),)) in pivots
    assert ("S1", "S2", ("i",), ((0, 0),)) in pivots


def pairs(
    text: str, size: int
) -> dict[tuple[str, str, str, str], list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    """Iterations of all pairs that depend on each other, by source, target, array and kind."""
    runs = instances(text, tuple((n, size) for n in sorted(parse(text, "x").sizes)))
    by_element: dict[Any, list[tuple[int, bool]]] = {}
    for k, run in enumerate(runs):
        for array, element, writes in dict.fromkeys(run.touched):
            by_element.setdefault((array, element), []).append((k, writes))
    found: dict[tuple[str, str, str, str], list[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
    for (array, _), touched in by_element.items():
        for (k, w), (m, v) in product(touched, repeat=2):
            if k < m and (w or v):
                kind = "output" if w and v else "flow" if w else "anti"
                key = runs[k].statement, runs[m].statement, array, kind
                found.setdefault(key, []).append((runs[k].at, runs[m].at))
    return found


@pytest.mark.parametrize(
    "name", ["gemm", "lu", "seidel-2d", "jacobi-1d", "atax", "trisolv", "floyd-warshall", "syrk"]
)
def test_distances_are_the_least_and_greatest_of_all_pairs(name: str) -> None:
    text = KERNELS[name]
    small, large = pairs(text, 6), pairs(text, 8)
    program = seen(text, distinct(text, 0, 8))
    told: dict[Any, list[Any]] = {}
    for d in program.dependences:
        told.setdefault((d.source, d.target, d.array, d.kind), []).append(d.distances)
    assert set(told) == set(large)
    for key, distances in told.items():
        for k in range(len(distances[0])):
            for end, extreme in ((0, min), (1, max)):
                ends = [d[k][end] for d in distances]
                counted = [extreme(b[k] - a[k] for a, b in found[key]) for found in (small, large)]
                if None in ends:
                    assert abs(counted[1]) > abs(counted[0]), (key, k)
                else:
                    assert extreme(ends) == counted[1], (key, k)


def test_the_program_has_no_name_and_no_title() -> None:
    text = '"""Something telling"""\nN = size(9)\nA = array(N)\nfor i in range(N):\n    A[i] = 1\n'
    given_ = json.dumps(view.described(compiler_of(text, "a-telling-name").analysis, {"N": 9}))
    assert "telling" not in given_


def test_the_machine_has_plausible_caches() -> None:
    found = view.machine()
    assert (
        2**13 <= found["l1"] <= 2**18
        and found["l1"] < found["l2"] <= 2**28
        and found["l2"] <= found["l3"] * 4
    )
    assert found["vector"] in (2, 4, 8) and found["registers"] in (16, 32)


# -- footprints -----------------------------------------------------------------------------------------------------


def touched(text: str, extents: dict[str, int]) -> int:
    """Bytes of the elements that the first ``extents`` iterations of each iterator touch, counted."""
    runs = instances(text, (("N", 5),))
    window = [r for r in runs if all(v < extents.get(n, 5) for v, n in zip(r.at, "ijk", strict=False))]
    return 8 * len({(a, e) for r in window for a, e, _ in r.touched})


SUBSCRIPTS = [f"{c}{n}{o} + 6" for c in ("", "2 * ", "-") for n in "ijk" for o in ("", " + 1", " - 1")]
SUBSCRIPTS += ["i + j + 6", "j - k + 6", "7", "N + 2"]
ELEMENTS = [f"{a}[{s}]" for a in "AB" for s in SUBSCRIPTS] + [
    f"C[{s}, {t}]" for s in SUBSCRIPTS for t in SUBSCRIPTS
]


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from("ijk"), st.integers(1, 7)),
)
def test_a_footprint_is_at_least_what_is_touched(elements: list[str], extents: dict[str, int]) -> None:
    text = (
        "N = size(5)\nA, B, C, D = array(20), array(20), array(20, 20), array(N, N, N)\n"
        "for i in range(N):\n    for j in range(N):\n        for k in range(N):\n"
        f"            D[i, j, k] = {' + '.join(elements)}\n"
    )
    found = view.footprint(parse(text, "x"), {"N": 5}, extents)
    assert touched(text, extents) <= found <= 8 * (20 + 20 + 400 + 125)


@settings(max_examples=100)
@given(
    st.lists(st.permutations("ijk").flatmap(lambda p: st.integers(1, 3).map(lambda n: tuple(p[:n]))), min_size=1,
             max_size=4),
    st.lists(st.sampled_from(["", " - 1", " + 1"]), min_size=3, max_size=3),
    st.dictionaries(st.sampled_from("ijk"), st.integers(1, 7)),
)  # fmt: skip
def test_a_footprint_of_plain_accesses_is_exact(
    subscripts: list[tuple[str, ...]], around: list[str], extents: dict[str, int]
) -> None:
    """One access to each array, by iterators alone; and the neighbours of one element along a row."""
    lines = ["N = size(5)", "Z = array(N, N + 2)"]
    reads = [f"Z[i, j + 1{o}]" for o in around]
    for number, one in enumerate(subscripts):
        lines.append(f"A{number} = array({', '.join('N' for _ in one)})")
        reads.append(f"A{number}[{', '.join(one)}]")
    lines += [
        "D = array(N, N, N)",
        "for i in range(N):",
        "    for j in range(N):",
        "        for k in range(N):",
    ]
    text = "\n".join([*lines, f"            D[i, j, k] = {' + '.join(reads)}"]) + "\n"
    shifts = set(around)
    found = view.footprint(parse(text, "x"), {"N": 5}, extents)
    if shifts == {" - 1", " + 1"} and extents.get("j", 5) == 1:
        assert found == touched(text, extents) + 8 * min(5, extents.get("i", 5)), (
            "the gap between the neighbours"
        )
    else:
        assert found == touched(text, extents)


def test_footprints_of_the_kernels_are_never_more_than_their_arrays() -> None:
    for text in KERNELS.values():
        program = parse(text, "x")
        whole = view.footprint(program, program.at(1), {})
        assert whole <= 8 * sum(math.prod(program.shape(a.name, program.at(1))) for a in program.arrays)
        tiled = view.footprint(program, program.at(1), {n.name: 8 for n in program.loops})
        assert tiled < whole / 20
