"""The data file of ``discover record``, and the schedule of a recipe: what is read, and what is refused how."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluators.diffusion.early_exit import recordings
from evaluators.diffusion.early_exit.recorder.decoding import Schedule
from evaluators.diffusion.early_exit.recorder.questions import Question, digest, read
from evaluators.recordable import Recipe
from evaluators.task import TaskError

GOOD = {"id": "x", "family": "sums", "prompt": "1 + 1 =", "answer": "2", "metric": "number"}


def written(path: Path, *lines: object) -> Path:
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(texts) + b"\n")
    return path


def test_questions_are_read_in_order(tmp_path: Path) -> None:
    second = {"family": "cities", "prompt": "Où?", "answers": ["Paris", "à Paris"], "metric": "exact"}
    found = read(written(tmp_path / "q.jsonl", GOOD, b"", second))
    assert found == (
        Question("x", "sums", "1 + 1 =", ("2",), "number"),
        Question("cities-3", "cities", "Où?", ("Paris", "à Paris"), "exact"),
    )
    assert found[0].quality("that is 2") == 1.0 and found[1].quality("A Paris") == 1.0
    assert digest(found) == digest(found[:2]) != digest(found[:1]) != digest([replace(found[0], metric="f1")])


@pytest.mark.parametrize(
    "line, told",
    [
        (b"{", "not JSON"),
        (b"[1]", "holds"),
        (b"\xff", "UTF-8"),
        (b'{"family": "a", "family": "b"}', "twice"),
        ({**GOOD, "anwser": "2"}, "anwser"),
        ({k: v for k, v in GOOD.items() if k != "family"}, "'family' is missing"),
        ({**GOOD, "family": "a\nb"}, "printable"),
        ({**GOOD, "id": ""}, "printable"),
        ({**{k: v for k, v in GOOD.items() if k != "id"}, "family": "f" * 199}, "201 characters"),
        ({**GOOD, "metric": "bleu"}, "exact, contains, number"),
        ({**GOOD, "metric": ["f1"]}, "'metric' is list"),
        ({k: v for k, v in GOOD.items() if k != "metric"}, "'metric' is null"),
        ({k: v for k, v in GOOD.items() if k != "answer"}, '"answers"'),
        ({**GOOD, "answers": ["2"]}, '"answers"'),
        ({**GOOD, "answer": 2}, "'answer' is 2"),
        ({**GOOD, "answer": "two"}, "holds no number"),
        ({**GOOD, "answer": "1" * 5000}, "holds no number of at most 1000 digits"),
        ({**GOOD, "metric": "choice"}, "is no letter"),
        ({**{k: v for k, v in GOOD.items() if k != "answer"}, "answers": []}, "1 to 100"),
        ({**{k: v for k, v in GOOD.items() if k != "answer"}, "answers": ["2", None]}, "'answers' is null"),
        ({**GOOD, "prompt": " "}, "'prompt'"),
        ({**GOOD, "prompt": None}, "'prompt' is null"),
        (b'{"family": "a", "prompt": "\\ud800", "answer": "2", "metric": "number"}', "surrogate"),
    ],
)
def test_refusals_name_the_line(tmp_path: Path, line: object, told: str) -> None:
    good = {**GOOD, "id": "other"}
    with pytest.raises(TaskError) as raised:
        read(written(tmp_path / "q.jsonl", good, line))
    assert told in str(raised.value) and "line 2" in str(raised.value) and "\n" not in str(raised.value)


def test_the_longest_names_that_are_read_can_be_written(tmp_path: Path) -> None:
    long, family = {**GOOD, "id": "i" * 200, "family": "f" * 200}, "f" * 198
    bare = {**{k: v for k, v in GOOD.items() if k != "id"}, "family": family}
    found = read(written(tmp_path / "q.jsonl", long, bare))
    assert [len(q.id) for q in found] == [200, 200]
    assert max(len(q.family) for q in found) == recordings.MOST_NAME


def test_other_refusals(tmp_path: Path) -> None:
    for lines, told in (((), "no questions"), ((GOOD, GOOD), "line 2: the id 'x' is used in line 1")):
        with pytest.raises(TaskError, match=told):
            read(written(tmp_path / "q.jsonl", *lines))
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(TaskError, match="cannot be read"):
            read(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60), cut=st.integers(0, 100), at=st.integers(0, 100))
def test_whatever_is_in_the_file_is_read_or_refused(tmp_path: Path, data: bytes, cut: int, at: int) -> None:
    whole = json.dumps(GOOD).encode()
    (tmp_path / "q.jsonl").write_bytes(whole[:at] + data + whole[at : max(at, cut)])
    try:
        read(tmp_path / "q.jsonl")
    except TaskError as error:
        assert "\n" not in str(error)


def test_a_schedule_shares_out_the_positions() -> None:
    assert Schedule.of(Recipe(length=4)).shares() == [(0, 1)] * 4
    assert Schedule.of(Recipe(length=8, steps=2)).shares() == [(0, 4)] * 2
    expected = [(0, 3), (0, 2), (1, 3), (1, 2)]
    assert Schedule.of(Recipe(length=10, steps=4, block=5)).shares() == expected


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 50))
def test_every_schedule_fixes_all_positions_block_by_block(length: int, steps: int, block: int) -> None:
    recipe = Recipe(length=length, steps=steps, block=block)
    possible = length % block == 0 and steps % (length // block) == 0 and steps <= length
    if not possible:
        with pytest.raises(TaskError, match=r"--steps|--block-length"):
            Schedule.of(recipe)
        return
    shares = Schedule.of(recipe).shares()
    assert len(shares) == steps and all(share >= 1 for _, share in shares)
    for number in range(length // block):
        assert sum(share for b, share in shares if b == number) == block
    assert shares == sorted(shares, key=lambda s: s[0])


def test_a_span_that_no_file_holds() -> None:
    for length in (0, 5000):
        with pytest.raises(TaskError, match="--gen-length"):
            Schedule.of(Recipe(length=length))
