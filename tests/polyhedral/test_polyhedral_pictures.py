"""What is drawn of a schedule: rows and orders against isl, patches point by point, loops and transforms in words."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.pictures import Outline, Tiles
from evaluators.polyhedral import problem, rows, space, splits
from evaluators.polyhedral.adapter import ANSWER_BYTES, padded
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.language import parse
from evaluators.polyhedral.pictures import KINDS, MOST_SPACES, outlined, pictures
from evaluators.polyhedral.program import Affine, Program
from evaluators.polyhedral.transforms import NAMES, Meaningless, Transform, plain, read
from evaluators.polyhedral.tree import Schedule, original, tile_row
from evaluators.polyhedral.words import told
from evaluators.task import Instance, InvalidAnswer

isl = pytest.importorskip("islpy")

TRIANGLE = """
N, M = size(9), size(7)
A = array(N + 8, 2 * N + M + 8)
B = array(N + 8, 2 * N + M + 8)
for i in range(1, N):
    for j in range(i, min(2 * i + M, N + 3)):
        if i + j <= 2 * N:
            A[i, j] = B[i, j] + 1.0
for i in range(N):
    for j in range(N):
        B[i, j] = 2.0 * A[i, j]
"""
FLAT = {
    "triangle": TRIANGLE,
    **{name: splits.text_of(name) for name in ("mvt", "jacobi-1d", "lu", "trisolv")},
}


@cache
def program(name: str) -> Program:
    return parse(FLAT[name], name)


def schedule(name: str, *transforms: list[Any]) -> Schedule:
    """After transforms that need not be legal."""
    found = original(program(name))
    for transform in read(list(transforms)):
        found = transform.apply(found, program(name))
    return found


@cache
def instance(name: str) -> Instance:
    text = FLAT.get(name) or splits.text_of(name)
    return problem.make(f"{name}-small", name, text, parse(text, name).at(0), "this machine")


def shown(name: str, *transforms: list[Any]) -> tuple[Outline, tuple[Tiles, ...]]:
    first, *others = pictures(instance(name), padded(list(transforms), ANSWER_BYTES))
    assert isinstance(first, Outline) and all(isinstance(p, Tiles) for p in others)
    return first, tuple(p for p in others if isinstance(p, Tiles))


# -- rows -------------------------------------------------------------------------------------------------------------

small = st.integers(-9, 9)
plain_rows = st.builds(lambda i, j, n, c: Affine.of({"i": i, "j": j, "N": n}, c), small, small, small, small)
affine_rows = st.recursive(
    plain_rows,
    lambda inner: st.one_of(
        st.builds(tile_row, inner, st.integers(1, 40)),
        st.builds(lambda a, b, f: a.plus(b, f), inner, inner, small),
    ),
    max_leaves=5,
)
CONTEXT = isl.Context()


@settings(max_examples=300, deadline=None)
@given(affine_rows, *([st.integers(-100, 100)] * 3))
def test_a_row_has_the_value_that_isl_gives_it(row: Affine, i: int, j: int, n: int) -> None:
    found = isl.Map.read_from_str(
        CONTEXT, f"[N] -> {{ [i, j] -> [({row})] : i = {i} and j = {j} and N = {n} }}"
    )
    value = found.range().sample_point().get_coordinate_val(isl.dim_type.set, 0).to_python()
    form = rows.form(row)
    assert form.at({"i": i, "j": j, "N": n}) == value
    arrays = {"i": np.array([i, i]), "j": np.array([j, j]), "N": n}
    assert np.broadcast_to(form.at(arrays), 2).tolist() == [value, value]


def test_rows_that_count_tiles() -> None:
    i = Affine((("i", 1),))
    tile, tiles = tile_row(i.plus(Affine((), -3)), 8), tile_row(tile_row(i, 4), 2)
    assert [rows.tile_size(r) for r in (i, tile, tiles, tile.times(-1), tile.plus(tiles))] == [
        None,
        8,
        2,
        8,
        None,
    ]
    assert [rows.counts_tiles(r) for r in (i, tile, tile.plus(tiles), i.plus(tile, -8), Affine(()))] == [
        False, True, True, False, False,
    ]  # fmt: skip


# -- pieces -----------------------------------------------------------------------------------------------------------


def by_isl(
    name: str, made: Schedule, statement: str, sizes: dict[str, int]
) -> dict[tuple[int, int], tuple[int, ...]]:
    """The time of every point, with the zeros of the tree's positions left in."""
    analysis = Compiler(program(name)).analysis
    times = analysis.map(statement, made.own_time(statement)).intersect_domain(analysis.domain(statement))
    for k, size in enumerate(program(name).sizes):
        times = times.fix_val(isl.dim_type.param, k, sizes[size])
    found: dict[tuple[int, int], tuple[int, ...]] = {}

    def take(point: Any) -> None:
        at = [
            point.get_coordinate_val(isl.dim_type.set, k).to_python()
            for k in range(2 + len(made.own_time(statement)))
        ]
        found[at[0], at[1]] = tuple(at[2:])

    flat = times.project_out(isl.dim_type.param, 0, len(program(name).sizes)).wrap().flatten()
    flat.foreach_point(take)
    return found


