"""The learned cost model: its moves, features, trees, training and search; nothing here is measured for long."""

from __future__ import annotations

import itertools
import json
import math
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.polyhedral import measuring, splits
from evaluators.polyhedral.compiler import Compiler, compiler_of
from evaluators.polyhedral.learned import beam, measured, moves, sampler, training, trees
from evaluators.polyhedral.learned.features import NAMES, Around, Featurer, linear
from evaluators.polyhedral.learned.trees import Trees
from evaluators.polyhedral.program import Affine
from evaluators.polyhedral.toolchain import Failure
from evaluators.polyhedral.transforms import Interchange, RegisterTile, Skew, Tile, Vectorise, plain, read
from evaluators.polyhedral.tree import Schedule, tile_row
from evaluators.task import TaskError

KERNELS = ("gemm", "jacobi-2d", "seidel-2d", "mvt", "trmm")
GCC = SimpleNamespace(version="gcc 0 on nothing")
MACHINE = {"l1": 32768, "l2": 1048576, "l3": 33554432, "vector": 8, "registers": 32}


def kernel(name: str) -> Compiler:
    return compiler_of(splits.text_of(name), name)


@cache
def plans(name: str, count: int = 6) -> tuple[moves.Plan, ...]:
    return tuple(sampler.plans(kernel(name), KERNELS.index(name), count))


# -- moves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERNELS)
def test_sampled_plans_are_legal_different_and_always_the_same(name: str) -> None:
    found = plans(name)
    assert 3 < len(found) == len(set(found)) <= 6 and () not in found
    fresh = Compiler(kernel(name).program)  # proves anew
    assert all(fresh.verdict(p).schedule is not None for p in found)
    if name != "jacobi-2d":  # where proofs take seconds
        assert tuple(sampler.plans(fresh, KERNELS.index(name), 6)) == found
        assert next(sampler.plans(fresh, 99, 1)) != found[0]
    assert all(read(json.loads(json.dumps(plain(p)))) == p for p in found)


def test_walks_make_all_kinds_of_moves() -> None:
    kinds = Counter(type(t).__name__ for name in KERNELS for p in plans(name) for t in p)
    assert set(kinds) == {
        "Distribute", "Fuse", "Shift", "Skew", "Tile", "Interchange", "RegisterTile", "Vectorise", "Unroll",
    }  # fmt: skip


def test_a_wavefront_skews_where_it_has_to_and_shifts_what_it_fuses() -> None:
    (first, *_) = moves.wavefront(kernel("seidel-2d"), (), "S0")
    assert first[:2] == (Skew("i", "t", 1), Skew("j", "t", 1)) and isinstance(first[2], Tile)
    made = [p for p in moves.wavefront(kernel("jacobi-2d"), (), "S0") if moves.legal(kernel("jacobi-2d"), p)]
    assert made and all({type(t).__name__ for t in p} >= {"Shift", "Fuse", "Skew", "Tile"} for p in made)
    assert list(moves.wavefront(kernel("jacobi-2d"), (), "S1")) == []  # one statement asks for a chain
    tiles = [t for p in moves.wavefront(kernel("mvt"), (), "S0") for t in p]
    assert tiles and all(isinstance(t, Tile) for t in tiles), "no skew where none is needed"


def test_everything_apart_is_apart_as_far_as_that_is_legal() -> None:
    compiler = kernel("gemm")
    plan = moves.fully_apart(compiler, ())
    schedule = moves.schedule_of(compiler, plan)
    assert len(schedule.body) == 2 and all(len(n.body) == 1 for n in schedule.nests.values())
    whole = moves.fully_apart(kernel("jacobi-2d"), ())  # the time loop holds both
    assert len(moves.schedule_of(kernel("jacobi-2d"), whole).body) == 1


