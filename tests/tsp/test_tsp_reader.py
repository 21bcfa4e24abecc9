"""The user's files: JSON Lines and TSPLIB, and one clear sentence for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.registry import load
from evaluators.task import InstanceSet, TaskError
from evaluators.tsp import reader
from evaluators.tsp.problem import decode

TASK = load("tsp-construct")
HEAD = "NAME : four\nTYPE: TSP\nDIMENSION : 4\nEDGE_WEIGHT_TYPE : EUC_2D\nNODE_COORD_SECTION\n"
CITIES = "1 0 0\n2 3.0e0 0\n 3 3 4\n4 0 4\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.txt"


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
        '{"id": "z", "x": [0, 3, 3], "y": [0, 0, 4.5], "best": 13}\n\n{"x": [0, 1, 0], "y": [0, 0, 1], "class": "c"}\n',
    ).instances
    assert [(i.id, i.group, i.reference, i.reference_kind) for i in found] == [
        ("z", "user", 13.0, "best known"), ("line-3", "c", None, "baseline")
    ]  # fmt: skip
    assert [side.tolist() for side in decode(found[0].payload)] == [[0, 3, 3], [0, 0, 4.5]]


@pytest.mark.parametrize("end", ["", "EOF\n", "EOF"])
def test_tsplib(file: Path, end: str) -> None:
    (found,) = read(file, HEAD + CITIES + end).instances
    assert (found.id, found.size, found.reference) == ("four", 4, None)
    assert [side.tolist() for side in decode(found.payload)] == [[0, 3, 3, 0], [0, 0, 4, 4]]
    (nameless,) = read(file, HEAD.replace("NAME : four", "COMMENT : none") + CITIES).instances
    assert nameless.id == "mine"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "line 1: not JSON"),
        ("[1]", "line 1: the line holds list"),
        ('{"x": [0, 1, 2]}', "'y' is missing"),
        ('{"x": [0, 1], "y": [0, 1]}', "'x' has 2 entries; expected 3 to 1000"),
        ('{"x": [0, 1, 2], "y": [0, 1, 2, 3]}', "3 x but 4 y"),
        ('{"x": [0, 1, "2"], "y": [0, 1, 2]}', 'x[2] is "2"; expected a finite number'),
        ('{"x": [0, 1, true], "y": [0, 1, 2]}', "x[2] is true"),
        ('{"x": [0, 1, NaN], "y": [0, 1, 2]}', "NaN is not a coordinate; expected finite numbers"),
        ('{"x": [0, 1, 1e999], "y": [0, 1, 2]}', "x[2] is Infinity"),
        ('{"x": [1, 1, 1], "y": [2, 2, 2]}', "all cities are in one place"),
        ('{"x": [0, 3, 3], "y": [0, 0, 4], "best": 11}', "'best' is 11, but no tour is below 12"),
        ('{"x": [0, 3, 3], "y": [0, 0, 4], "best": "short"}', "'best' is \"short\""),
        ("hello", 'line 1: the line is "hello"; expected a TSPLIB file'),
        ("NAME : a\n", "the file ends where NODE_COORD_SECTION should follow"),
        (
            HEAD.replace("EUC_2D", "GEO") + CITIES,
            'EDGE_WEIGHT_TYPE is "GEO"; this task knows EUC_2D and CEIL_2D',
        ),
        (HEAD.replace(": 4", ": four") + CITIES, 'DIMENSION is "four"'),
        (HEAD.replace(": 4", ": 99999999999") + CITIES, "DIMENSION is"),
        (HEAD + "1 0 0\n2 3 0\n3 3\n", 'line 8: the line is "3 3"; expected a number, an abscissa'),
        (HEAD + "1 0 0\n2 nan 0\n", "coordinates are at most 1e+09"),
        (HEAD + "1 0 0\n", "the file ends where a city should follow"),
        (HEAD + CITIES + "5 1 1\n", "expected EOF after 4 cities"),
    ],
)
def test_everything_else_is_refused_in_one_sentence(file: Path, content: str, reason: str) -> None:
    assert reason in refused(file, content)


def test_sizes_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match="longer than"):
        TASK.read(Path("/dev/zero"))
    monkeypatch.setattr(reader, "MAX_INSTANCES", 2)
    assert "more than 2 instances" in refused(file, '{"x": [0, 1, 2], "y": [0, 1, 0]}\n' * 3)
