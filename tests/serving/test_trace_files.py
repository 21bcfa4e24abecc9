"""Reading traces: three formats, exact times, and one clear sentence for each way a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving_support import data

from evaluators.serving.trace import Trace
from evaluators.serving.trace_files import MAX_TOKENS, read
from evaluators.task import TaskError

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
OURS = "arrived_at,num_prefill_tokens,num_decode_tokens\n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "trace.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_azure_with_its_hundred_nanoseconds(tmp_path: Path) -> None:
    found = read(
        written(
            tmp_path,
            AZURE + "2023-11-16 23:59:59.9999999,374,44\r\n2023-11-17 00:00:00,396,109\r\n"
            "2023-11-17 00:00:02.5+00:00,879,55",
        )
    )
    assert found.arrivals == (0.0, 1e-7, 2.5000001)
    assert found.prompts == (374, 396, 879) and found.outputs == (44, 109, 55)
    assert found.ids == ("line-2", "line-3", "line-4") and found.prefixes == ((), (), ())


def test_mooncake_with_its_prefixes(tmp_path: Path) -> None:
    text = (
        '{"timestamp": 27, "input_length": 513, "output_length": 500, "hash_ids": [0, 14]}\n\n'
        '{"timestamp": 27.5, "input_length": 7, "output_length": 1}\n'
    )
    found = read(written(tmp_path, text))
    assert found.arrivals == (0.027, 0.0275)
    assert found.prefixes == ((0, 14), ()) and found.ids == ("line-1", "line-3")


def test_our_own_with_ids_and_columns_in_any_order(tmp_path: Path) -> None:
    text = '\ufeffid, num_decode_tokens ,arrived_at,note,num_prefill_tokens\na,5,0.5,x,1e3\n"b,c",6,2.25,,7\n'
    found = read(written(tmp_path, text))
    assert found == Trace("trace.txt", ("a", "b,c"), (0.5, 2.25), (1000, 7), (5, 6), ((), ()))
    assert found.rate == pytest.approx(1 / 1.75)
    assert found.at_rate(2.0).arrivals == (0.0, 0.5)


def test_a_trace_without_time_has_no_rate_to_change(tmp_path: Path) -> None:
    found = read(written(tmp_path, OURS + "3,1,1\n3,1,1\n"))
    with pytest.raises(TaskError, match="all arrive at once"):
        found.at_rate(1.0)


MOONCAKE = '{"timestamp": 5, "input_length": 9, "output_length": 1}\n'


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ("", None, "holds no requests; expected a CSV file with arrived_at"),
        (OURS, None, "holds no requests below its header"),
        ("a,b\n1,2\n", 1, "no column 'arrived_at' and none 'num_prefill_tokens' and none .* in \"a,b\""),
        ("TIMESTAMP,ContextTokens\n", 1, "no column 'GeneratedTokens'"),
        ("arrived_at,arrived_at,num_prefill_tokens,num_decode_tokens\n", 1, "'arrived_at' occurs twice"),
        (OURS + "1,5,5\n\n0.5,5,5\n", 4, "arrives 0.5 s before the one above it; sort"),
        (AZURE + "2023-11-16 18:00:01,5,5\n2023-11-16 18:00:00,5,5\n", 3, "arrives 1 s before"),
        (MOONCAKE + MOONCAKE.replace("5", "4"), 2, "arrives 0.001 s before"),
        (OURS + "1,0,5\n", 2, "num_prefill_tokens is 0.*expected a whole number of tokens, 1 to 1000000"),
        (OURS + "1,5,0\n", 2, "num_decode_tokens is 0"),
        (OURS + f"1,{MAX_TOKENS + 1},5\n", 2, "num_prefill_tokens is 1000001"),
        (OURS + "1,1e300,5\n", 2, r"num_prefill_tokens is 1e\+300"),
        (OURS + "1,2.5,5\n", 2, "num_prefill_tokens is 2.5"),
        (OURS + "1,five,5\n", 2, 'num_prefill_tokens is "five"'),
        (OURS + "1,nan,5\n", 2, 'num_prefill_tokens is "nan"'),
        (OURS + "1,1_0,5\n", 2, 'num_prefill_tokens is "1_0"'),
        (OURS + "inf,5,5\n", 2, 'arrived_at is "inf"; expected seconds'),
        (OURS + "-1,5,5\n", 2, 'arrived_at is "-1"'),
        (OURS + ",5,5\n", 2, 'arrived_at is ""'),
        (OURS + "1,5\n", 2, "2 values under 3 columns"),
        (OURS + '"1,5,5\n', 2, "not CSV"),
        ("id," + OURS + "a,1,5,5\na,2,5,5\n", 3, "id 'a' is used in line 2 already"),
        ("id," + OURS + "\x1b[2J,1,5,5\n", 2, "'id' is .*expected 1 to 200 printable"),
        (AZURE + "16.11.2023 18:00,5,5\n", 2, "TIMESTAMP is .*expected a time in UTC like"),
        (AZURE + "2023-02-30 18:00:00,5,5\n", 2, "TIMESTAMP is"),
        (AZURE + "2023-02-20 24:00:00,5,5\n", 2, "TIMESTAMP is"),
        ('{"timestamp": 1}\n', 1, "'input_length' and 'output_length' missing"),
        (MOONCAKE + "[1]\n", 2, "the line holds list"),
        (MOONCAKE.replace("5", "true"), 1, "'timestamp' is true; expected milliseconds"),
        (MOONCAKE.replace("5", "-1"), 1, "'timestamp' is -1"),
        (MOONCAKE.replace("9", "0"), 1, "input_length is 0"),
        (MOONCAKE.replace("9", "1" * 5000), 1, "a number is too long"),
        (MOONCAKE.replace("}", ', "hash_ids": [1, 2]}'), 1, "2 hash_ids for 9 tokens; expected at most 1"),
        (MOONCAKE.replace("}", ', "hash_ids": ["x"]}'), 1, "'hash_ids' is not a list of integers"),
        (MOONCAKE.replace("}", ', "hash_ids": [true]}'), 1, "'hash_ids' is not a list of integers"),
        (OURS.encode() + b"1,\xff,5\n", 2, "is not UTF-8"),
        (OURS + "1," + "9" * 200_000 + ",5\n", 2, "the line is longer than 100000 bytes"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(
    tmp_path: Path, text: str | bytes, line: int | None, reason: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TaskError, match=reason) as caught:
        read(path)
    said = str(caught.value)
    assert said.startswith(f"{path}" if line is None else f"{path}, line {line}: ")
    assert "\n" not in said and "\x1b" not in said and len(said) < 500 + len(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"none\.csv cannot be read"):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "name, count, rate, prompt, output",
    [
        ("azure2023/code.csv", 8819, 2.6, 2048, 28),
        ("llmservingsim/real_vllm_llama31_8b_tp1.csv", 300, 10.3, 857, 653),
    ],
)
def test_public_traces_are_read(name: str, count: int, rate: float, prompt: float, output: float) -> None:
    found = read(data() / name)
    assert len(found) == count and found.rate == pytest.approx(rate, rel=0.02)
    assert sum(found.prompts) / count == pytest.approx(prompt, rel=1e-3)
    assert sum(found.outputs) / count == pytest.approx(output, rel=5e-3)