def test_chains_are_loops_that_hold_nothing_but_the_next() -> None:
    schedule = moves.schedule_of(kernel("gemm"), ())
    assert [n.name for n in moves.chain_of(schedule, "S1")] == ["k", "j2"]
    tiled = moves.schedule_of(kernel("gemm"), (Tile(("k", "j2"), (8, 8)), RegisterTile(("k",), (4,))))
    chain = moves.chain_of(tiled, "S1")
    assert [n.name for n in chain] == ["k.t", "j2.t", "k.r", "j2", "k"]
    pair = moves.schedule_of(kernel("jacobi-2d"), next(moves.together(kernel("jacobi-2d"), (), "S0")))
    names = [[n.name for n in moves.chain_of(pair, s)] for s in ("S0", "S1")]
    assert names == [["j"], ["j2"]], "one loop i, which holds two"
    whole = moves.fused(kernel("jacobi-2d"), (), "i", "i2", deep=True)
    assert whole is not None
    fused = moves.schedule_of(kernel("jacobi-2d"), whole)
    assert [[n.name for n in moves.chain_of(fused, s)] for s in ("S0", "S1")] == [["t", "i", "j"], []]
    assert moves.points(chain) == ("j2",) and [moves.tiled(n) for n in chain] == [
        True,
        True,
        True,
        False,
        False,
    ]


# -- features ------------------------------------------------------------------------------------------------

ROW, COLUMN, TIME = (Affine(((n, 1),)) for n in "ijt")


@pytest.mark.parametrize(
    "row, expected",
    [
        (ROW, ((1, 0, 0), 1)),
        (COLUMN.plus(TIME, 2).plus(Affine((), 7)), ((0, 1, 2), 1)),
        (ROW.times(-1), ((-1, 0, 0), 1)),
        (tile_row(ROW.plus(TIME), 32), ((1, 0, 1), 32)),
        (tile_row(ROW.plus(COLUMN, -2).plus(Affine((), -3)), 16), ((1, -2, 0), 16)),
        (tile_row(tile_row(COLUMN, 8), 4), ((0, 1, 0), 32)),
        (ROW.plus(tile_row(ROW, 4), -4), ((1, 0, 0), 1)),
    ],
)
def test_what_a_row_counts(row: Affine, expected: tuple[tuple[int, ...], int]) -> None:
    assert linear(row, ("i", "j", "t")) == expected


@pytest.mark.parametrize("name", KERNELS)
def test_features_are_finite_numbers_and_nothing_is_gained_by_nothing(name: str) -> None:
    featurer = Featurer(kernel(name), kernel(name).program.at(1), MACHINE)
    rows = np.array([featurer.vector(p) for p in [(), *plans(name)]])
    assert rows.shape[1] == len(training.FEATURES) and np.isfinite(rows).all()
    assert not rows[0, len(NAMES) : 2 * len(NAMES) + 1].any()
    assert sum(featurer.weights.values()) == pytest.approx(1)
    assert len({r.tobytes() for r in rows}) > len(rows) / 2, "plans cannot be told apart"


def test_features_tell_good_loops_from_bad_ones() -> None:
    compiler = kernel("gemm")
    featurer = Featurer(compiler, {"NI": 600, "NJ": 600, "NK": 600}, MACHINE)
    start = moves.fully_apart(compiler, ())

    def of(*more: Any) -> dict[str, float]:
        return dict(zip(training.FEATURES, featurer.vector((*start, *more)), strict=True))

    plan = of()
    column = of(Interchange(("j2", "k")))
    assert column["far"] > 0.5 > plan["far"] and column["unit"] < plan["unit"]
    assert column["estimate of all gained"] < -1 < plan["estimate of all gained"] + 0.5
    tiled = of(RegisterTile(("k",), (4,)))
    assert tiled["copies"] == pytest.approx(2, abs=0.1) and tiled["unit"] < plan["unit"]
    marked = of(Vectorise("j2"))
    assert plan["marked"] < 0.1 < 0.9 < marked["marked"] and marked["independent"] > 0.9


def test_blocks_that_fit_into_a_cache_are_fetched_less_often() -> None:
    compiler = kernel("trmm")
    statement = max(compiler.program.statements, key=lambda s: len(s.loops))
    start = moves.fully_apart(compiler, ())
    loops = [n.name for n in moves.chain_of(moves.schedule_of(compiler, start), statement.name)]
    small = {**MACHINE, "l1": 16384, "l2": 32768, "l3": 65536}
    featurer = Featurer(compiler, dict.fromkeys(compiler.program.sizes, 500), small)
    names = list(training.FEATURES)
    blocks = (*start, Tile(tuple(loops), (16,) * len(loops)))
    before, after = (featurer.vector(p) for p in (start, blocks))
    assert moves.legal(compiler, blocks) and len(loops) > 1
    for miss in ("miss1", "miss2", "miss3"):
        assert after[names.index(miss)] < before[names.index(miss)] - 1


