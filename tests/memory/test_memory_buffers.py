"""Buffers against their definition, and the user's files."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import alloc_oracle as oracle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.memory import reader
from evaluators.memory.buffers import MAX_SIZE, Buffers, capacity, decode, encode
from evaluators.task import TaskError


def made(rows: list[oracle.Buffer]) -> Buffers:
    return Buffers(*np.array(rows, np.int64).T)


@given(oracle.drawn(8))
def test_the_bound_is_the_most_alive_at_one_time(rows: list[oracle.Buffer]) -> None:
    assert made(rows).bound == oracle.bound(rows)


@given(oracle.drawn(7), st.data())
def test_a_clash_is_found_where_there_is_one(rows: list[oracle.Buffer], data: st.DataObject) -> None:
    offsets = data.draw(st.lists(st.integers(0, 20), min_size=len(rows), max_size=len(rows)))
    wrong = [
        {a, b}
        for a, b in combinations(range(len(rows)), 2)
        if oracle.overlap(rows[a], offsets[a], rows[b], offsets[b])
    ]
    found = made(rows).clash(np.array(offsets, np.int64))
    assert set(found) in wrong if found is not None else not wrong


def test_a_buffer_may_follow_at_the_moment_another_ends() -> None:
    assert made([(0, 2, 5), (2, 4, 5)]).clash(np.array([0, 0])) is None
    assert made([(0, 2, 5), (1, 4, 5)]).clash(np.array([0, 5])) is None
    assert set(made([(0, 2, 5), (1, 4, 5)]).clash(np.array([0, 4])) or ()) == {0, 1}


@given(oracle.drawn(5))
def test_a_payload_gives_back_its_buffers(rows: list[oracle.Buffer]) -> None:
    one = made(rows)
    again = decode(encode(one))
    assert all((getattr(one, k) == getattr(again, k)).all() for k in ("lower", "upper", "size"))


def test_a_name_may_tell_the_capacity() -> None:
    assert capacity("A.1048576", 1000) == 1048576 and capacity("A.1000", 1000) == 1000
    assert (
        capacity("A.999", 1000) is capacity("A", 10) is capacity("1048576", 10) is capacity("A.x9", 1) is None
    )
    assert capacity("A." + "9" * 50, 1) is None


def test_a_file_keeps_its_order_and_may_have_more_columns(tmp_path: Path) -> None:
    path = tmp_path / "net.1.64.csv"
    path.write_text("Size, id,upper,offset,lower\n5,b,3,0,1\n\n7, a,9,5,0\n")
    name, found = reader.read(path)
    assert name == "net.1.64"
    assert [found.lower.tolist(), found.upper.tolist(), found.size.tolist()] == [[1, 0], [3, 9], [5, 7]]


HEAD = "id,lower,upper,size\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no buffers; expected the header id,lower,upper,size and a buffer on each line"),
        (HEAD, "holds no buffers"),
        ("a,0,1,1\n", "line 1: the header has no column 'id'"),
        ("id,lower,upper\na,0,1\n", "line 1: the header has no column 'size'"),
        ("id,lower,upper,size,size\n", "line 1: the header has more than one column 'size'"),
        (HEAD + "a,0,1\n", "line 2: the line has 3 columns, the header 4"),
        (HEAD + "a,0,1,2\na,1,2,3\n", "line 3: the id \"a\" is used in line 2 already; ids must differ"),
        (HEAD + ",0,1,2\n", "line 2: the id \"\" is not 1 to 200 printable characters"),
        (HEAD + "\x1b,0,1,2\n", "line 2: the id \"\\\\u001b\" is not"),
        (HEAD + "a,0,1,0\n", f"line 2: size is 0; expected 1 to {MAX_SIZE}"),
        (HEAD + "a,0,1,-4\n", "line 2: size is -4; expected 1"),
        (HEAD + "a,-1,1,4\n", "line 2: lower is -1; expected 0"),
        (HEAD + f"a,0,1,{MAX_SIZE + 1}\n", f"line 2: size is {MAX_SIZE + 1}; expected"),
        (HEAD + "a,0,1," + "9" * 40 + "\n", "line 2: size is \"9999.*\"; expected a whole number"),
        (HEAD + "a,3,3,4\n", "line 2: the buffer \"a\" ends at 3, not after its beginning at 3"),
        (HEAD + "a,3,2,4\n", "line 2: the buffer \"a\" ends at 2"),
        (HEAD + "a,0,1,4.0\n", "line 2: size is \"4.0\"; expected a whole number"),
        (HEAD + "a,0,nan,4\n", "line 2: upper is \"nan\"; expected a whole number"),
        (HEAD + "a,,1,4\n", "line 2: lower is \"\"; expected a whole number"),
        (HEAD + "a,0,١,4\n", "line 2: upper is .*; expected a whole number"),
        (HEAD + "x" * 1001 + "\n", "line 2: the line is longer than 1000 bytes; a line is one buffer"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(TaskError, match=reason) as refused:
        reader.read(path)
    assert "mine.csv" in str(refused.value) and "\n" not in str(refused.value)


def test_buffers_end_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_BUFFERS", 2)
    path = tmp_path / "mine.csv"
    path.write_text(HEAD + "a,0,1,1\nb,0,1,1\nc,0,1,1\n")
    with pytest.raises(TaskError, match="line 4: the file has more than 2 buffers"):
        reader.read(path)