steps = st.one_of(
    st.tuples(st.just("interchange"), st.just(["j", "i"])),
    st.tuples(
        st.just("skew"), st.sampled_from(["i", "j"]), st.sampled_from(["i", "j"]), st.sampled_from([-2, 1, 3])
    ),
    st.tuples(st.just("reverse"), st.sampled_from(["i", "j"])),
    st.tuples(st.just("shift"), st.just("S0"), st.sampled_from(["i", "j"]), st.sampled_from([-5, 2])),
    st.tuples(st.just("strip"), st.sampled_from(["i", "j"]), st.sampled_from([2, 3])),
    st.tuples(st.just("tile"), st.just(["i", "j"]), st.sampled_from([[2, 3], [4, 1], [3, 5]])),
    st.tuples(st.just("register_tile"), st.sampled_from([["i"], ["j"], ["j", "i"]]), st.just([2])),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=4), st.integers(1, 9), st.integers(1, 6))
def test_pieces_run_one_after_the_other_in_the_order_that_isl_gives(plan: list[Any], n: int, m: int) -> None:
    made = original(program("triangle"))
    for step in plan:
        try:
            made = read([step])[0].apply(made, program("triangle"))
        except Meaningless:
            continue
    sizes = {"N": n, "M": m}
    statement = program("triangle").statements[0]
    found = space.pieces(program("triangle"), made, statement, sizes)
    assert found is not None
    times = by_isl("triangle", made, "S0", sizes)
    points = list(zip(found.outer.tolist(), found.inner.tolist(), strict=True))
    assert sorted(points) == sorted(times), "the points of the domain"
    placed = dict(zip(points, found.piece.tolist(), strict=True))
    order = [placed[p] for p in sorted(times, key=times.__getitem__)]
    assert order == sorted(order), "in the order of time no piece comes back"
    assert set(order) == set(range(found.count))
    tiled = [n for n in made.loops_of("S0") if rows.counts_tiles(n.row["S0"])]
    if not tiled:
        assert found.count == len(points), "without tiles every point is a piece"


@pytest.mark.parametrize("size", [2, 3, 5])
def test_tiles_are_pieces(size: int) -> None:
    made = schedule("mvt", ["interchange", ["j", "i"]], ["tile", ["j", "i"], [size, 4]])
    found = space.pieces(program("mvt"), made, program("mvt").statements[0], {"N": 11})
    assert found is not None
    for i, j, piece in zip(found.outer.tolist(), found.inner.tolist(), found.piece.tolist(), strict=True):
        assert piece == j // size * 3 + i // 4, "11 rows are three tiles of 4, and columns are outermost"


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.tuples(st.integers(-3, 6), st.integers(-3, 6)), st.integers(0, 3), max_size=60))
def test_rectangles_hold_every_point_once(points: dict[tuple[int, int], int]) -> None:
    a, b = (np.array([p[k] for p in points], np.int64) for k in (0, 1))
    found = space.rectangles(space.Pieces({}, a, b, np.array(list(points.values()), np.int64)))
    covered = [
        ((i, j), piece)
        for piece, bottom, top, left, right in found
        for i in range(bottom, top + 1)
        for j in range(left, right + 1)
    ]
    assert len(covered) == len(points) and dict(covered) == points
    assert [r[0] for r in found] == sorted(r[0] for r in found)


def test_a_block_is_one_rectangle() -> None:
    a, b = (g.reshape(-1).astype(np.int64) for g in np.meshgrid(range(3), range(4), indexing="ij"))
    assert space.rectangles(space.Pieces({}, a, b, np.zeros(12, np.int64))) == [(0, 0, 2, 0, 3)]


