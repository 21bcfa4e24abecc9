"""The user's traces: both forms, and what is wrong in one sentence with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.caching import reader
from evaluators.caching.problem import decode
from evaluators.task import InstanceSet, TaskError


def read(folder: Path, text: str, capacity: int = 2) -> InstanceSet:
    path = folder / "trace.csv"
    path.write_text(text)
    return reader.read(path, capacity)


def test_pages_alone_are_one_trace_named_like_the_file(tmp_path: Path) -> None:
    (only,) = read(tmp_path, "a\nb\n\na\n  /var/x.db:7  \nb\n").instances
    assert (only.id, only.group, only.size, only.reference) == ("trace", "mine", 5, 3.0)
    assert only.reference_kind == "proved optimum" and decode(only.payload) == (2, [1, 2, 1, 3, 2])


@pytest.mark.parametrize("header", ["", "id,time,page\n", "ID, Time, Page\n"])
def test_several_traces_keep_their_ids_and_their_order(tmp_path: Path, header: str) -> None:
    found = read(tmp_path, f"{header}tue,1,x\nmon,0,x\ntue,1.5,y\nmon,2e3,y\ntue,7,x\n", capacity=5)
    assert [i.id for i in found] == ["tue", "mon"]
    assert [decode(i.payload) for i in found] == [(5, [1, 2, 1]), (5, [1, 2])]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\nb,c\n", "line 2: the line has 2 columns; expected one page, or id,time,page"),
        ("id,time,page\na\n", "line 2: the line has 1 columns"),
        ("a,1,b,c\n", "line 1: the line has 4 columns"),
        ("x,1,a\nx,0.5,b\n", "line 2: the time \"0.5\" lies before"),
        ("x,noon,a\n", "line 1: the time \"noon\" is not a number"),
        ("x,nan,a\n", "line 1: the time \"nan\" is not a number"),
        ("x,inf,a\n", "line 1: the time \"inf\" is not a number"),
        ("x,1,\n", "line 1: \"\" is neither a page nor an id"),
        (",1,a\n", "line 1: \"\" is neither a page nor an id"),
        ("a b\n", "line 1: \"a b\" is neither"),
        ("\x1b[31m\n", "line 1: \"\\\\u001b\\[31m\" is neither"),
        ("{}\n", "line 1: \"{}\" is neither"),
        ("id,time,page\n", "holds no instances; expected one page, or id,time,page"),
        ("x" * 1001 + "\n", "line 1: the line is longer than 1000 bytes; a line is one request"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(TaskError, match=reason):
        read(tmp_path, text)


def test_traces_end_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_REQUESTS", 3)
    with pytest.raises(TaskError, match="line 4: the trace has more than 3 requests; split it"):
        read(tmp_path, "a\na\na\na\n")
    monkeypatch.setattr(reader, "MAX_PAGES", 2)
    with pytest.raises(TaskError, match="line 3: the trace has more than 2 different pages; split it"):
        read(tmp_path, "a\nb\nc\n")
    monkeypatch.setattr(reader, "MOST_TRACES", 1)
    with pytest.raises(TaskError, match="line 2: the file has more than 1 instances; split it"):
        read(tmp_path, "p,0,a\nq,0,a\n")
