"""Recorded replies: they come back by slot and attempt, cost nothing, and survive a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.errors import UsageError
from discovery.proposers.base import Brief, Proposer, ProposerRefused, Reply, Request
from discovery.proposers.replay import ReplayProposer, read_cassette, write_cassette
from evaluators.registry import load

REPLIES = {
    (0, 0): Reply("def f():\n    pass\n", "m-1", 100, 20, 0.01, "stop", 1.5),
    (3, 1): Reply("```\n“é”\u2028\x00```", "m-2"),
    (12, 0): Reply("", "m", finish="length"),
}
HEADER = '{"format": "discover-cassette", "version": 1, "task": "t"}'


def request(slot: int, attempt: int) -> Request:
    return Request(slot, attempt, "improve", 1, Brief(load("smtt").interface, "", "minimize", "%", 1.0), ())


def test_replies_by_slot_and_attempt_for_nothing() -> None:
    proposer: Proposer = ReplayProposer(REPLIES)
    assert (proposer.model, proposer.paid, proposer.prompt(request(0, 0)), proposer.reserve(())) == (
        None,
        False,
        (),
        0,
    )
    assert proposer.ask(request(0, 0), ()) == Reply(REPLIES[0, 0].text, "m-1", 0, 0, 0.0, "stop", 0.0)
    assert proposer.ask(request(3, 1), ()).text == REPLIES[3, 1].text
    with pytest.raises(ProposerRefused, match="slot 3, attempt 0"):
        proposer.ask(request(3, 0), ())


def test_a_cassette_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write_cassette(path, "smtt", dict(reversed(REPLIES.items())))
    cassette = read_cassette(path)
    assert (cassette.task, cassette.replies) == ("smtt", REPLIES)
    lines = path.read_text().splitlines()
    assert json.loads(lines[0]) == {"format": "discover-cassette", "version": 1, "task": "smtt"}
    assert [json.loads(line)["slot"] for line in lines[1:]] == [0, 3, 12]
    assert list(tmp_path.iterdir()) == [path]


@given(st.text(), st.text())
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str, model: str) -> None:
    path = tmp_path_factory.mktemp("c") / "c.jsonl"
    replies = {(1, 0): Reply(text, model)}
    write_cassette(path, "t", replies)
    assert read_cassette(path).replies == replies


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1"),
        ("{}", "not a cassette"),
        ("[1]", "expected an object"),
        ('{"format": "discover-cassette", "version": 2}', "version 2"),
        ('{"format": "discover-cassette", "version": 1}', "no task"),
        (HEADER + '\n{"slot": 0', "line 2: not a line of JSON"),
        (HEADER + '\n\n{"slot": -1, "attempt": 0}', "line 3: slot and attempt"),
        (HEADER + '\n{"slot": true, "attempt": 0}', "slot and attempt"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "text": "x"}', "'model' is missing"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "text": 1, "model": "m"}', "text = '1'"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "text": "", "model": "m", "cost": NaN}', "cost"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "text": "", "model": "m", "more": 1}', "unknown field 'more'"),
        (HEADER + 2 * '\n{"slot": 0, "attempt": 0, "text": "", "model": "m"}', "recorded twice"),
        (HEADER + "\n" + "[" * 100_000, "not a line of JSON"),
    ],
)
def test_a_broken_cassette_is_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(content)
    with pytest.raises(UsageError, match=said):
        read_cassette(path)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_cassette(tmp_path / "absent")
    with pytest.raises(UsageError, match="cannot be written"):
        write_cassette(tmp_path / "absent" / "c", "t", {})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="line 1"):
        read_cassette(tmp_path / "binary")
