"""The mapping game: simulator, views, referee and bound, each against its definition in plain Python."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import mapping_oracle as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_oracle import programs

from discovery.execution.lockstep import functions
from discovery.sandbox.replicas import Replicas
from evaluators.memory.mapping.bound import lower_bound
from evaluators.memory.mapping.game import KEEP, NOWHERE, SLOW, WINDOWS, Game
from evaluators.memory.mapping.program import INPUT, Buffer, Machine, Program, decode, encode, wrong
from evaluators.memory.mapping.referee import FIELDS, judge, left, log_bytes, replay
from evaluators.memory.mapping.simulator import density, likely_first, logged, simulate
from evaluators.memory.mapping.splits import instance
from evaluators.registry import load
from evaluators.task import ImpossibleAnswer, InvalidAnswer, TaskError, aggregate

TASK = load("memory-map")
NAMES = [a.name for a in TASK.interface.arguments]
ARRAYS = [a.name for a in TASK.interface.arguments if a.length]
Policy = Callable[..., Any]


def played(program: Program, policy: Policy) -> bytes:
    """The event log of a policy."""
    replicas = Replicas(functions(TASK.interface), lambda: (policy,))
    return replicas.simulate(simulate, encode(program))


def baseline(name: str) -> Policy:
    path = TASK.baselines()[name].path
    assert path is not None
    found: Policy = runpy.run_path(str(path))["place"]
    return found


def numbers(log: bytes) -> list[int]:
    return np.frombuffer(log, "<i8").tolist()


def codes_of(program: Program, log: bytes) -> list[int]:
    return numbers(log)[: FIELDS * len(program.segments) : FIELDS]


# -- programs ---------------------------------------------------------------------------------------------------------


@given(programs())
def test_a_program_comes_back_from_its_payload(program: Program) -> None:
    assert decode(encode(program)) == program and wrong(program.compute, program.buffers) is None


@given(programs())
def test_segments_are_decided_by_use_then_by_buffer(program: Program) -> None:
    assert [(s.buffer, s.before, s.use) for s in program.segments] == oracle.order(program)
    assert all(s.last == (s.use == max(program.buffers[s.buffer].uses)) for s in program.segments)


@given(programs())
def test_everything_in_slow_memory_takes_what_the_definition_says(program: Program) -> None:
    codes = [SLOW] * len(program.segments)
    assert program.all_slow == oracle.times(program, codes)[-1][1]
    assert list(program.slow_bytes) == oracle.traffic(program, codes)[0]


@pytest.mark.parametrize(
    ("compute", "buffers", "reason"),
    [
        ([], [Buffer(1, 0, ())], "0 operations; expected 1 to"),
        ([1], [], "0 buffers; expected 1 to"),
        ([-1], [Buffer(1, 0, ())], "operation 0 computes for -1 ns"),
        ([10**13], [Buffer(1, 0, ())], "operation 0 computes for 10000000000000 ns"),
        ([1], [Buffer(0, 0, ())], "buffer 0 has the size 0"),
        ([1], [Buffer(1, 1, ())], "buffer 0 is written by operation 1, which there is not"),
        ([1, 1], [Buffer(1, 0, (2,))], "buffer 0 is read by operation 2, which there is not"),
        ([1, 1], [Buffer(1, 1, (0,))], "buffer 0 is read by operation 0, but written by operation 1"),
        ([1, 1], [Buffer(1, 0, (0,))], "buffer 0 is read by operation 0, but written by operation 0"),
        (
            [1, 1],
            [Buffer(1, INPUT, (1, 1))],
            "read by operation 1, but read before by operation 1; uses must rise",
        ),
        ([1] * 4001, [Buffer(1, 0, ())], "4001 operations"),
    ],
)
def test_programs_that_are_none(compute: list[int], buffers: list[Buffer], reason: str) -> None:
    assert reason in str(wrong(compute, buffers))


# -- the simulator ----------------------------------------------------------------------------------------------------


def slowly(program: Program, policy: Policy) -> list[tuple[int, int]]:
    """(code, offset) of each segment by the words of the interface, with a map of single bytes."""
    segments = oracle.order(program)
    machine = program.machine
    held: dict[int, set[int]] = {op: set() for op in range(len(program.compute))}
    decided: list[tuple[int, int]] = []

    def rest(code: int) -> list[int]:
        return [*(c for c, _ in decided), code, *[SLOW] * (len(segments) - len(decided) - 1)]

    for at, (number, before, use) in enumerate(segments):
        buffer = program.buffers[number]
        was = next(
            (decided[k] for k, s in enumerate(segments[:at]) if s[0] == number and s[2] == before),
            (SLOW, NOWHERE),
        )
        actions: list[tuple[int, int, int, int]] = [(SLOW, NOWHERE, 0, use + 1)]
        for code in (KEEP, *WINDOWS):
            first = before if code == KEEP else use - code
            if (code == KEEP and before == INPUT) or (code > 0 and first <= before):
                continue
            chained = code == KEEP and was[0] != SLOW
            first += chained
            free = [
                a not in set().union(*(held[op] for op in range(first, use + 1)))
                for a in range(machine.capacity)
            ]
            holes, bottom = [], None
            for address in range(machine.capacity + 1):
                if address < machine.capacity and free[address]:
                    bottom = address if bottom is None else bottom
                elif bottom is not None:
                    holes.append((address - bottom, bottom))
                    bottom = None
            fitting = [h for h in holes if h[0] >= buffer.size]
            if chained:
                fitting = [h for h in holes if h[1] <= was[1] and was[1] + buffer.size <= sum(h)]
            if fitting:
                hole, lowest = min(fitting)
                actions.append((code, was[1] if chained else lowest, hole - buffer.size, first))
        best = actions[0]
        if len(actions) > 1:
            runs = [oracle.times(program, rest(code)) for code, *_ in actions]
            ops = [range(first, use + 1) for *_, first in actions]
            slow, fast = oracle.traffic(program, rest(SLOW))
            rivals = [
                program.buffers[s.buffer].size
                for s in program.segments[at + 1 :]
                if density(program, s) > density(program, program.segments[at]) and likely_first(s) <= use
            ]
            unwritten = buffer.producer != INPUT and all(
                decided[k][0] == KEEP for k, s in enumerate(segments[:at]) if s[0] == number
            )
            after = [u for u in buffer.uses if u > use]
            view = {
                "saved": [runs[0][-1][1] - run[-1][1] for run in runs],
                "stall": [run[use][0] - (run[use - 1][1] if use else 0) for run in runs],
                "held": [run[use][1] - run[o.start][0] if o else 0 for run, o in zip(runs, ops, strict=True)],
                "ahead": [len(o) for o in ops],
                "room": [machine.capacity - max(len(held[op]) for op in (o or [use])) for o in ops],
                "spare": [spare for _, _, spare, _ in actions],
                "copied": [code > 0 for code, *_ in actions],
                "size": buffer.size,
                "fetch": oracle.up(buffer.size, machine.copy),
                "excess": oracle.up(slow[use], machine.slow)
                - max(program.compute[use], oracle.up(fast[use], machine.fast)),
                "crowd": sum(rivals),
                "later": len(after),
                "distance": after[0] - use if after else 0,
                "unwritten": int(unwritten),
                "capacity": machine.capacity,
            }
            assert list(view) == NAMES
            worth = policy(*(np.array(view[n]) if n in ARRAYS else view[n] for n in NAMES))
            best = actions[int(np.argmax(worth))]
        code, offset, _, first = best
        if code != SLOW:
            for op in range(first, use + 1):
                held[op] |= set(range(offset, offset + buffer.size))
        decided.append((code, offset))
    return decided


def mixing(weights: Sequence[int]) -> Policy:
    """A policy that lets every number of the view decide."""

    def place(*view: Any) -> Any:
        total = sum(w * np.asarray(v, np.float64) for w, v in zip(weights, view, strict=True))
        return total % 7 + np.arange(len(view[0])) / 8

    return place


@given(programs(8, 7), st.lists(st.integers(-9, 9), min_size=len(NAMES), max_size=len(NAMES)))
@settings(max_examples=150, deadline=None)
def test_the_simulator_does_what_the_interface_says(program: Program, weights: list[int]) -> None:
    log = played(program, mixing(weights))
    slow = slowly(program, mixing(weights))
    found = numbers(log)
    assert list(zip(codes_of(program, log), found[1::FIELDS], strict=False)) == slow
    ends = oracle.times(program, [code for code, _ in slow])
    assert found[FIELDS * len(slow) :] == [time for pair in ends for time in pair]


@given(programs(8, 7), st.lists(st.integers(-9, 9), min_size=len(NAMES), max_size=len(NAMES)))
@settings(max_examples=100, deadline=None)
def test_the_referee_takes_every_log_of_the_simulator_and_finds_its_time(
    program: Program, weights: list[int]
) -> None:
    log = played(program, mixing(weights))
    found = replay(program, log)
    codes = codes_of(program, log)
    assert found.run_time == oracle.times(program, codes)[-1][1]
    assert [list(found.slow), list(found.fast)] == list(oracle.traffic(program, codes))


@given(programs(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_run_time_is_known_at_any_moment(program: Program, data: st.DataObject) -> None:
    """It is that of the definition with all that is not decided in slow memory; trials and copies change nothing."""
    game = Game(program)
    while game.segment is not None:
        actions = game.actions()
        for action in actions:
            other = game.copy()
            other.move(action)
            codes = [code for code, _ in other.log]
            codes += [SLOW] * (len(program.segments) - len(codes))
            assert other.run_time == oracle.times(program, codes)[-1][1]
            outcome = game.trial(action)
            assert outcome.end == other.ends[program.segments[len(game.log)].use]
        game.move(data.draw(st.sampled_from(actions)))
    before = game.run_time
    game.finished()
    assert game.run_time == before == numbers(logged(game))[-1]


def test_a_late_copy_stalls_and_an_early_one_does_not() -> None:
    """Two operations of 10 ns, then one that reads 60 bytes: the engine takes 30 ns for them, slow memory 60."""
    program = Program(Machine(100, 1, 100, 2), (10, 10, 0), (Buffer(60, INPUT, (2,)),))
    ends = {}
    for code in (SLOW, 1, 2):
        log = played(program, lambda *v, c=code: -abs(np.where(v[6], v[3] - 1, 0) - c))
        ends[code] = numbers(log)[FIELDS:]
    assert ends[SLOW] == [0, 10, 10, 20, 20, 80]
    assert ends[1] == [0, 10, 10, 20, 40, 41], "issued at 10, there at 40"
    assert ends[2] == [0, 10, 10, 20, 30, 31]


def test_copies_wait_for_one_another() -> None:
    program = Program(Machine(100, 1, 100, 1), (5, 5, 0), (Buffer(20, INPUT, (1,)), Buffer(30, INPUT, (2,))))
    log = played(program, lambda *v: v[3])
    assert numbers(log)[:8] == [1, 0, 0, 20, 2, 20, 20, 50]
    assert numbers(log)[8:] == [0, 5, 20, 25, 50, 51]


def test_what_is_kept_is_written_by_the_last_operation_that_has_it() -> None:
    """Written by 0, read by 1 and 3, and an output: kept to its first use it is written by 1, kept on by 3."""
    program = Program(Machine(10, 1, 10, 1), (1, 1, 1, 1), (Buffer(6, 0, (1, 3), True),))
    never, once, ever = (
        replay(program, played(program, policy))
        for policy in (baseline("trivial"), lambda *v: v[3] * (v[11] > 0), lambda *v: v[3] * ~v[6])
    )
    assert never.slow == (6, 6, 0, 6) and never.fast == (0, 0, 0, 0)
    assert once.slow == (0, 6, 0, 6) and once.fast == (6, 6, 0, 0)
    assert ever.slow == (0, 0, 0, 6) and ever.fast == (6, 6, 0, 6)


def test_a_hole_is_the_smallest_and_what_stays_keeps_its_address() -> None:
    """At operation 2 the holes are 0-3 (after a) and 5-10; two bytes go into the first although the second is free."""
    program = Program(
        Machine(10, 1, 10, 1),
        (1,) * 4,
        (Buffer(3, 0, (1,)), Buffer(2, 0, (1, 3)), Buffer(2, 2, (3,))),
    )
    log = played(program, lambda *v: v[3] * ~v[6])
    assert numbers(log)[1 : 4 * FIELDS : FIELDS] == [0, 3, 3, 0]


@pytest.mark.parametrize(
    "policy",
    [
        lambda *v: v[0] * np.nan,
        lambda *v: v[0] + np.inf,
        lambda *v: v[0][:-1],
        lambda *v: np.append(v[0], 1.0),
        lambda *_: None,
        lambda *v: v[0].astype(complex),
        lambda *v: v[0][:, None],
    ],
)
def test_replies_that_are_none_are_refused(policy: Policy) -> None:
    with pytest.raises((ValueError, TypeError)):
        played(CHAIN, policy)


# -- the referee ------------------------------------------------------------------------------------------------------

CHAIN = Program(
    Machine(10, 1, 10, 2),
    (3, 3, 3, 3),
    (Buffer(6, 0, (1, 3)), Buffer(4, INPUT, (2,)), Buffer(5, INPUT, (3,))),
)
GOOD = [
    *(KEEP, 0, 0, 0),  # buffer 0 for 1
    *(1, 6, 3, 5),  # buffer 1 for 2
    *(KEEP, 0, 0, 0),  # buffer 0 for 3
    *(SLOW, NOWHERE, 0, 0),  # buffer 2 for 3
    *(0, 3, 3, 6, 6, 9, 9, 14),
]


def logs(changes: dict[int, int]) -> bytes:
    found = list(GOOD)
    for at, value in changes.items():
        found[at] = value
    return np.array(found, "<i8").tobytes()


def test_a_log_is_replayed() -> None:
    found = judge(instance("one", "user", CHAIN), logs({}))
    assert found.value == 14 and CHAIN.all_slow == 3 + 3 + 3 + 3 + 3 + 3 + 1 + 8
    least = lower_bound(CHAIN)
    assert found.score == pytest.approx(100 * (14 - least) / (CHAIN.all_slow - least))
    assert left(80, 80, 20) == 100 and left(80, 20, 20) == 0 and left(20, 20, 20) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({0: 3}, "buffer 0 for operation 1: there is no action 3"),
        ({0: -2}, "there is no action -2"),
        ({4: KEEP, 6: 0, 7: 0}, "buffer 1 for operation 2: an input cannot be kept before it was read"),
        ({4: 4}, "buffer 1 for operation 2: a copy 4 operations ahead begins before the last access"),
        ({8: 2}, "buffer 0 for operation 3: a copy 2 operations ahead begins before the last access"),
        ({13: 0}, "buffer 2 for operation 3: it is in slow memory, yet has an address"),
        ({1: -1}, "buffer 0 for operation 1: it does not lie within the fast memory"),
        ({5: 7}, "buffer 1 for operation 2: it does not lie within the fast memory"),
        ({2: 1}, "buffer 0 for operation 1: it is not copied, yet a copy has times"),
        ({9: 1}, "buffer 0 for operation 3: it is kept, yet at another address"),
        ({5: 5}, "at operation 1 two buffers overlap in fast memory, at the addresses 0 and 5"),
        ({6: 2, 7: 4}, "buffer 1 for operation 2: its copy takes the engine from 3 to 5 ns"),
        ({7: 4}, "buffer 1 for operation 2: its copy takes the engine from 3 to 5 ns"),
        ({16: 1}, "operation 0 begins at 0 ns, the log says otherwise"),
        ({17: 2}, "operation 0 ends at 3 ns, the log says otherwise"),
        ({23: 13}, "operation 3 ends at 14 ns, the log says otherwise"),
        ({22: 10, 23: 15}, "operation 3 begins at 9 ns, the log says otherwise"),
    ],
)
def test_logs_that_cannot_be(changes: dict[int, int], reason: str) -> None:
    with pytest.raises(InvalidAnswer, match=reason):
        judge(instance("one", "user", CHAIN), logs(changes))


@given(programs(), st.data())
@settings(max_examples=100, deadline=None)
def test_no_log_with_another_number_in_it_is_taken_for_less(program: Program, data: st.DataObject) -> None:
    """A log of which one number is changed is refused, or it is another mapping whose time the definition knows."""
    found = numbers(played(program, baseline("random")))
    at = data.draw(st.integers(0, len(found) - 1))
    found[at] += data.draw(st.sampled_from([-16, -2, -1, 1, 2, 9]))
    log = np.array(found, "<i8").tobytes()
    try:
        run_time = replay(program, log).run_time
    except InvalidAnswer:
        return
    codes = codes_of(program, log)
    assert run_time == oracle.times(program, codes)[-1][1] and oracle.fits(program, codes)


def test_less_than_a_bound_is_impossible() -> None:
    one = instance("one", "user", CHAIN)
    assert one.reference_kind == "bound" and len(logs({})) == log_bytes(CHAIN) == one.answer_bytes
    with pytest.raises(ImpossibleAnswer, match="14 ns on 'one' are less than the 15"):
        judge(replace(one, reference=15.0), logs({}))
    assert judge(replace(one, reference=15.0, reference_kind="baseline"), logs({})).value == 14


# -- pictures ---------------------------------------------------------------------------------------------------------


def test_a_picture_shows_what_is_where_and_when() -> None:
    drawing: Any = TASK
    (chart,) = drawing.pictures(instance("one", "user", CHAIN), logs({}))
    assert [(t.label, t.left, t.right, t.bottom, t.top, t.kind) for t in chart.tiles] == [
        ("0", 0, 0.006, 0, 6, "kept"),
        ("1", 0.003, 0.005, 6, 10, "room for a copy"),
        ("1", 0.005, 0.009, 6, 10, "copied"),
        ("0", 0.006, 0.014, 0, 6, "kept"),
    ]
    assert [(m.name, m.at) for m in chart.marks] == [("capacity", 10)] and chart.used == chart.kinds
    assert chart.tiles[1].note == "buffer 1 for operation 2: 4 bytes at 6, room for a copy from 3 to 5 ns"
    with pytest.raises(InvalidAnswer):
        drawing.pictures(instance("one", "user", CHAIN), logs({0: 3}))


@given(programs(), st.lists(st.integers(-9, 9), min_size=len(NAMES), max_size=len(NAMES)))
@settings(max_examples=30, deadline=None)
def test_no_two_tiles_overlap(program: Program, weights: list[int]) -> None:
    drawing: Any = TASK
    (chart,) = drawing.pictures(instance("one", "user", program), played(program, mixing(weights)))
    for one, other in combinations(chart.tiles, 2):
        apart = one.right <= other.left or other.right <= one.left
        assert apart or one.top <= other.bottom or other.top <= one.bottom
    assert all(0 <= t.left <= t.right and t.top <= program.machine.capacity for t in chart.tiles)


# -- the bound --------------------------------------------------------------------------------------------------------


@given(programs(5, 3, 8))
@settings(max_examples=40, deadline=None)
def test_no_mapping_is_below_the_bound(program: Program) -> None:
    assert lower_bound(program) <= oracle.optimum(program) <= program.all_slow


def test_the_bound_is_met_where_everything_fits() -> None:
    """One buffer in fast memory and computing that hides it; inputs through both ways at once."""
    hidden = Program(Machine(10, 1, 10, 1), (5, 5), (Buffer(10, 0, (1,)),))
    assert lower_bound(hidden) == 10 == oracle.optimum(hidden)
    streamed = Program(Machine(8, 1, 100, 1), (0, 0), (Buffer(8, INPUT, (0,)), Buffer(8, INPUT, (1,))))
    assert lower_bound(streamed) == 8 and oracle.optimum(streamed) == 9


# -- the task ---------------------------------------------------------------------------------------------------------


def scored(name: str, split: Any) -> float:
    instances = TASK.instances(split).instances
    policy = baseline(name)
    return aggregate(instances, [judge(i, played(decode(i.payload), policy)).score for i in instances])


def test_no_two_baselines_are_alike_on_screen() -> None:
    found = {name: scored(name, "screen") for name, one in TASK.baselines().items() if one.path is not None}
    assert found["trivial"] == 100 and len(set(found.values())) == len(found)
    assert min(found.values()) < 0.6 * found["random"]


def test_shipped_scores_come_out_again_and_random_and_trivial_are_worst() -> None:
    shipped = load("memory-map", {"capacity": "99"}).shipped_scores()
    assert set(shipped) == set(TASK.baselines())
    for split in ("search", "gate"):
        found = {name: one.published[split] for name, one in shipped.items()}
        ranked = sorted(found, key=found.__getitem__)
        assert ranked[-2:] == ["random", "trivial"] and len(set(found.values())) == len(found)
        assert ranked[0] in ("mcts", "repacking") and found[ranked[0]] < 0.6 * found["random"]
    assert scored("most-saved", "search") == pytest.approx(shipped["most-saved"].published["search"])


def test_figures_say_what_the_mapping_does() -> None:
    instances = TASK.instances("screen").instances[:2]
    values = [float(decode(i.payload).all_slow) for i in instances]
    found = {f.name.partition(" (")[0]: f.value for f in TASK.figures(instances, values)}
    assert found["run time saved"] == 0 and found["worst class"] == 100 and found["above the bound"] > 0
    replaying: Any = TASK
    for name, least in (("trivial", 0.0), ("most-saved", 20.0)):
        logs = [played(decode(i.payload), baseline(name)) for i in instances]
        shares = {f.name: f.value for f in replaying.replayed_figures(instances, logs)}
        assert shares["uses from fast memory"] >= least and 0 <= shares["time waiting for copies"] < 100
        assert shares["uses after a copy"] <= shares["uses from fast memory"]


@pytest.mark.parametrize("given", ["0", "-1", "x", "1.5", "1" * 40])
def test_a_machine_that_is_none(given: str) -> None:
    for name in ("capacity", "slow", "fast", "copy"):
        with pytest.raises(TaskError, match=f"option {name}=.* is not a whole number from 1 to"):
            load("memory-map", {name: given})
