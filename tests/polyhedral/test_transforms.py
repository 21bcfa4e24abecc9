"""Transforms: what is no transform, planted schedules right and wrong, and that what is legal computes the same."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import slow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import List, options, plans

from evaluators.polyhedral import codegen, toolchain
from evaluators.polyhedral.compiler import Compiler, Verdict
from evaluators.polyhedral.generator import random_program
from evaluators.polyhedral.language import parse
from evaluators.polyhedral.measuring import check_sizes, described
from evaluators.polyhedral.program import Program
from evaluators.polyhedral.transforms import (
    MOST_DEPTH,
    MOST_TRANSFORMS,
    NAMES,
    Meaningless,
    Parallel,
    Vectorise,
    copies,
    plain,
    read,
)
from evaluators.polyhedral.tree import Schedule, original

KERNELS = {p.stem: p.read_text("utf-8") for p in (Path(codegen.__file__).parent / "kernels").glob("*.poly")}
TEXTS = [*(KERNELS[n] for n in sorted(KERNELS)), *map(random_program, range(30))]


@cache
def compiler_of(text: str) -> Compiler:
    pytest.importorskip("islpy", reason="islpy is not installed")
    return Compiler(parse(text, "program"))


# -- planted schedules ----------------------------------------------------------------------------------------------

APART = ["distribute", "i", 1]
ILLEGAL: list[tuple[str, list[Any], str]] = [
    ("seidel-2d", [["interchange", ["i", "t"]]], "S0 to S0 through A"),
    ("seidel-2d", [["interchange", ["t", "j", "i"]]], "S0 to S0 through A"),
    ("seidel-2d", [["tile", ["i", "j"], [4, 4]]], "S0 to S0 through A"),
    ("seidel-2d", [["tile", ["t", "i", "j"], [2, 4, 4]]], "S0 to S0 through A"),
    ("seidel-2d", [["skew", "i", "t", 1], ["tile", ["t", "i", "j"], [2, 4, 4]]], "S0 to S0 through A"),
    ("seidel-2d", [["reverse", "j"]], "S0 to S0 through A"),
    ("seidel-2d", [["reverse", "t"]], "S0 to S0 through A"),
    ("seidel-2d", [["register_tile", ["i"], [2]]], "S0 to S0 through A"),
    ("seidel-2d", [["parallel", "j"]], "j carries the flow dependence from S0 to S0 through A"),
    ("seidel-2d", [["vectorise", "j"]], "j carries the flow dependence from S0 to S0 through A"),
    ("seidel-2d", [["skew", "j", "i", 2], ["parallel", "j"]], "j carries the flow dependence from S0 to S0 through A"),
    ("jacobi-2d", [["fuse", "i", "i2"]], "flow dependence from S0 to S1 through B"),
    ("jacobi-1d", [["fuse", "i", "i2"]], "flow dependence from S0 to S1 through B"),
    ("jacobi-1d", [["shift", "S1", "t", -1]], "flow dependence from S0 to S1 through B"),
    ("jacobi-1d", [["distribute", "t", 1]], "flow dependence from S1 to S0 through A"),
    ("jacobi-1d", [["parallel", "t"]], "output dependence from S0 to S0 through B"),
    ("heat-3d", [["fuse", "i", "i2"]], "flow dependence from S0 to S1 through B"),
    # the update before the scaling, a reduction backwards, k collapsed
    ("gemm", [["affine", [["S0", [[1, 0, 0], [0, 1, 0]], [0, 1, 0]],
                          ["S1", [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], [0, 0, 0, 0]]]]], "S0 to S1 through C"),
    ("gemm", [["affine", [["S0", [[1, 0, 0], [0, 1, 0]], [1, 0, 0]],
                          ["S1", [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], [0, 0, 0, 0]]]]], "S0 to S1 through C"),
    ("gemm", [["reverse", "k"]], "flow dependence from S1 to S1 through C"),
    ("gemm", [["parallel", "k"]], "flow dependence from S1 to S1 through C"),
    ("gemm", [APART, ["interchange", ["k", "i2", "j2"]], ["reverse", "k"]], "S1 to S1 through C"),
    ("gemm", [APART, ["strip", "k", 8], ["interchange", ["k.t", "i2"]], ["reverse", "k.t"]], "S1 to S1 through C"),
    ("gemm", [APART, ["fuse", "i", "i2"], ["shift", "S1", "i", -1]], "S0 to S1 through C"),
    ("syrk", [["shift", "S1", "i", -1]], "flow dependence from S0 to S1 through C"),
    ("2mm", [["fuse", "i", "i2"], ["fuse", "j", "j2"]], "flow dependence from S0 to S3 through tmp"),
    ("2mm", [["fuse", "i", "i2"], ["interchange", ["j2", "k2"]]], "each holds nothing but the next"),
    ("2mm", [["parallel", "k2"]], "flow dependence from S3 to S3 through D"),
    ("lu", [["reverse", "i"]], "flow dependence from S2 to S0 through A"),
    ("lu", [["distribute", "i", 1]], "flow dependence from S2 to S0 through A"),
    ("lu", [["distribute", "j", 1]], "flow dependence from S1 to S0 through A"),
    ("lu", [["parallel", "i"]], "flow dependence from S2 to S0 through A"),
    ("lu", [["interchange", ["k2", "j2"]], ["parallel", "k2"]], "flow dependence from S2 to S2 through A"),
    ("cholesky", [["reverse", "j"]], "flow dependence from S0 to S0 through A"),
    ("cholesky", [["distribute", "i", 1]], "flow dependence from S2 to S1 through A"),
    ("atax", [["fuse", "i", "i2"]], "flow dependence from S0 to S3 through y"),
    ("atax", [["fuse", "j", "j2"]], "flow dependence from S2 to S3 through tmp"),
    ("trisolv", [["reverse", "i"]], "flow dependence from S0 to S1 through x"),
    ("trisolv", [APART, ["distribute", "i2", 1]], "flow dependence from S2 to S1 through x"),
    ("trisolv", [["parallel", "j"]], "flow dependence from S1 to S1 through x"),
    ("floyd-warshall", [["interchange", ["i", "k"]]], "flow dependence from S0 to S0 through path"),
    ("floyd-warshall", [["interchange", ["j", "k", "i"]]], "flow dependence from S0 to S0 through path"),
    ("floyd-warshall", [["tile", ["k", "i"], [2, 2]]], "flow dependence from S0 to S0 through path"),
    ("durbin", [["fuse", "i2", "i3"]], "anti dependence from S7 to S8 through y"),
    ("durbin", [["reverse", "k"]], "flow dependence from S3 to S3 through beta"),
    ("nussinov", [["reverse", "i"]], "flow dependence from S0 to S1 through table"),
    ("nussinov", [["reverse", "j"]], "flow dependence from S0 to S0 through table"),
    ("nussinov", [["distribute", "j", 1]], "flow dependence from S1 to S0 through table"),
    ("trmm", [["reverse", "i"]], "anti dependence from S0 to S0 through B"),
    ("fdtd-2d", [["fuse", "i", "i2"], ["fuse", "i", "i3"]], "flow dependence from S1 to S3 through ey"),
    ("fdtd-2d", [["shift", "S3", "t", -1]], "flow dependence from S0 to S3 through ey"),
    ("gramschmidt", [["distribute", "k", 3]], "flow dependence from S6 to S1 through A"),
    ("deriche", [["parallel", "i"]], "output dependence from S0 to S0 through m1"),
    ("doitgen", [["parallel", "q"]], "output dependence from S0 to S0 through s"),
    ("symm", [["parallel", "j"]], "output dependence from S0 to S0 through t"),
    ("covariance", [["fuse", "j", "i2"]], "flow dependence from S0 to S3 through mean"),
    ("gemver", [["fuse", "i", "i2"]], "flow dependence from S0 to S1 through A"),
    ("mvt", [["parallel", "j"]], "flow dependence from S0 to S0 through x1"),
    ("bicg", [["fuse", "i", "i2"]], "flow dependence from S0 to S2 through s"),
    ("jacobi-1d", [["shift", "S1", "i2", 2], ["fuse", "i", "i2"], ["skew", "i", "t", 3], ["interchange", ["i", "t"]],
                   ["reverse", "t"]], "S1 to S0 through A"),
    ("mvt", [["fuse", "i", "i2"], ["fuse", "j", "j2"], ["parallel", "i"], ["interchange", ["j", "i"]],
             ["parallel", "j"]], "carries the flow dependence from S0 to S0 through x1"),
    ("mvt", [["interchange", ["j2", "i2"]], ["fuse", "i", "j2"], ["fuse", "j", "i2"], ["parallel", "i"]],
     "carries the flow dependence from S1 to S1 through x2"),
    ("floyd-warshall", [["skew", "j", "i", 1], ["parallel", "j"]], "j carries the flow dependence from S0 to S0"),
]  # fmt: skip
LEGAL: list[tuple[str, list[Any]]] = [
    ("gemm", [["reverse", "i"], ["reverse", "j"], ["reverse", "j2"]]),
    ("gemm", [["parallel", "i"], ["vectorise", "j"], ["vectorise", "j2"]]),
    ("gemm", [APART, ["interchange", ["i2", "j2", "k"]], ["unroll", "k", 4]]),
    ("gemm", [APART, ["tile", ["i2", "k", "j2"], [4, 5, 6]], ["register_tile", ["i2", "k"], [2, 4]],
              ["vectorise", "j2"]]),
    ("gemm", [APART, ["interchange", ["k", "i2", "j2"]], ["strip", "k", 7], ["reverse", "i2"]]),
    ("seidel-2d", [["skew", "i", "t", 1], ["skew", "j", "t", 1], ["skew", "j", "i", 1],
                   ["tile", ["t", "i", "j"], [2, 4, 4]], ["interchange", ["i", "j", "t"]]]),
    ("seidel-2d", [["skew", "j", "i", 2], ["interchange", ["j", "i"]], ["vectorise", "i"]]),
    ("seidel-2d", [["skew", "i", "t", 2], ["interchange", ["i", "t"]]]),
    ("jacobi-2d", [["shift", "S1", "i2", 1], ["shift", "S1", "j2", 1], ["fuse", "i", "i2"], ["fuse", "j", "j2"]]),
    ("jacobi-2d", [["parallel", "i"], ["vectorise", "j"], ["parallel", "i2"], ["vectorise", "j2"]]),
    ("jacobi-1d", [["shift", "S1", "i2", 1], ["fuse", "i", "i2"], ["skew", "i", "t", 2], ["tile", ["t", "i"], [3, 8]]]),
    ("lu", [["interchange", ["k2", "j2"]], ["vectorise", "j2"]]),
    ("lu", [["fuse", "j", "j2"]]),
    ("lu", [["affine", [["S1", [[0, 1, 0], [1, 0, 0]], [0, 0, 0]],
                        ["S0", [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]], [0, 1, 0, 0]],
                        ["S2", [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]], [0, 1, 1, 0]]]]]),
    ("atax", [["distribute", "i2", 2], ["interchange", ["j2", "i22"]], ["register_tile", ["i22"], [4]]]),
    ("mvt", [["interchange", ["j2", "i2"]], ["fuse", "i", "j2"], ["fuse", "j", "i2"]]),
    ("mvt", [["fuse", "i", "i2"], ["fuse", "j", "j2"], ["parallel", "i"]]),
    ("floyd-warshall", [["interchange", ["k", "j", "i"]], ["register_tile", ["i", "j"], [2, 2]]]),
    ("2mm", [["fuse", "i", "i2"]]),
    ("trisolv", [APART, ["reverse", "i"]]),
    ("syr2k", [APART, ["parallel", "i2"], ["interchange", ["i2", "k"]]]),
    ("deriche", [["reverse", "i3"], ["parallel", "i3"], ["interchange", ["j3", "i3"]]]),
    ("gemver", [["interchange", ["j2", "i2"]], ["fuse", "i", "j2"], ["fuse", "j", "i2"]]),
]  # fmt: skip


def named(case: tuple[Any, ...]) -> str:
    return f"{case[0]}-{'-'.join(t[0] for t in case[1])}"


@pytest.mark.parametrize("case", ILLEGAL, ids=named)
def test_a_planted_illegal_schedule_is_refused_with_what_it_breaks(case: tuple[str, list[Any], str]) -> None:
    kernel, transforms, reason = case
    compiler = compiler_of(KERNELS[kernel])
    assert compiler.verdict(read(transforms[:-1])).schedule is not None, "only the last transform is wrong"
    verdict = compiler.verdict(read(transforms))
    assert verdict.schedule is None
    assert verdict.reason.startswith(f"transform {len(transforms) - 1} (") and reason in verdict.reason, (
        verdict.reason
    )


@pytest.mark.parametrize("case", LEGAL, ids=named)
def test_a_planted_legal_schedule_is_accepted(case: tuple[str, list[Any]]) -> None:
    kernel, transforms = case
    verdict = compiler_of(KERNELS[kernel]).verdict(read(transforms))
    assert verdict.schedule is not None, verdict.reason
    sizes = {n: 7 - k for k, n in enumerate(compiler_of(KERNELS[kernel]).program.sizes)}
    assert slow.broken(KERNELS[kernel], sizes, verdict.schedule) is None


@pytest.mark.parametrize("mark", ["vectorise", "parallel"])
def test_a_mark_holds_only_in_the_order_in_which_it_was_proved(mark: str) -> None:
    """A later transform may not make a marked loop carry what it did not."""
    shifted = compiler_of(
        "N = size(9)\nA, B, C = array(N), array(N), array(N)\n"
        "for i in range(N):\n    B[i] = A[i]\n    C[i] = B[i]\n"
    )
    assert shifted.verdict(read([[mark, "i"]])).schedule is not None
    assert shifted.verdict(read([["shift", "S1", "i", 1]])).schedule is not None
    reason = shifted.verdict(read([[mark, "i"], ["shift", "S1", "i", 1]])).reason
    assert "would carry the flow dependence from S0 to S1 through B" in reason
    diagonal = compiler_of(
        "N = size(9)\nA = array(N, N)\n"
        "for i in range(1, N):\n    for j in range(1, N):\n        A[i, j] = A[i - 1, j - 1]\n"
    )
    reason = diagonal.verdict(read([[mark, "j"], ["interchange", ["j", "i"]]])).reason
    assert "would carry the flow dependence from S0 to S0 through A" in reason
    assert diagonal.verdict(read([[mark, "j"], ["reverse", "j"], ["strip", "i", 4]])).schedule is not None


# -- no transforms --------------------------------------------------------------------------------------------------

IJK = (
    "N = size(9)\nA = array(N, N, N)\nfor i in range(N):\n    for j in range(N):\n        for k in range(N):\n"
    "            A[i, j, k] += 1\nfor m in range(N):\n    A[m, m, m] = 2\n"
)
PLACE = ["S0", [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], [0, 0, 0, 0]]


def affine(*places: Any) -> list[Any]:
    return ["affine", list(places)]


MEANINGLESS: list[tuple[list[Any], str]] = [
    ([["reverse", "i"]] * 65, "at most 64 transforms"),
    ([["fuse", "i", "x"]], "there is no loop 'x'; there are i, j, k, m"),
    ([["fuse", "m", "i"]], "i is not the next loop after m"),
    ([["fuse", "i", "i"]], "i is not the next loop"),
    ([["fuse", "i", "j"]], "j is not the next loop"),
    ([["distribute", "i", 1]], "has 1 parts; it cannot keep 1"),
    ([["distribute", "i", -1]], "cannot keep -1"),
    ([["interchange", ["i", "k"]]], "are not loops of which each"),
    ([["interchange", []]], "different loops"),
    ([["interchange", ["i", "i"]]], "different loops"),
    ([["interchange", ["i", "m"]]], "are not loops of which each"),
    ([["skew", "i", "i", 1]], "does not count for all"),
    ([["skew", "i", "m", 1]], "does not count for all"),
    ([["skew", "j", "i", 0]], "a skew by 0"),
    ([["skew", "j", "i", 9]], "a skew by 9"),
    ([["skew", "j", "i", 8], ["skew", "k", "j", 8], ["skew", "j", "k", 8]], "coefficient above 64"),
    ([["skew", "j", "i", 8]] * 9, "coefficient above 64"),
    ([["shift", "S1", "i", 1]], "i does not hold a statement 'S1'"),
    ([["shift", "S0", "i", 0]], "a shift by 0"),
    ([["shift", "S0", "i", 65]], "a shift by 65"),
    ([["strip", "i", 0]], "sizes go from 1 to 4096"),
    ([["strip", "i", 4097]], "sizes go from 1 to 4096"),
    ([["tile", ["i", "j"], [4]]], "as many sizes as different loops"),
    ([["tile", ["i", "k"], [4, 4]]], "are not loops of which each"),
    ([["tile", [], []]], "different loops"),
    ([["strip", "i", 4]] * (MOST_DEPTH - 2), "nested 13 deep; 12 is the most"),
    ([["register_tile", ["i"], [65]]], "sizes go from 1 to 64"),
    ([["register_tile", [], []]], "as many sizes as different loops"),
    ([["register_tile", ["i", "i"], [2, 2]]], "as many sizes as different loops"),
    ([["register_tile", ["i", "m"], [2, 2]]], "m is not in the chain of loops from i"),
    ([["register_tile", ["i", "j", "k"], [5, 5, 3]]], "repeated more than 64 times"),
    ([["unroll", "k", 8], ["register_tile", ["i", "j"], [4, 4]]], "repeated more than 64 times"),
    ([["register_tile", ["i", "j"], [8, 8]], ["unroll", "j", 9]], "repeated more than 64 times"),
    ([["unroll", "k", 65]], "expected 2 to 64"),
    ([["unroll", "k", 1]], "expected 2 to 64"),
    ([["unroll", "i", 2]], "i holds other loops"),
    ([["vectorise", "i"]], "loops that are not written out"),
    ([["parallel", "I"]], "there is no loop 'I'"),
    ([["reverse", "x" * 41]], "of other types"),
    ([affine()], "takes all statements"),
    ([affine(PLACE, PLACE)], "placed twice"),
    ([affine(["S9", [], [0]])], "there is no statement 'S9'"),
    ([affine(["S0", PLACE[1][:2], [0, 0, 0]])], "at least 3 rows"),
    ([affine(["S0", PLACE[1] * 5, [0] * 16])], "at least 3 rows"),
    ([affine(["S0", PLACE[1], [0, 0]])], "one position more than rows"),
    ([affine(["S0", [[1, 0, 0]] * 3, [0] * 4])], "3 coefficients from -8 to 8"),
    ([affine(["S0", [[9, 0, 0, 0], *PLACE[1][1:]], [0] * 4])], "3 coefficients from -8 to 8"),
    ([affine(["S0", [[1, 0, 0, 65], *PLACE[1][1:]], [0] * 4])], "a constant of at most 64"),
    ([affine(["S0", [[1, 1, 0, 0], [0, 1, 1, 0], [1, 2, 1, 5]], [0] * 4])], "tell all of its iterations apart"),
    ([affine(["S0", [[0] * 4] * 12, [0] * 13])], "tell all of its iterations apart"),
    ([affine(PLACE, ["S1", [[1, 0]], [0, 0]])], "the same positions"),
    ([affine(["S0", PLACE[1], [0, 0, 0, 0]], ["S1", [[1, 0], [0, 0], [0, 0]], [0, 0, 0, 0]])], "the same positions"),
    # what is no list of transforms
    ({}, "a list of at most"),  # type: ignore[list-item]
    ("tile", "a list of at most"),  # type: ignore[list-item]
    (None, "a list of at most"),  # type: ignore[list-item]
    ([[]], "transform 0: expected a name"),
    ([["reverse", "i"], "reverse"], "transform 1: expected a name"),
    ([["Reverse", "i"]], "expected a name"),
    ([[["reverse"], "i"]], "expected a name"),
    ([[{}, "i"]], "expected a name"),
    ([["reverse"]], "reverse takes loop"),
    ([["reverse", "i", 1]], "reverse takes loop"),
    ([["reverse", 1]], "of other types"),
    ([["reverse", ["i"]]], "of other types"),
    ([["reverse", None]], "of other types"),
    ([["reverse", "i\n"]], "of other types"),
    ([["strip", "i", "4"]], "of other types"),
    ([["strip", "i", 4.0]], "of other types"),
    ([["strip", "i", True]], "of other types"),
    ([["strip", "i", 10**30]], "of other types"),
    ([["strip", "i", float("nan")]], "of other types"),
    ([["tile", "ij", [4, 4]]], "of other types"),
    ([["tile", [["i"], "j"], [4, 4]]], "of other types"),
    ([["tile", ["i"] * 65, [4] * 65]], "of other types"),
    ([["tile", {"i": 4}, [4]]], "of other types"),
    ([affine("S00")], "of other types"),
    ([affine(["S0", [[1]]])], "of other types"),
    ([affine(["S0", [1], [0, 0]])], "of other types"),
    ([affine(["S0", [["1"]], [0, 0]])], "of other types"),
    ([["affine", {"S0": 1}]], "of other types"),
    ([affine(7)], "of other types"),
]  # fmt: skip


@pytest.mark.parametrize("given_", MEANINGLESS, ids=lambda g: str(g[1])[:40])
def test_what_is_no_transform_is_one_sentence(given_: tuple[Any, str]) -> None:
    transforms, reason = given_
    program = parse(IJK, "x")
    with pytest.raises(Meaningless) as refused:
        schedule = original(program)
        for transform in read(transforms):
            schedule = transform.apply(schedule, program)
    assert reason in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 400


LOOSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    | st.sampled_from([*NAMES, *"ijkm", "S0", "S1", "i.t", "t0", 0, 1, 2, 4, 65, -1]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
NAMED = st.tuples(st.sampled_from(sorted(NAMES)), st.lists(LOOSE, max_size=3)).map(lambda t: [t[0], *t[1]])
LOOPS = st.lists(st.sampled_from(["i", "j", "k", "m", "i.t", "j.r"]), max_size=3)
TYPED = st.one_of(
    st.tuples(st.just("fuse"), *[st.sampled_from("ijkm")] * 2),
    st.tuples(st.sampled_from(["skew", "shift"]), st.sampled_from(["i", "j", "S0", "S1"]), st.sampled_from("ijkm"),
              st.integers(-70, 70)),
    st.tuples(st.sampled_from(["strip", "unroll", "distribute"]), st.sampled_from("ijkm"), st.integers(-2, 5000)),
    st.tuples(st.sampled_from(["tile", "register_tile"]), LOOPS, st.lists(st.integers(-1, 70), max_size=3)),
    st.tuples(st.sampled_from(["reverse", "vectorise", "parallel"]), st.sampled_from("ijkm")),
    st.tuples(st.just("interchange"), LOOPS),
    st.tuples(st.just("affine"), st.lists(st.tuples(
        st.sampled_from(["S0", "S1"]),
        st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=4), max_size=4),
        st.lists(st.integers(0, 2), max_size=5)), max_size=2)),
)  # fmt: skip


@settings(max_examples=200)
@given(LOOSE | st.lists(NAMED | LOOSE, max_size=3) | st.lists(TYPED, max_size=6))
def test_whatever_is_given_nothing_but_a_sentence_comes_of_it(given_: Any) -> None:
    program = parse(IJK, "x")
    schedule = original(program)
    try:
        transforms = read(given_)
        assert read(plain(transforms)) == transforms
        assert read(json.loads(json.dumps(plain(transforms)))) == transforms
        for transform in transforms:
            schedule = transform.apply(schedule, program)
            assert sorted(schedule.statements) == ["S0", "S1"] and schedule.depth <= MOST_DEPTH
    except Meaningless as error:
        assert str(error).isprintable()


def check_tree(schedule: Schedule, program: Program) -> None:
    """Every statement once, every loop with a name of its own and a row for just what it holds."""
    assert sorted(schedule.statements) == sorted(s.name for s in program.statements)
    names: list[str] = []

    def visit(nodes: tuple[Any, ...]) -> list[str]:
        held: list[str] = []
        assert nodes
        for node in nodes:
            if hasattr(node, "statement"):
                held.append(node.statement)
            else:
                names.append(node.name)
                inside = visit(node.body)
                assert [s for s, _ in node.rows] == inside, node.name
                held += inside
        return held

    visit(schedule.body)
    assert len(set(names)) == len(names)
    assert all(copies(schedule, s) <= 64 for s in schedule.statements) and schedule.depth <= MOST_DEPTH


def test_every_kind_of_transform_round_trips_and_leaves_a_tree() -> None:
    seen: Counter[str] = Counter()
    for text in TEXTS[:12]:
        program = parse(text, "x")
        for kind, some in options(original(program), program).items():
            for one in some:
                (transform,) = read([one])
                assert plain([transform]) == [one] and isinstance(transform, NAMES[kind])
                try:
                    check_tree(transform.apply(original(program), program), program)
                    seen[kind] += 1
                except Meaningless:
                    pass
    assert set(seen) == set(NAMES), seen


def test_many_affine_loops_have_names_of_their_own() -> None:
    nests = 16
    text = "N = size(9)\nA = array(N)\n" + "".join(
        f"for t1 in range(N):\n    A[t1] += {k}\n" for k in range(nests)
    )
    program = parse(text, "x")
    for kept in (range(nests - 1), range(1, nests)):
        (transform,) = read([affine(*([f"S{k}", [[1, 0]], [k, 0]] for k in kept))])
        check_tree(transform.apply(original(program), program), program)


def test_as_many_transforms_as_are_allowed() -> None:
    compiler = compiler_of(IJK)
    assert compiler.verdict(read([["reverse", "i"]] * MOST_TRANSFORMS)).schedule == original(compiler.program)


# -- results --------------------------------------------------------------------------------------------------------


def compared(text: str, transforms: List, gcc: toolchain.Compiler, threads: int = 1) -> dict[str, Any]:
    """The reply of a worker that runs the program as written and after transforms, at small odd sizes."""
    compiler = compiler_of(text)
    schedule = compiler.verdict(transforms).schedule
    assert schedule is not None
    program = compiler.program
    sizes = [
        *(dict.fromkeys(program.sizes, v) for v in (2, 3)),
        *check_sizes(program),
    ]  # covariances need two
    order = {
        **described(program), "reference": str(gcc.compiled(codegen.reference(program))),
        "candidate": str(gcc.compiled(compiler.text(schedule, threads=threads > 1))), "sizes": sizes[0],
        "checks": [{"sizes": s, "seed": 1} for s in sizes[1:]], "rung": None, "slowest": 20.0, "repetitions": 1,
        "threads": threads, "limits": {"cpu": 60, "wall": 120.0, "memory": 2**31, "file": 2**20},
    }  # fmt: skip
    return toolchain.measured(order)


def campaign(examples: int, gcc: toolchain.Compiler, *, fixed: bool) -> Counter[str]:
    """Random legal lists; kinds of transforms that were among them."""
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, derandomize=fixed, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(TEXTS).flatmap(lambda text: st.tuples(st.just(text), plans(compiler_of(text), 6))))
    def run(drawn: Any) -> None:
        text, (legal, refused) = drawn
        seen.update(legal=bool(legal), refused=len(refused))
        seen.update({word for word, kind in NAMES.items() if any(isinstance(t, kind) for t in legal)})
        check_tree(compiler_of(text).verdict(legal).schedule or original(compiler_of(text).program),
                   compiler_of(text).program)  # fmt: skip
        if legal:
            reply = compared(text, legal, gcc)
            assert reply["status"] == "ok", (reply, plain(legal))

    run()
    return seen


def test_legal_transforms_leave_the_results_as_they_are(gcc: toolchain.Compiler) -> None:
    seen = campaign(22, gcc, fixed=True)
    assert seen["legal"] >= 15 and len(set(seen) & set(NAMES)) >= 9, seen


@pytest.mark.campaign
def test_many_legal_transforms_leave_the_results_as_they_are(gcc: toolchain.Compiler) -> None:
    seen = campaign(1500, gcc, fixed=False)
    assert set(seen) >= set(NAMES) and seen["legal"] >= 1000, seen


def test_planted_legal_schedules_leave_the_results_as_they_are(gcc: toolchain.Compiler) -> None:
    for kernel, transforms in LEGAL[3:18:2]:
        assert compared(KERNELS[kernel], read(transforms), gcc)["status"] == "ok", kernel


def test_an_illegal_schedule_would_have_been_seen(gcc: toolchain.Compiler) -> None:
    """The comparison bites: what is refused does give other results."""
    compiler = compiler_of(KERNELS["seidel-2d"])
    schedule = compiler.verdict(()).schedule
    assert schedule is not None
    transforms = read([["reverse", "j"]])
    wrong = transforms[0].apply(schedule, compiler.program)
    compiler._verdicts[transforms] = Verdict(wrong)
    try:
        assert compared(KERNELS["seidel-2d"], transforms, gcc)["status"] == "differs"
    finally:
        del compiler._verdicts[transforms]


@pytest.mark.parametrize("threads", [1, 2])
def test_marks_reach_the_text(threads: int) -> None:
    compiler = compiler_of(KERNELS["gemm"])
    given_ = [
        APART,
        ["parallel", "i2"],
        ["register_tile", ["i2", "k"], [2, 4]],
        ["vectorise", "j2"],
        ["unroll", "j", 4],
    ]
    schedule = compiler.verdict(read(given_)).schedule
    assert schedule is not None
    text = compiler.text(schedule, threads=threads > 1)
    assert text.count("#pragma omp parallel for") == (threads > 1)
    assert text.count("#pragma GCC unroll 4") == 1 and "#pragma GCC ivdep" in text
    assert len(re.findall(r"{ const long c\d+ = [0-3];", text)) >= 10, "the register tile is written out"
    assert re.search(r"B\[\(4 \* c\d \+ c\d\)\]", text), "of every tile, points counted from its beginning"
    assert {type(t) for t in read(given_)} >= {Vectorise, Parallel}