def test_sizes_grow_until_tiles_are_seen() -> None:
    (plain_space, _) = shown("mvt")[1]
    assert "At N = 10. Each cell is an iteration" in plain_space.caption and len(plain_space.tiles) == 100
    assert [t.level for t in plain_space.tiles] == pytest.approx([k / 100 for k in range(1, 101)])
    # one statement's tiles would do at N = 40; both are drawn at the same size
    both = shown("mvt", ["strip", "i", 4], ["tile", ["i2", "j2"], [32, 32]])[1]
    assert all("At N = 80. Each patch is a tile" in t.caption for t in both)
    assert [len(t.tiles) for t in both] == [20, 9] and both[1].tiles[3].note == (
        "tile 4 of 9: i from 32 to 63, j from 0 to 31"
    )
    assert (both[0].up, both[0].across) == ("i", "j") and both[0].top == both[0].end == 80
    huge = shown("mvt", ["tile", ["i", "j"], [4096, 4096]])[1][0]
    assert len(huge.tiles) == 1 and huge.tiles[0].right <= 160 and huge.tiles[0].level == 1


def draws(text: str, *transforms: list[Any]) -> tuple[Tiles, ...]:
    """Of all statements of a text, after transforms that need not be legal."""
    whole = parse(text, "text")
    made = original(whole)
    for transform in read(list(transforms)):
        made = transform.apply(made, whole)
    return space.drawn(whole, made, whole.statements)


def test_there_is_something_to_see_and_not_too_much() -> None:
    def loops(outer: str, inner: str) -> str:
        head = f"N = size(99)\nA = array(1)\nfor i in range({outer}):\n"
        return f"{head}    for j in range({inner}):\n        A[0] = 1.0\n"

    # at N = 80 diagonal strips of 40 are four, at N = 160 they would take 700 rectangles
    (diagonal,) = draws(
        loops("N", "N"), ["skew", "j", "i", 1], ["interchange", ["j", "i"]], ["strip", "j", 40]
    )
    assert "At N = 80" in diagonal.caption and 100 < len(diagonal.tiles) <= space.MOST_RECTANGLES
    (late,) = draws(loops("15, N", "N"))
    assert "At N = 20" in late.caption and len(late.tiles) == 100, "at N = 10 nothing runs"
    (steep,) = draws(loops("16 * N", "2 * N"))
    assert "At N = 2." in steep.caption and len(steep.tiles) == 128, "at N = 10 there would be 3,200 cells"
    (corner,) = draws(loops("N", "i, 5"))
    assert len(corner.tiles) == 15, "rows that have no iterations"
    (small,) = draws(loops("3", "2"), ["tile", ["i", "j"], [2, 2]])
    assert len(small.tiles) == 2, "there will never be more"
    assert draws(loops("100000000", "2")) == draws(loops("100", "100000000")) == draws(loops("0", "N")) == ()
    assert [len(t.tiles) for t in draws(loops("100000000", "100000000"), ["tile", ["i", "j"], [2, 2]])] == []


def test_an_axis_begins_where_iterators_do() -> None:
    head = "N = size(9)\nA = array(2 * N + 9, N)\n"
    below = parse(
        head + "for i in range(-3, N):\n    for j in range(N):\n        A[i + 3, j] = 1.0\n", "below"
    )
    (chart,) = space.drawn(below, original(below), below.statements)
    assert min(t.bottom for t in chart.tiles) == 0 and chart.top == 13
    assert chart.tiles[0].note == "iteration 1 of 130: i = -3, j = 0"


def test_at_most_three_statements_with_two_loops_are_drawn() -> None:
    nest = "for i in range(N):\n    for j in range(N):\n        A[i, j] = 1.0\n"
    text = "N = size(9)\nA = array(N, N)\n" + 5 * nest
    four = problem.make("four", "four", text, {"N": 9}, "this machine")
    assert len(pictures(four, padded([], ANSWER_BYTES))) == 1 + MOST_SPACES == 4
    assert len(shown("lu")[1]) == 1
    assert shown("heat-3d")[1] == ()


# -- outlines ---------------------------------------------------------------------------------------------------------


def test_loops_before_and_after() -> None:
    outline, _ = shown(
        "mvt",
        ["register_tile", ["i"], [8]],
        ["interchange", ["j2", "i2"]],
        ["tile", ["j2", "i2"], [32, 64]],
        ["vectorise", "i2"],
    )
    before, after = outline.columns
    assert (before.name, after.name, before.steps) == ("before", "after", ())
    assert [(n.depth, n.text, n.kind) for n in before.lines] == [
        (0, "for i", ""), (1, "for j", ""), (2, "S0: x1[i]", ""),
        (0, "for i2, counts i", ""), (1, "for j2, counts j", ""), (2, "S1: x2[i]", ""),
    ]  # fmt: skip
    assert [(n.depth, n.text, n.kind) for n in after.lines] == [
        (0, "for i.r, tiles of 8", "counts tiles"), (1, "for j", ""),
        (2, "for i, written out 8 times", "unrolled"), (3, "S0: x1[i]", ""),
        (0, "for j2.t, tiles of 32", "counts tiles"), (1, "for i2.t, tiles of 64", "counts tiles"),
        (2, "for j2, counts j", ""), (3, "for i2, counts i, vector", "vector"), (4, "S1: x2[i]", ""),
    ]  # fmt: skip
    assert outline.used == ("counts tiles", "vector", "unrolled")
    assert after.steps[:2] == (
        "register tiles: i by 8, written out innermost",
        "interchange to j2, i2, outermost first",
    )