def times(schedule: Schedule, name: str, sizes: dict[str, int], compiler: Compiler) -> list[tuple[Any, ...]]:
    """The slow way: all instances of a statement, in the order in which the schedule runs them."""
    statement = next(s for s in compiler.program.statements if s.name == name)
    inside = [str(c).replace("floor", "") for c in statement.constraints]
    points = []
    for point in itertools.product(range(max(sizes.values())), repeat=len(statement.iterators)):
        values = {**sizes, **dict(zip(statement.iterators, point, strict=True))}
        if all(eval(c, {}, values) >= 0 for c in inside):  # noqa: S307 - our own text
            rows = [re.sub(r"/(\d+)", r"//\1", str(r)) for r in schedule.time(name)]
            points.append(([eval(r, {"floor": int}, values) for r in rows], point))  # noqa: S307
    return [tuple(p) for p in sorted(points)]


@pytest.mark.parametrize(
    "more",
    [
        (),
        (Interchange(("j", "i")),),
        (Tile(("i", "j"), (4, 8)),),
        (Skew("j", "i", 1), Interchange(("j", "i"))),
        (RegisterTile(("i",), (4,)),),
        (Tile(("i", "j"), (8, 8)), Interchange(("j", "i")), RegisterTile(("j",), (2,))),
        (Skew("j", "i", 1), Tile(("i", "j"), (4, 8))),
    ],
)
def test_steps_and_trips_are_those_of_the_loops_when_they_run(more: moves.Plan) -> None:
    text = (
        "N = size(16)\nA = array(N, N)\nfor i in range(N):\n    for j in range(N):\n        A[i, j] *= 1.5\n"
    )
    compiler = compiler_of(text, "flat")
    schedule = moves.schedule_of(compiler, more)
    ordered = times(schedule, "S0", {"N": 16}, compiler)
    assert len(ordered) == 256
    around = Around(schedule.loops_of("S0"), "S0", ("i", "j"), [16.0, 16.0])
    last = len(around.steps) - 1
    steps, runs = Counter[tuple[int, ...]](), 1
    for (a, p), (b, q) in itertools.pairwise(ordered):
        if a[: 2 * last + 1] == b[: 2 * last + 1]:
            steps[tuple(y - x for x, y in zip(p, q, strict=True))] += 1
        else:
            runs += 1
    assert steps.most_common(1)[0][0] == pytest.approx(tuple(around.direction(last)))
    if any(
        isinstance(t, Skew) for t in more
    ):  # loops are shorter at the corners, which the features do not see
        assert 256 / runs <= around.steps[-1].trip <= 2.5 * 256 / runs
    else:
        assert around.steps[-1].trip == pytest.approx(256 / runs)


# -- trees ---------------------------------------------------------------------------------------------------


def stump(name: str, threshold: float, low: float, high: float) -> Trees:
    """One tree: ``low`` where a feature is at most the threshold, else ``high``."""
    return Trees(
        names=np.array(training.FEATURES),
        feature=np.array([training.FEATURES.index(name), -1, -1], np.int32),
        threshold=np.array([threshold, 0.0, 0.0]),
        left=np.array([1, 0, 0], np.int32),
        right=np.array([2, 0, 0], np.int32),
        value=np.array([0.0, low, high]),
        roots=np.array([0], np.int32),
        start=np.array([0.0]),
    )


def slow(model: Trees, row: Sequence[float]) -> float:
    """A prediction, one node after the other."""
    total = float(model.start[0])
    for node in model.roots.tolist():
        while model.feature[node] >= 0:
            below = np.float32(row[model.feature[node]]) <= model.threshold[node]
            node = int(model.left[node] if below else model.right[node])
        total += float(model.value[node])
    return total


@cache
def fitted() -> tuple[Any, Trees]:
    pytest.importorskip("sklearn")
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(400, 5))
    targets = rows[:, 0] * rows[:, 1] + np.sin(3 * rows[:, 2])
    model = training.model(rows, targets)
    return model, trees.exported("abcde", model)


