"""The user's programs: both forms, and what is wrong in one sentence with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.memory.buffers import Buffers
from evaluators.memory.mapping.program import INPUT, Buffer, Machine, decode, wrong
from evaluators.memory.mapping.reader import from_buffers, read
from evaluators.registry import load
from evaluators.task import InstanceSet, TaskError

MACHINE = Machine(100, 10, 50, 5)
BUFFER = {"size": 8, "producer": 0, "uses": [1]}
PROGRAM: dict[str, Any] = {"compute": [9, 5], "buffers": [BUFFER]}


def of(folder: Path, text: str, name: str = "mine.jsonl") -> InstanceSet:
    path = folder / name
    path.write_text(text)
    return read(path, MACHINE)


def test_programs_keep_their_ids_their_order_and_their_machines(tmp_path: Path) -> None:
    rich = {
        "id": "net",
        "class": "a",
        "capacity": 64,
        "slow": 2,
        "flops": [1000, 1001],
        "peak": 100,
        "buffers": [{"name": "w", "size": 8.0, "uses": [0, 1]}, {"size": 4, "producer": 1, "output": True}],
    }
    found = of(tmp_path, f"\n{json.dumps(rich)}\n\n{json.dumps(PROGRAM)}\n").instances
    assert [(i.id, i.group, i.size) for i in found] == [("net", "a", 2), ("4", "mine", 2)]
    net, plain = (decode(i.payload) for i in found)
    assert net.machine == Machine(64, 2, 50, 5) and net.compute == (10, 11)
    assert net.buffers == (Buffer(8, INPUT, (0, 1)), Buffer(4, 1, (), True))
    assert plain.machine == MACHINE and plain.buffers == (Buffer(8, 0, (1,)),)
    assert all(i.reference_kind == "bound" and i.reference for i in found)


def changed(**more: Any) -> dict[str, Any]:
    return {**PROGRAM, **more}


def with_buffer(**more: Any) -> dict[str, Any]:
    return changed(buffers=[{**BUFFER, **more}])


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (changed(buffers=None), "line 1: 'buffers' is null; expected a list of objects"),
        (changed(buffers=[]), "line 1: 'buffers' is list; expected a list of objects"),
        (changed(buffers=[3]), "line 1: buffer 0 is 3; expected an object with size, producer and uses"),
        (changed(peak=3, flops=[1, 1]), "line 1: a program has 'compute', in nanoseconds, or 'flops' with 'peak'"),
        ({"buffers": [BUFFER]}, "line 1: a program has 'compute', in nanoseconds, or 'flops' with 'peak'"),
        ({"flops": [1, 1], "buffers": [BUFFER]}, "line 1: peak is null; expected a whole number from 1 to"),
        (changed(compute=5), "line 1: compute is 5; expected a list of whole numbers"),
        (changed(compute=[1, -1]), "line 1: compute is -1; expected a whole number from 0 to"),
        (changed(compute=[1, 1e300]), r"line 1: compute is 1e\+300; expected a whole number from 0 to"),
        (changed(compute=[1, 1.5]), "line 1: compute is 1.5; expected a whole number"),
        (changed(compute=[1, True]), "line 1: compute is true; expected a whole number"),
        (changed(compute=[]), "line 1: the program has 0 operations; expected 1 to 4000"),
        (changed(compute=[1] * 4001), "line 1: the program has 4001 operations; expected 1 to 4000"),
        (changed(buffers=[BUFFER] * 10_001), "line 1: the program has 10001 buffers"),
        (changed(capacity=0), "line 1: capacity is 0; expected a whole number from 1 to"),
        (changed(copy=10**7), "line 1: copy is 10000000; expected a whole number from 1 to 1000000"),
        (changed(speed=3), "line 1: the program has \"speed\", which is none of buffers, capacity,"),
        (with_buffer(size=-8), "line 1: buffer 0: 'size' is -8; expected a whole number from 1 to"),
        (with_buffer(size=None), "line 1: buffer 0: 'size' is null; expected a whole number"),
        (with_buffer(size=2**41), "line 1: buffer 0: 'size' is 2199023255552; expected a whole number from 1"),
        (with_buffer(producer="a"), "line 1: buffer 0: 'producer' is \"a\"; expected a whole number"),
        (with_buffer(producer=2), "line 1: buffer 0 is written by operation 2, which there is not"),
        (with_buffer(uses=[2]), "line 1: buffer 0 is read by operation 2, which there is not"),
        (with_buffer(producer=1), "line 1: buffer 0 is read by operation 1, but written by operation 1; uses must"),
        (with_buffer(uses=[1, 1]), "line 1: buffer 0 is read by operation 1, but read before by operation 1"),
        (with_buffer(uses=7), "line 1: buffer 0: 'uses' is 7; expected a list of whole numbers"),
        (with_buffer(output=1), "line 1: buffer 0: 'output' is 1; expected true or false"),
        (with_buffer(at=3), "line 1: buffer 0 has \"at\", which is none of name, output, producer, size, uses"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, program: dict[str, Any], reason: str) -> None:
    with pytest.raises(TaskError, match=reason):
        of(tmp_path, json.dumps(program) + "\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"compute": [NaN]}\n', "line 1: NaN is not a size or a time"),
        ("{\n", "line 1: not JSON"),
        ("[]\n", "line 1: the line holds list; expected"),
        (
            json.dumps({"id": "a", **PROGRAM}) + "\n" + json.dumps({"id": "a", **PROGRAM}),
            "line 2: the id 'a' is used",
        ),
        ("\n", "holds no instances"),
    ],
)
def test_lines_that_are_none(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(TaskError, match=reason):
        of(tmp_path, text)


# -- buffers ----------------------------------------------------------------------------------------------------------


def test_a_file_of_buffers_is_a_program(tmp_path: Path) -> None:
    """Alive in [lower, upper): written at lower, read at upper - 1; times that nothing happens at are left out."""
    (only,) = of(tmp_path, "id,lower,upper,size\na,0,11,4\nb,5,6,8\nc,5,31,2\n", "net.csv").instances
    program = decode(only.payload)
    assert only.id == "net" and program.machine == MACHINE and program.compute == (0,) * 4
    assert program.buffers == (Buffer(4, 0, (2,)), Buffer(8, 1, ()), Buffer(2, 1, (3,)))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12))
def test_what_is_alive_together_stays_so(rows: list[tuple[int, int, int]]) -> None:
    lower, length, size = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    program = from_buffers(Buffers(lower, lower + length, size), MACHINE)
    assert wrong(program.compute, program.buffers) is None
    lives = [(b.producer, b.uses[0] if b.uses else b.producer) for b in program.buffers]
    for (one, a), (other, b) in (
        (x, y) for x in zip(rows, lives, strict=True) for y in zip(rows, lives, strict=True)
    ):
        together = one[0] < other[0] + other[1] and other[0] < one[0] + one[1]
        assert together == (a[0] <= b[1] and b[0] <= a[1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,lower,upper,size\na,3,3,4\n", "line 2: the buffer \"a\" ends at 3"),
        ("a,b\n1,2\n", "line 1: the header has no column 'id'"),
        ("id,lower,upper,size\na,0,2,2199023255552\n", "net.csv: buffer 0 has the size 2199023255552"),
    ],
)  # fmt: skip
def test_buffers_that_are_none(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(TaskError, match=reason):
        of(tmp_path, text, "net.csv")


def test_a_program_that_is_too_long_is_told(tmp_path: Path) -> None:
    rows = "".join(f"{k},{2 * k},{2 * k + 1},4\n" for k in range(4001))
    with pytest.raises(TaskError, match=r"net.csv: the program has 4001 operations; expected 1 to 4000"):
        of(tmp_path, "id,lower,upper,size\n" + rows, "net.csv")


def public(name: str) -> Path:
    """A file of the public allocation benchmarks, on machines that have them."""
    for parent in Path(__file__).resolve().parents:
        if (path := parent / "shared" / "data" / "memory" / name).is_file():
            return path
    pytest.skip("the public allocation benchmarks are not on this machine")


@pytest.mark.parametrize(
    ("name", "ops", "uses"),
    [
        ("minimalloc_challenging/A.1048576.csv", 137, 154),
        ("minimalloc_challenging/K.1048576.csv", 466, 454),
        ("idealloc_benchmarks/somas_tensors_resnet50.csv", 833, 1042),
    ],
)
def test_public_files_are_programs(name: str, ops: int, uses: int) -> None:
    (only,) = read(public(name), MACHINE).instances
    program = decode(only.payload)
    assert (only.size, len(program.segments)) == (ops, uses) and only.reference is not None
    assert only.reference < program.all_slow


def test_options_are_the_machine_of_the_users_programs(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(PROGRAM) + "\n")
    options = {"capacity": "7", "slow": "3", "fast": "4", "copy": "2"}
    (only,) = load("memory-map", options).read(path).instances
    assert decode(only.payload).machine == Machine(7, 3, 4, 2)
