"""The user's files: what is accepted, and one clear sentence with the line for everything else."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from smtt_support import least_tardiness

from evaluators import lines as file_lines
from evaluators.smtt import reader
from evaluators.smtt.instances import Spec, generate
from evaluators.smtt.problem import decode, lower_bound
from evaluators.smtt.task import Smtt
from evaluators.task import InstanceSet, TaskError

GOOD = '{"processing_times": [3, 5], "due_dates": [4, 9]}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs.jsonl"


def read(file: Path, content: str | bytes) -> InstanceSet:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Smtt({}).read(file)


def refused(file: Path, content: str | bytes) -> str:
    """The sentence of the refusal, without the path; it is one line."""
    with pytest.raises(TaskError) as error:
        read(file, content)
    text = str(error.value)
    assert text.startswith(str(file))
    assert "\n" not in text
    assert len(text) < len(str(file)) + 400
    return text[len(str(file)) :]


def generated(n: int, **more: Any) -> str:
    p, d = generate(Spec("pvw", n, 60, 20, 5))
    return json.dumps({"processing_times": p.tolist(), "due_dates": d.tolist(), **more})


def test_ids_order_and_payloads_are_kept(file: Path) -> None:
    lines = [
        '{"id": "z", "processing_times": [3, 5], "due_dates": [4, 1], "optimum": 7}',
        "",
        '{"processing_times": [3.0, 5], "due_dates": [4, 9], "class": "easy", "note": "any other key is ignored"}',
        '{"id": 7, "processing_times": [1], "due_dates": [0]}',
    ]
    found = read(file, "\ufeff" + "\r\n".join(lines)).instances
    assert [i.id for i in found] == ["z", "line-3", "7"]
    assert [i.group for i in found] == ["user", "easy", "user"]
    assert [i.reference for i in found] == [7, 0, 1]
    assert {i.reference_kind for i in found} == {"proved optimum"}
    assert [decode(i.payload)[0].tolist() for i in found] == [[3, 5], [3, 5], [1]]
    assert [i.answer_bytes for i in found] == [16, 16, 8]


def test_optima_are_proved_to_100_jobs(file: Path) -> None:
    rng = np.random.default_rng(5)
    p, d = rng.integers(1, 9, 9), rng.integers(0, 40, 9)
    text = json.dumps({"processing_times": p.tolist(), "due_dates": d.tolist()})
    assert read(file, text).instances[0].reference == least_tardiness(p.tolist(), d.tolist())
    assert read(file, generated(100)).instances[0].reference == 41469


def test_beyond_100_jobs_nothing_is_claimed(file: Path) -> None:
    (found,) = read(file, generated(101))
    assert (found.reference, found.reference_kind) == (None, "baseline")
    assert found.limit == 1.0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "line 1: not JSON"),
        ("[1, 2]", "line 1: the line holds list; expected"),
        ("3", "line 1: the line holds 3; expected"),
        ("[" * 50_000, "line 1: a number is too long or the line too deeply nested"),
        ('{"due_dates": [4]}', "line 1: 'processing_times' is missing"),
        ('{"processing_times": [4]}', "line 1: 'due_dates' is missing"),
        ('{"processing_times": "3", "due_dates": [4]}', "line 1: 'processing_times' is \"3\""),
        (
            '{"processing_times": [], "due_dates": []}',
            "line 1: 'processing_times' has 0 entries; expected 1 to 5000",
        ),
        ('{"processing_times": [3], "due_dates": [4, 9]}', "line 1: 1 processing_times but 2 due_dates"),
        (
            '{"processing_times": [3, -5], "due_dates": [4, 9]}',
            "line 1: processing_times[1] is -5; expected at least",
        ),
        (
            '{"processing_times": [0, 5], "due_dates": [4, 9]}',
            "line 1: processing_times[0] is 0; expected at least 1",
        ),
        (
            '{"processing_times": [3, 5], "due_dates": [4, -9]}',
            "line 1: due_dates[1] is -9; expected at least 0",
        ),
        ('{"processing_times": [3, NaN], "due_dates": [4, 9]}', "line 1: NaN is not a time"),
        ('{"processing_times": [3, 5], "due_dates": [-Infinity, 9]}', "line 1: -Infinity is not a time"),
        ('{"processing_times": [3, 1e999], "due_dates": [4, 9]}', "line 1: processing_times[1] is Infinity"),
        (
            '{"processing_times": [3, 1.5], "due_dates": [4, 9]}',
            "line 1: processing_times[1] is 1.5; expected an",
        ),
        (
            '{"processing_times": [3, true], "due_dates": [4, 9]}',
            "line 1: processing_times[1] is true; expected an",
        ),
        (
            '{"processing_times": [3, null], "due_dates": [4, 9]}',
            "line 1: processing_times[1] is null; expected an",
        ),
        (
            '{"processing_times": [3, "5"], "due_dates": [4, 9]}',
            'line 1: processing_times[1] is "5"; expected an',
        ),
        (
            '{"processing_times": [3, [5]], "due_dates": [4, 9]}',
            "line 1: processing_times[1] is list; expected an",
        ),
        ('{"processing_times": [9007199254740992], "due_dates": [4]}', "line 1: the times are too large"),
        (
            '{"processing_times": [1, 1], "due_dates": [4, 4503599627370496]}',
            "line 1: the times are too large",
        ),
        ('{"processing_times": [1' + "0" * 400 + '], "due_dates": [4]}', "line 1: the times are too large"),
        ('{"processing_times": [1' + "0" * 6000 + '], "due_dates": [4]}', "line 1: a number is too long"),
        (
            '{"processing_times": [3], "due_dates": [4], "optimum": 1}',
            "'optimum' is 1, but the proved optimum is 0",
        ),
        (
            '{"processing_times": [3], "due_dates": [4], "optimum": -1}',
            "'optimum' is -1; expected a total tardiness",
        ),
        (
            '{"processing_times": [3], "due_dates": [4], "optimum": 0.5}',
            "'optimum' is 0.5; expected a total tardiness",
        ),
        ('{"processing_times": [3], "due_dates": [4], "optimum": true}', "'optimum' is true; expected"),
        (
            '{"processing_times": [3], "due_dates": [4], "id": ""}',
            "'id' is \"\"; expected 1 to 200 printable",
        ),
        ('{"processing_times": [3], "due_dates": [4], "id": "a\\u001bb"}', "'id' is"),
        ('{"processing_times": [3], "due_dates": [4], "id": [1]}', "'id' is list; expected"),
        (
            '{"processing_times": [3], "due_dates": [4], "weights": [1]}',
            "'weights' belongs to another problem",
        ),
        ('{"processing_times": [3], "processing_times": [4]}', "a key occurs twice"),
    ],
)
def test_bad_lines(file: Path, line: str, expected: str) -> None:
    assert expected in refused(file, line)
    if len(line) < 20_000:
        assert expected.replace("line 1", "line 3") in refused(file, f"{GOOD}\n\n{line}\n{GOOD}")


def test_wrong_claims_beyond_100_jobs(file: Path) -> None:
    p, d = generate(Spec("pvw", 150, 60, 20, 5))
    bound = lower_bound(p, d)
    assert f"no sequence is below {bound}" in refused(file, generated(150, optimum=bound - 1))
    assert "but a sequence of" in refused(file, generated(150, optimum=200_000))
    (claimed,) = read(file, generated(150, optimum=104320))
    assert (claimed.reference, claimed.reference_kind) == (104320, "best known")


def test_a_wrong_claim_at_100_jobs_is_proved_wrong(file: Path) -> None:
    assert "the proved optimum is 41469" in refused(file, generated(100, optimum=41468))
    assert "the proved optimum is 41469" in refused(file, generated(100, optimum=41470))


def test_duplicate_ids(file: Path) -> None:
    line = '{"id": "a", "processing_times": [3], "due_dates": [4]}'
    assert "line 3: the id 'a' is used in line 1 already" in refused(file, f"{line}\n\n{line}")


def test_not_utf8(file: Path) -> None:
    assert "line 2: byte 7 is not UTF-8" in refused(file, GOOD.encode() + b'\n{"id":"\xff"}')


def test_empty_files_and_missing_ones(file: Path, tmp_path: Path) -> None:
    assert "holds no instances" in refused(file, "")
    assert "holds no instances" in refused(file, "\n \n")
    with pytest.raises(TaskError, match="cannot be read"):
        Smtt({}).read(tmp_path / "nothing.jsonl")
    with pytest.raises(TaskError, match="cannot be read"):
        Smtt({}).read(tmp_path)


def test_ten_million_jobs_are_refused_at_once(file: Path) -> None:
    with file.open("wb") as out:
        out.write(b'{"processing_times": [1')
        for _ in range(100):
            out.write(b",1" * 100_000)
        out.write(b'], "due_dates": [1]}')
    start = time.process_time()
    with pytest.raises(TaskError, match="line 1: the line is longer than 1000000 bytes"):
        Smtt({}).read(file)
    assert time.process_time() - start < 1.0
    assert "has 5001 entries; expected 1 to 5000" in refused(
        file, json.dumps({"processing_times": [1] * 5001, "due_dates": [1] * 5001})
    )


def test_endless_files_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match="longer than"):
        Smtt({}).read(Path("/dev/zero"))
    monkeypatch.setattr(reader, "MAX_INSTANCES", 3)
    assert "line 4: the file has more than 3 instances" in refused(file, (GOOD + "\n") * 4)
    monkeypatch.setattr(file_lines, "MAX_FILE", 120)
    assert "line 3: the file is larger than 120 bytes" in refused(file, (GOOD + "\n") * 4)


def test_a_proof_that_is_too_long_is_not_waited_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PROOF_STATES", 10)
    (found,) = read(file, generated(100))
    assert (found.reference, found.reference_kind) == (None, "baseline")
    (claimed,) = read(file, generated(100, optimum=41469))
    assert claimed.reference_kind == "best known"