@settings(max_examples=15)
@given(st.lists(st.lists(st.floats(-4, 4, width=32), min_size=5, max_size=5), min_size=1, max_size=3))
def test_the_arrays_predict_what_scikit_learn_does(rows: list[list[float]]) -> None:
    model, own = fitted()
    found = own.predict(np.array(rows))
    assert found == pytest.approx(model.predict(np.array(rows)), abs=1e-12)
    assert found == pytest.approx([slow(own, r) for r in rows], abs=1e-12)


def test_values_at_a_threshold_go_the_same_way() -> None:
    """Thresholds lie between float32 values; the float64 on its other side must not go elsewhere."""
    model, own = fitted()
    inner = own.feature >= 0
    rows = np.zeros((int(inner.sum()), 5))
    rows[np.arange(len(rows)), own.feature[inner]] = own.threshold[inner]
    for shift in (0.0, 1e-9, -1e-9):
        assert own.predict(rows + shift) == pytest.approx(model.predict(rows + shift), abs=1e-12)


def test_a_file_holds_the_same_trees(tmp_path: Path) -> None:
    own = replace(stump("copies", 1.0, -1.0, 2.0), ranking=np.array([0.5, 0.25]))
    own.save(tmp_path / "model.npz")
    back = trees.load(tmp_path / "model.npz", training.FEATURES)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    assert back.ranking.tolist() == [0.5, 0.25]
    rows = np.zeros((2, len(training.FEATURES)))
    rows[1, training.FEATURES.index("copies")] = 1.5
    assert back.predict(rows).tolist() == own.predict(rows).tolist() == [-1.0, 2.0]


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    def refused(name: str, said: str) -> None:
        with pytest.raises(TaskError, match=said) as error:
            trees.load(tmp_path / name, training.FEATURES)
        assert name in str(error.value)

    refused("missing.npz", "cannot be read")
    (tmp_path / "text.npz").write_text("hello")
    refused("text.npz", "no model")
    np.savez(tmp_path / "other.npz", feature=np.zeros(3))
    refused("other.npz", "no model")
    np.savez(tmp_path / "pickle.npz", names=np.array([{"a": 1}], dtype=object))
    refused("pickle.npz", "no model")
    fitted()[1].save(tmp_path / "older.npz")
    refused("older.npz", "other features")