def test_marks_and_rows_that_differ_are_told() -> None:
    made = schedule(
        "mvt", ["fuse", "i", "i2"], ["shift", "S1", "i", 2], ["parallel", "i"], ["unroll", "j", 4]
    )
    lines = outlined(program("mvt"), made)
    assert [(n.text, n.kind) for n in lines if n.text.startswith("for")] == [
        ("for i, counts i, i + 2, parallel", "parallel"),
        ("for j, unrolled 4 times", "unrolled"),
        ("for j2, counts j", ""),
    ]


@pytest.mark.parametrize("name", ["gemm", "lu", "fdtd-2d", "adi", "nussinov", "random-3"])
def test_every_loop_and_statement_is_a_line(name: str) -> None:
    text = splits.text_of(name)
    whole = parse(text, name)
    lines = outlined(whole, original(whole))
    assert len(lines) == len(original(whole).nests) + len(whole.statements)
    assert {n.kind for n in lines} == {""} and {n.kind for n in lines} < {"", *KINDS}


EXAMPLES: list[list[Any]] = [
    ["fuse", "i", "i2"], ["distribute", "i", 1], ["interchange", ["j", "i"]], ["skew", "j", "i", -2], ["reverse", "i"],
    ["shift", "S0", "j", 3], ["strip", "i", 16], ["tile", ["i", "j"], [32, 64]],
    ["register_tile", ["i", "j"], [4, 2]], ["unroll", "j", 4], ["vectorise", "j"], ["parallel", "i"],
    ["affine", [["S0", [[0, 1, 0], [2, 1, -1]], [0, 0, 0]], ["S1", [[1, 0, 0], [0, 1, 0]], [0, 1, 0]]]],
]  # fmt: skip


def test_every_transform_has_words_of_its_own() -> None:
    assert [e[0] for e in EXAMPLES] == list(NAMES) and len(get_args(Transform)) == len(EXAMPLES)
    said = [told(t, program("mvt")) for t in read(EXAMPLES)]
    assert len(set(said)) == len(EXAMPLES)
    assert said[3] == "skew j by -2 times i" and said[7] == "tile i by 32, j by 64"
    assert said[-1] == "new nests: S0 at (j, 2*i + j - 1), S1 at (i, j)"
    assert told(read([["distribute", "i", 2]])[0], program("mvt")).endswith("after its first 2 parts")
    for example in EXAMPLES:  # every loop and number that decides something is told
        (transform,) = read([example])
        if example[0] != "affine":
            words = json.dumps(plain([transform])[0][1:]).replace('"', "").replace("[", "").replace("]", "")
            assert all(w in told(transform, program("mvt")) for w in words.split(", ") if w != "1"), example


# -- answers ----------------------------------------------------------------------------------------------------------


def test_what_is_refused_is_not_repeated() -> None:
    hostile = "<b>\u202eevil"
    for plan in ([["reverse", hostile]], [["nonsense", 1]], [["interchange", ["t", "i"]]]):
        outline, spaces = shown("jacobi-1d", *plan)
        assert spaces == () and outline.columns[1].steps == ()
        assert [n.text for n in outline.columns[1].lines] == ["refused: it is not run"]
        assert "evil" not in repr(outline) and "nonsense" not in repr(outline)
    with pytest.raises(InvalidAnswer, match="not a list of transforms"):
        pictures(instance("mvt"), b"[".ljust(ANSWER_BYTES))
    with pytest.raises(InvalidAnswer, match="bytes"):
        pictures(instance("mvt"), b"[]")


def test_the_same_answer_has_the_same_pictures() -> None:
    plan = [["tile", ["i", "j"], [8, 8]]]
    assert shown("mvt", *plan) == shown("mvt", *plan)


def test_the_task_draws_its_answers() -> None:
    from evaluators.pictures import Pictured
    from evaluators.registry import load

    task = load("polyhedral")
    assert isinstance(task, Pictured)
    assert task.pictures(instance("mvt"), padded([], ANSWER_BYTES)) == pictures(
        instance("mvt"), padded([], ANSWER_BYTES)
    )
