"""Recorded replies: they come back by slot and attempt, cost nothing, and survive a file."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.config import Price, Settings
from discovery.errors import UsageError
from discovery.proposers.base import (
    EDITS,
    WRITES,
    Brief,
    Proposer,
    ProposerNoReply,
    ProposerRefused,
    Reply,
    Request,
)
from discovery.proposers.cassette import (
    MOST,
    OWN,
    Cassette,
    Course,
    dumped,
    read_cassette,
    read_course,
    write_cassette,
)
from discovery.proposers.replay import ReplayProposer
from evaluators.registry import load

REPLIES = {
    (0, 0): Reply("def f():\n    pass\n", "m-1", 100, 20, 0.01, "stop", 1.5),
    (3, 1): Reply("```\n“é”\u2028\x00```\ud800", "m-2"),
    (12, 0): Reply("", "m", finish="length"),
}
COURSE = Course(
    {"gate": "pool"},
    replace(Settings(), samples=13, seed=3, trials=5, temperature=(0.5, 0.9), islands=3),
    (("first", "def f(): ...\n"), ("\x1b[31m", "x = 1")),
    EDITS,
    (8, 5),
    "ab" * 32,
    {"evaluator": "1"},
)
TAPE = Cassette("t", REPLIES, {(1, 0): "filtered"}, {(2, 0): "timed out", (3, 0): ""}, COURSE)
HEADER = '{"format": "discover-cassette", "version": 1, "task": "t"}'


def request(slot: int, attempt: int) -> Request:
    return Request(slot, attempt, "improve", 1, Brief(load("smtt").interface, "", "minimize", "%", 1.0), ())


def test_replies_by_slot_and_attempt_for_nothing() -> None:
    proposer: Proposer = ReplayProposer(TAPE)
    assert (proposer.model, proposer.paid, proposer.prompt(request(0, 0)), proposer.reserve(())) == (
        None,
        False,
        (),
        0,
    )
    assert proposer.operators == EDITS and ReplayProposer(Cassette("t", {})).operators == WRITES
    assert proposer.ask(request(0, 0), ()) == Reply(REPLIES[0, 0].text, "m-1", 0, 0, 0.0, "stop", 0.0)
    assert proposer.ask(request(3, 1), ()).text == REPLIES[3, 1].text
    with pytest.raises(ProposerRefused, match="slot 4, attempt 0"):
        proposer.ask(request(4, 0), ())
    with pytest.raises(ProposerRefused, match="filtered") as refused:
        proposer.ask(request(1, 0), ())
    assert not isinstance(refused.value, ProposerNoReply), "it was answered"
    with pytest.raises(ProposerNoReply, match="timed out"):
        proposer.ask(request(2, 0), ())


def test_a_cassette_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    assert write_cassette(path, replace(TAPE, replies=dict(reversed(REPLIES.items()))))
    assert read_cassette(path) == TAPE and read_course(path) == COURSE
    slots = [(r["slot"], r["attempt"]) for r in map(json.loads, path.read_text().splitlines()[1:])]
    assert slots == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (12, 0)]
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes().isascii(), "nothing in it can act on a terminal"


def test_an_existing_file_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write_cassette(path, TAPE)
    assert not write_cassette(path, TAPE), "equal to the letter"
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"run\.jsonl' exists already"):
        write_cassette(path, replace(TAPE, task="u"))
    assert path.read_bytes() == before


def test_every_setting_but_those_of_the_machine_is_carried() -> None:
    """A setting that is added is recorded without anybody thinking of it; what could tell a secret is not."""
    names = {f.name for f in fields(Settings)}
    assert names >= OWN, "no name that is gone"
    header = json.loads(dumped(TAPE).splitlines()[0])
    assert set(header["settings"]) == names - OWN
    secret = replace(
        COURSE.settings, base_url="https://me:word@host/v1", db="postgresql://me:word@host/x", api_key_env="K",
        prices={"m": Price(1.0, 2.0)}, model="https://me:word@host",
    )  # fmt: skip
    assert "word" not in dumped(replace(TAPE, course=replace(COURSE, settings=secret)))


@given(st.text(), st.text(), st.text())
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, text: str, model: str, reason: str
) -> None:
    path = tmp_path_factory.mktemp("c") / "c.jsonl"
    tape = Cassette("t", {(1, 0): Reply(text, model)}, {(2, 0): reason}, {(2, 1): reason})
    write_cassette(path, tape)
    assert read_cassette(path) == tape


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1"),
        ("{}", "not a cassette"),
        ("[1]", "expected an object"),
        ('{"format": "discover-cassette", "version": 3}', "version '3'; this program reads 1 and 2; a newer"),
        ('{"format": "discover-cassette", "version": true}', "version 'True'"),
        ('{"format": "discover-cassette", "version": [1]}', "version"),
        ('{"format": "discover-cassette", "version": 1}', "no task"),
        ('{"format": "discover-cassette", "version": 2, "task": "t"}', "header's requests is missing"),
        (HEADER + '\n{"slot": 0', "line 2: not a line of JSON"),
        (HEADER + '\n\n{"slot": -1, "attempt": 0}', "line 3: slot and attempt"),
        (HEADER + '\n{"slot": 1e300, "attempt": 0}', "line 2: slot and attempt"),
        (HEADER + f'\n{{"slot": {10**40}, "attempt": 0}}', "line 2: slot and attempt"),
        (HEADER + '\n{"slot": true, "attempt": 0}', "slot and attempt"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "text": "x"}', "'model' is missing"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "text": 1, "model": "m"}', "text = '1'"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "text": "", "model": "m", "cost": NaN}', "cost"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "text": "", "model": "m", "more": 1}', "unknown field 'more'"),
        (HEADER + 2 * '\n{"slot": 0, "attempt": 0, "text": "", "model": "m"}', "recorded twice"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "lost": 5}', "has a reason and nothing else"),
        (HEADER + '\n{"slot": 0, "attempt": 0, "lost": "", "text": ""}', "has a reason and nothing else"),
        (HEADER + "\n" + "[" * 100_000, "not a line of JSON"),
    ],
)
def test_a_broken_cassette_is_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(content)
    with pytest.raises(UsageError, match=said) as told:
        read_cassette(path)
    assert "\n" not in str(told.value)


def changed(**header: Any) -> str:
    first, *rest = dumped(TAPE).splitlines()
    return "\n".join([json.dumps({**json.loads(first), **header}), *rest])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(requests=7), "holds 6 requests and its first line promises 7: it was cut off"),
        ("\n".join(dumped(TAPE).splitlines()[:-1]), "holds 5 requests"),
        (changed(settings={"charm": 1}), "unknown setting 'charm'; a newer version of discover"),
        (changed(settings={"seed": -1}), "seed is -1; expected a whole number of at least 0"),
        (changed(settings={"seed": None}), "seed is None"),
        (changed(settings={"islands": MOST + 1}), f"islands is {MOST + 1}; at most {MOST}"),
        (changed(settings={"strategy": ["x"]}), "strategy is"),
        (changed(settings=[]), "header's settings"),
        (changed(seeds=[]), "header's seeds"),
        (changed(seeds=[{"name": "a"}]), "header's seeds"),
        (changed(operators=["hack"]), "header's operators"),
        (changed(operators=[{}]), "header's operators"),
        (changed(widths=[9]), "a batch has 9 slots"),
        (changed(widths=[-1]), "header's widths"),
        (changed(widths=[1.5]), "header's widths"),
        (changed(options={"a": 1}), "header's options"),
        (changed(versions=1), "header's versions"),
        (changed(digest=None), "header's digest"),
    ],
)
def test_a_course_is_not_trusted(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(content)
    with pytest.raises(UsageError, match=said):
        read_cassette(path)


def test_a_file_does_not_decide_about_this_machine(tmp_path: Path) -> None:
    own = {
        "db": "x",
        "control": 0.5,
        "tokens": 1,
        "executor": "inline",
        "base_url": "http://x",
        "proposer": "chat",
    }
    path = tmp_path / "c.jsonl"
    path.write_text(changed(settings={**own, "seed": 5}))
    course = read_course(path)
    assert course is not None and course.settings == replace(Settings(), seed=5)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_cassette(tmp_path / "absent")
    with pytest.raises(UsageError, match="cannot be written"):
        write_cassette(tmp_path / "absent" / "c", TAPE)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="line 1"):
        read_cassette(tmp_path / "binary")