# -- measurements and training -------------------------------------------------------------------------------


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Speeds by a formula of the text in place of measurements; what was asked for."""
    asked: list[str] = []

    def speed(_program: Any, _sizes: Any, text: str, *_: Any, **__: Any) -> measuring.Speed:
        asked.append(text)
        if len(text) % 17 == 3:
            raise Failure("late")
        return measuring.Speed(2.0 ** (text.count("ivdep") - 0.3 * text.count("floord") / 4))

    monkeypatch.setattr(measuring, "speed", speed)
    return asked


def collected(path: Path, over: Callable[[], bool] = lambda: False, count: int = 2) -> list[measured.Sample]:
    return measured.collect(
        path,
        GCC,
        count=count,
        schedules=4,
        over=over,
        say=lambda _: None,  # type: ignore[arg-type]
    )


def test_measurements_go_on_where_they_were_stopped(tmp_path: Path, timed: list[str]) -> None:
    whole = collected(tmp_path / "whole")
    assert {s.program for s in whole} == set(measured.programs(2)) and len(timed) > 4
    assert all((s.plan == ()) == (s.ratio == 1.0 and s.plan == ()) for s in whole)
    assert sum(s.plan == () for s in whole) == 2, "each program counts as it was written, too"
    calls = iter(range(100))
    part = collected(tmp_path / "parts", lambda: next(calls) >= 4)
    assert 0 < len(part) < len(whole)
    with (tmp_path / "parts").open("a") as file:
        file.write('{"program": 1000, "pl')  # killed in the middle of a line
    timed.clear()
    assert {s.line() for s in collected(tmp_path / "parts")} == {s.line() for s in whole}
    assert 0 < len(timed) < len(whole), "what was known is measured again"
    assert measured.load(tmp_path / "parts", GCC.version) == collected(tmp_path / "parts")


def test_training_programs_are_those_of_no_split() -> None:
    numbers = list(measured.programs(30))
    assert numbers == sorted(set(numbers)) and numbers[0] >= splits.TRAINING
    assert all(len(measured.program(n).program.statements) <= measured.MOST_STATEMENTS for n in numbers[:5])
    used = {p.program for s in ("screen", "search", "look", "report", "final") for p in splits.places(s)}
    assert not used & {f"random-{n}" for n in numbers}


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"machine": "another"}\n', "line 1: measured with another, not with gcc 0 on nothing"),
        ("[]\n", "line 1: expected the machine"),
        ('{"machine": "gcc 0 on nothing"}\n{"program": 1, "plan": [["tile"]], "ratio": 1}\n', "line 2"),
        (
            '{"machine": "gcc 0 on nothing"}\n{"program": 1, "plan": [], "ratio": -1}\n',
            "line 2: not a measured",
        ),
        (
            '{"machine": "gcc 0 on nothing"}\n{"program": 1, "plan": [], "ratio": NaN}\n',
            "line 2: not a measured",
        ),
        ('{"machine": "gcc 0 on nothing"}\n\n', "line 2"),
    ],
)
def test_a_file_that_holds_no_measurements_of_this_machine(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "data").write_text(text)
    with pytest.raises(TaskError, match=said) as error:
        measured.load(tmp_path / "data", GCC.version)
    assert "\n" not in str(error.value)


def test_training_from_measurements_to_a_model(
    tmp_path: Path, timed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr(training, "FOLDS", 2)
    monkeypatch.setattr(training, "LEAST", 8)
    said: list[str] = []

    def train(name: str) -> training.Training:
        return training.train(
            tmp_path / name,
            GCC,
            programs=training.LEAST,
            schedules=6,
            over=lambda: False,
            say=said.append,  # type: ignore[arg-type]
        )

    made = train("a.npz")
    ranks = {f.name: f.value for f in made.figures}
    assert ranks["programs"] == training.LEAST and -1 <= ranks["Spearman, held-out programs"] <= 1
    assert all(math.isfinite(v) for v in ranks.values()), "no JSON could be made of it"
    assert said[-1].startswith("fitting") and (tmp_path / "a.jsonl").exists()
    model = trees.load(made.file, training.FEATURES)
    assert [v for v in model.ranking if math.isfinite(v)] == [v for n, v in ranks.items() if n != "programs"]
    kept = measured.usable(measured.load(tmp_path / "a.jsonl", GCC.version))
    told = [math.log2(s.ratio or 1.0) for s in kept]
    assert np.corrcoef(model.predict(training.features(kept)), told)[0, 1] > 0.8, "fitted to something else"
    timed.clear()
    again = train("a.npz")
    assert again.samples == made.samples and again.figures == made.figures
    same = trees.load(again.file, training.FEATURES)
    assert same.value.tolist() == model.value.tolist() and same.threshold.tolist() == model.threshold.tolist()


def test_too_little_to_train_on(tmp_path: Path, timed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def train() -> training.Training:
        return training.train(
            tmp_path / "m.npz",
            GCC,
            programs=1,
            schedules=2,
            over=lambda: False,
            say=lambda _: None,  # type: ignore[arg-type]
        )

    pytest.importorskip("sklearn")
    with pytest.raises(TaskError, match="1 programs are measured and 10 are the least"):
        train()
    assert not (tmp_path / "m.npz").exists() and (tmp_path / "m.jsonl").exists()
    timed.clear()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(TaskError, match=re.escape("discover-heuristics[learned]")):
        train()
    assert not timed, "minutes of measuring before it says that it cannot fit"


def test_there_may_be_no_ranks() -> None:
    pytest.importorskip("sklearn")
    samples = [measured.Sample(n, (), 1.0) for n in range(10)]
    found = training.ranked(samples, np.zeros((10, len(training.FEATURES))))
    assert math.isnan(found.overall) and math.isnan(found.within)


def test_ranks_are_of_programs_that_the_trees_have_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[float]] = []
    samples = [
        measured.Sample(n, (), 2.0 ** random.Random(7 * n + k).random()) for n in range(12) for k in range(4)
    ]
    rows = np.array([[float(s.program), math.log2(s.ratio or 1)] for s in samples])

    def fitted(given: Any, _: Any) -> Any:
        seen.append(set(given[:, 0]))
        return SimpleNamespace(predict=lambda held: _checked(seen[-1], held))

    def _checked(known: set[float], held: Any) -> Any:
        assert not known & set(held[:, 0]) and len(held)
        return held[:, 1]

    monkeypatch.setattr(training, "fitted", fitted)
    found = training.ranked(samples, rows)
    assert len(seen) == training.FOLDS and found.overall == pytest.approx(1) == found.within
    monkeypatch.setattr(training, "fitted", lambda *_: SimpleNamespace(predict=lambda held: -held[:, 1]))
    assert training.ranked(samples, rows).within == pytest.approx(-1)


# -- search --------------------------------------------------------------------------------------------------


def test_the_search_finds_what_the_model_likes_and_only_what_is_legal() -> None:
    compiler = kernel("gemm")
    sizes = compiler.program.at(1)
    found = beam.search(compiler, sizes, stump("copies", 3.0, 0.0, 1.0))
    assert found.ratio == 2.0 and moves.legal(compiler, found.plan)
    assert math.prod(f for t in found.plan if isinstance(t, RegisterTile) for f in t.factors) >= 8
    assert beam.search(Compiler(compiler.program), sizes, stump("copies", 3.0, 0.0, 1.0)) == found
    assert beam.search(compiler, sizes, stump("copies", 3.0, 0.0, 0.05)) == beam.Found((), 1.0)
    assert beam.search(compiler, sizes, stump("copies", 3.0, 0.0, -1.0)).plan == ()


def test_the_search_builds_on_what_the_model_likes() -> None:
    """Two trees, each pleased by a move of another stage: both moves are in the plan that is found."""
    one, two = stump("tiles", 1.5, 0.0, 1.0), stump("copies", 1.5, 0.0, 1.0)
    both = replace(
        one,
        **{n: np.concatenate([getattr(one, n), getattr(two, n)]) for n in ("feature", "threshold", "value")},
        left=np.array([1, 0, 0, 4, 0, 0], np.int32),
        right=np.array([2, 0, 0, 5, 0, 0], np.int32),
        roots=np.array([0, 3], np.int32),
    )
    compiler = kernel("gemm")
    assert beam.search(compiler, compiler.program.at(1), both, width=1).ratio == 4.0


def test_the_search_leaves_out_what_is_illegal() -> None:
    """Most orders of this program are; none may be looked at, however well the model thinks of it."""
    compiler = kernel("seidel-2d")
    found = beam.search(compiler, compiler.program.at(1), stump("second", -1e9, 0.0, 1.0))
    assert moves.legal(compiler, found.plan)


def test_a_wider_beam_finds_no_less() -> None:
    compiler = kernel("mvt")
    model = beam.model_of("")
    narrow, wide = (beam.search(compiler, compiler.program.at(1), model, width=w) for w in (1, 4))
    assert wide.ratio >= narrow.ratio >= 1.0


@pytest.mark.parametrize("name", ["mvt", "seidel-2d"])
def test_the_model_that_ships(name: str) -> None:
    model = beam.model_of("")
    assert 0.6 < model.ranking[0] <= 1 and 0.5 < model.ranking[1] <= 1
    assert beam.SHIPPED.stat().st_size < 500_000
    found = beam.search(kernel(name), kernel(name).program.at(1), model)
    assert found.plan and moves.legal(kernel(name), found.plan) and found.ratio > 1.0


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_predicting_needs_no_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    beam.model_of.cache_clear()
    compiler = kernel("trmm")
    assert moves.legal(compiler, beam.search(compiler, compiler.program.at(1), beam.model_of("")).plan)


def test_a_file_that_is_not_ours_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text('{"mine": 1}')
    with pytest.raises(TaskError, match="line 1"):
        measured.load(tmp_path / "notes.jsonl", GCC.version)
    assert (tmp_path / "notes.jsonl").read_text() == '{"mine": 1}'


def test_files_that_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.save(tmp_path / "array.npy", np.arange(3))
    path.write_bytes((tmp_path / "array.npy").read_bytes())
    shipped = trees.load(beam.SHIPPED, training.FEATURES)
    with pytest.raises(TaskError, match="no model"):
        trees.load(path, training.FEATURES)
    inner = int(np.flatnonzero(shipped.feature >= 0)[0])
    for name, value in (("left", inner), ("left", len(shipped.left)), ("feature", len(training.FEATURES))):
        broken = getattr(shipped, name).copy()
        broken[inner] = value
        replace(shipped, **{name: broken}).save(path)
        with pytest.raises(TaskError, match="no model"):
            trees.load(path, training.FEATURES)
