"""What knows the whole program: CP-SAT, the tree search and repacking, against all mappings of tiny programs."""

from __future__ import annotations

import builtins
from typing import Any

import mapping_oracle as oracle
import pytest
from hypothesis import given, settings
from mapping_oracle import programs

from evaluators.memory.mapping import exact, mcts, repacking
from evaluators.memory.mapping.bound import lower_bound
from evaluators.memory.mapping.game import Game
from evaluators.memory.mapping.instances import FAMILIES, Spec, generate
from evaluators.memory.mapping.program import INPUT, Buffer, Machine, Program, encode
from evaluators.memory.mapping.proving import SOLVERS, prove
from evaluators.memory.mapping.referee import judge, replay
from evaluators.memory.mapping.simulator import logged
from evaluators.memory.mapping.splits import instance
from evaluators.registry import load
from evaluators.task import InstanceSet, TaskError

TASK: Any = load("memory-map")


SMALL = (
    # What is kept twice stays at its address: 0, 1 and 2 lie beside one another in turn.
    Program(
        Machine(6, 1, 12, 1),
        (0,) * 6,
        (
            Buffer(2, 0, (1, 3, 5)),
            Buffer(2, 0, (2,)),
            Buffer(2, 1, (3, 4)),
            Buffer(2, 2, (5,)),
            Buffer(2, 4, (5,)),
        ),
    ),
    # Two copies wait for one engine.
    Program(Machine(9, 1, 9, 2), (3, 3, 3), (Buffer(4, INPUT, (1,)), Buffer(4, INPUT, (2,)))),
    Program(Machine(9, 1, 9, 1), (2, 2, 2), (Buffer(4, INPUT, (2,)), Buffer(4, INPUT, (2,)))),
)


@pytest.mark.parametrize("program", SMALL)
def test_cp_sat_keeps_addresses_and_the_order_of_the_engine(program: Program) -> None:
    pytest.importorskip("ortools")
    found = exact.solve(program, 20.0)
    assert found.decisions is not None
    assert valid(program, exact.replayed(program, found.decisions)) == found.bound == oracle.optimum(program)


def every_game(game: Game) -> int:
    """The shortest run time of all plays, by trying every move."""
    if game.segment is None:
        return game.run_time
    best = game.run_time
    for action in game.actions():
        other = game.copy()
        other.move(action)
        best = min(best, every_game(other))
    return best


def valid(program: Program, game: Game) -> int:
    """The run time of a finished game as the referee finds it."""
    found = replay(program, logged(game)).run_time
    assert found == game.run_time
    return found


@given(programs(5, 3, 8))
@settings(max_examples=60, deadline=None)
def test_cp_sat_finds_the_optimum_of_all_mappings(program: Program) -> None:
    pytest.importorskip("ortools")
    found = exact.solve(program, 20.0)
    best = oracle.optimum(program)
    assert found.bound == best and found.decisions is not None
    assert valid(program, exact.replayed(program, found.decisions)) == best


@given(programs(5, 3, 8))
@settings(max_examples=60, deadline=None)
def test_best_fit_comes_no_lower_than_free_addresses_and_the_search_no_lower_than_all_games(
    program: Program,
) -> None:
    best, all_games = oracle.optimum(program), every_game(Game(program))
    found = valid(program, mcts.play(program, nodes=200, horizon=10))
    assert best <= all_games <= found <= program.all_slow


def test_the_search_finds_the_best_game_of_small_programs() -> None:
    """With nodes enough for most of the tree."""
    for seed in range(4):
        program = generate(Spec("training", "tight", 8, seed))
        small = Program(program.machine, program.compute[:5], tuple(_cut(program, 5)))
        assert mcts.play(small, nodes=400, horizon=10).run_time == every_game(Game(small))


def _cut(program: Program, ops: int) -> list[Buffer]:
    """The buffers of the first operations."""
    return [
        Buffer(b.size, b.producer, tuple(u for u in b.uses if u < ops), b.output)
        for b in program.buffers
        if b.producer < ops and (b.producer != INPUT or b.uses[0] < ops)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_references_are_mappings_and_mostly_better_than_the_greedy_rule(family: str) -> None:
    program = generate(Spec(family, "roomy", 40, 3))
    greedy = mcts.plain(program, 0.0)
    greedy.finished()
    searched = mcts.play(program, nodes=6)
    packed = repacking.play(program)
    assert lower_bound(program) <= valid(program, searched) <= valid(program, greedy)
    assert valid(program, packed) < program.all_slow
    assert repacking.run_time(program, [code for code, _ in packed.log]) == packed.run_time


def test_the_search_is_the_same_each_time_and_its_seed_matters() -> None:
    program = generate(Spec("batches", "tight", 40, 5))
    logs = [mcts.play(program, nodes=6, seed=seed).log for seed in (1, 1, 2, 3)]
    assert logs[0] == logs[1] and len({tuple(log) for log in logs}) > 1


def test_repacking_makes_room() -> None:
    """Of 10 bytes 4 in the middle are taken, so that 5 more find no hole until all are packed anew."""
    stay = repacking.Stay
    there, more = stay(0, 4, 4, (0,)), stay(2, 4, 5, (1,))
    assert repacking.packed(10, [there, more], {there: 3}) == {there: 0, more: 4}
    assert repacking.packed(10, [there, stay(5, 6, 10, (1,))], {there: 3}) == {
        there: 3,
        stay(5, 6, 10, (1,)): 0,
    }
    assert repacking.packed(8, [there, more], {there: 3}) is None
    after = stay(4, 6, 6, (1,))  # shares operation 4 with the first
    assert repacking.packed(9, [there, after], {there: 0}) is None


# -- proofs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_proofs_hold_what_they_say(solver: str) -> None:
    pytest.importorskip("ortools")
    made = [generate(Spec(family, "roomy", 12, 2)) for family in ("conv", "training")]
    instances = InstanceSet("mine", tuple(instance(f"p{k}", "mine", p) for k, p in enumerate(made)))
    proofs = list(prove(instances, solver, 30.0))
    assert [p.id for p in proofs] == ["p0", "p1"]
    for proof, one in zip(proofs, instances, strict=True):
        assert proof.value is not None and proof.bound is not None and one.reference is not None
        assert one.reference <= proof.bound <= proof.value
        assert (proof.status == "proved") == (proof.bound == proof.value) == (proof.optimum is not None)
        if solver == "exact":
            assert proof.status == "proved" and proof.gap == 0


def test_what_is_no_solver_and_no_limit_is_told() -> None:
    instances = InstanceSet("mine", ())
    with pytest.raises(TaskError, match="unknown solver 'x'; expected one of exact, mcts"):
        TASK.prove(instances, "x", 1.0)
    with pytest.raises(TaskError, match="expected a positive number"):
        TASK.prove(instances, "exact", 0.0)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(name: str, *more: Any) -> Any:
        if name.startswith("ortools"):
            raise ImportError(name)
        return imported(name, *more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    program = Program(Machine(4, 1, 2, 1), (1, 1), (Buffer(1, 0, (1,)),))
    with pytest.raises(TaskError, match="install the extra cpsat"):
        exact.solve(program, 1.0)
    assert encode(program) and judge(instance("a", "b", program), logged(mcts.play(program))).value > 0


def test_what_is_too_large_is_not_tried() -> None:
    pytest.importorskip("ortools")
    buffers = tuple(Buffer(1, op, (op + 1,)) for op in range(exact.LARGEST + 1))
    program = Program(Machine(4, 1, 2, 1), (1,) * (len(buffers) + 1), buffers)
    assert exact.solve(program, 1.0) == exact.Found(0, None)
