"""The user's files: JSON Lines and the OR-Library's format, and one clear sentence for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.binpacking import reader
from evaluators.binpacking.problem import decode
from evaluators.registry import load
from evaluators.task import InstanceSet, TaskError

TASK = load("online-bin-packing")
LIBRARY = "2\n u_0\n 100 3 2\n60\n 50\n40\n t_1\n100.0 3 1\n 36.6\n26.7\n36.7\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine"


def read(file: Path, content: str) -> InstanceSet:
    file.write_text(content)
    return TASK.read(file)


def refused(file: Path, content: str) -> str:
    with pytest.raises(TaskError) as error:
        read(file, content)
    text = str(error.value)
    assert text.startswith(str(file)) and "\n" not in text and len(text) < len(str(file)) + 400
    return text[len(str(file)) :]


def test_json_lines(file: Path) -> None:
    found = read(
        file,
        '{"id": "z", "capacity": 10, "items": [6, 5.0, 4, 5]}\n\n'
        '{"capacity": 10, "items": [3, 3, 3, 3, 3, 5, 5, 5], "class": "hard", "best": 4, "note": 1}\n',
    ).instances
    assert [(i.id, i.group, i.size) for i in found] == [("z", "user", 4), ("line-3", "hard", 8)]
    assert decode(found[0].payload)[1].tolist() == [6, 5, 4, 5]
    assert (found[0].reference, found[0].reference_kind) == (2, "proved optimum")


def test_the_kind_of_a_reference(file: Path) -> None:
    # Two bins by the sum; 4 + 3 + 3 twice does it, but best fit decreasing takes three.
    sizes = '{"capacity": 10, "items": [4, 4, 3, 3, 3, 3]'
    kinds = [(i.reference, i.reference_kind) for i in read(file, f'{sizes}}}\n{sizes}, "best": 2}}\n')]
    assert kinds == [(2, "bound"), (2, "best known")]
    assert "but 2 bins are needed" in refused(file, sizes + ', "best": 1}')
    assert "but a packing of 3 exists" in refused(file, sizes + ', "best": 4}')


def test_the_or_library(file: Path) -> None:
    first, second = read(file, LIBRARY).instances
    assert (first.id, first.size, first.reference) == ("u_0", 3, 2)
    assert (second.id, second.reference, second.reference_kind) == ("t_1", 1, "proved optimum")
    capacity, sizes = decode(second.payload)
    assert (capacity, sizes.tolist()) == (1000, [366, 267, 367])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "line 1: not JSON"),
        ("[1]", "line 1: the line holds list"),
        ('{"items": [1]}', "'capacity' is null; expected an integer from 1"),
        ('{"capacity": 0, "items": [1]}', "'capacity' is 0"),
        ('{"capacity": 10}', "'items' is missing"),
        ('{"capacity": 10, "items": []}', "'items' has 0 entries"),
        ('{"capacity": 10, "items": [1, "2"]}', 'items[1] is "2"; expected an integer'),
        ('{"capacity": 10, "items": [1.5]}', "items[0] is 1.5; expected an integer"),
        ('{"capacity": 10, "items": [11]}', "items[0] is 11; expected 1 to the capacity, 10"),
        ('{"capacity": 10, "items": [NaN]}', "NaN is not a size"),
        ('{"capacity": 10, "items": [1], "best": 0}', "'best' is 0"),
        ('{"capacity": 10, "items": [1], "id": ""}', "'id' is"),
        (
            '{"id": "a", "capacity": 9, "items": [1]}\n{"id": "a", "capacity": 9, "items": [1]}',
            "the id 'a' is used",
        ),
        ("hello", 'line 1: the number of problems is "hello"; expected a number from 0'),
        ("0\n", "line 1: the line is"),
        ("1\n", "the file ends where a problem's name should follow"),
        ("1\nu\n100 2\n", 'line 3: the line is "100 2"; expected capacity, number of items and best known'),
        ("1\nu\n100 2 1\n60\n", "the file ends where a size of u should follow"),
        ("1\nu\n100 1 1\n101\n", 'line 4: the size is "101"'),
        ("1\nu\n100 1 1\nx\n", 'line 4: a size is "x"'),
        ("1\nu\n100 1.5 1\n60\n", "whole numbers of items and bins"),
        ("1\nu\n100 1 1\n60\nmore\n", "line 5: there is more in the file than its 1 problems"),
        ("1\nu\n1e9 1 1\n0.0000001\n", "too many; round them or rescale"),
    ],
)
def test_everything_else_is_refused_in_one_sentence(file: Path, content: str, reason: str) -> None:
    assert reason in refused(file, content)


def test_sizes_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match="longer than"):
        TASK.read(Path("/dev/zero"))
    monkeypatch.setattr(reader, "MAX_INSTANCES", 2)
    assert "more than 2 instances" in refused(file, '{"capacity": 9, "items": [1]}\n' * 3)
    assert "1 to 20000" in refused(file, '{"capacity": 1, "items": [' + ",".join(["1"] * 20001) + "]}")
