"""``discover record``: what the task is asked for, how it is stopped, and what is told."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluators.recordable import Recipe, Recording
from evaluators.task import Figure, Missing

NEEDED = ("record", "--task", "toy", "--checkpoint", "model", "--data", "q.jsonl")


class Recorder:
    """The method ``record`` of a task: one text at a time, until it is over."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.interrupted_at = -1
        self.texts = 0

    def record(
        self,
        checkpoint: Path,
        data: Path,
        out: Path,
        *,
        recipe: Recipe,
        over: Callable[[], bool],
        say: Callable[[str], None],
    ) -> Recording:
        self.asked = {"checkpoint": checkpoint, "data": data, "out": out, "recipe": recipe}
        for number in range(3):
            if over():
                break
            say(f"recorded {number}")
            self.texts += 1
            if number == self.interrupted_at:
                signal.raise_signal(signal.SIGINT)
        return Recording(out if self.texts else None, self.texts, 3, (Figure("quality", 0.75),))


@pytest.fixture
def recorder(discover: Callable, monkeypatch: pytest.MonkeyPatch) -> Recorder:  # noqa: ARG001 - makes the task
    made = Recorder()
    monkeypatch.setattr(sys.modules["toy_task"].Toy, "record", staticmethod(made.record), raising=False)
    return made


def test_a_recording_and_its_object(discover: Callable, recorder: Recorder) -> None:
    ended = discover(*NEEDED, "--json")
    figures = {"quality": 0.75}
    file = "toy-recordings.npz"
    assert ended.data == {"task": "toy", "file": file, "texts": 3, "asked": 3, "figures": figures}
    assert recorder.asked == {
        "checkpoint": Path("model"),
        "data": Path("q.jsonl"),
        "out": Path(file),
        "recipe": Recipe(),
    }
    assert ended.err.splitlines() == [f"recorded {k}" for k in range(3)]
    shown = discover(*NEEDED, "--quiet")
    assert shown.err == "" and shown.out.splitlines()[0] == "quality: 0.75"
    assert f"--instances {file}" in shown.out


def test_every_flag_reaches_the_task(discover: Callable, recorder: Recorder) -> None:
    flags = "--out r.npz --gen-length 64 --steps 32 --block-length 16 --limit 5 --mask-id 9 --shift --no-chat"
    ended = discover(*NEEDED, *flags.split(), "--device", "cpu", "--dtype", "float32", "--trust-remote-code")
    assert ended.code == 0 and recorder.asked["out"] == Path("r.npz")
    assert recorder.asked["recipe"] == Recipe(64, 32, 16, 5, 9, True, False, "cpu", "float32", True)


def test_ctrl_c_keeps_what_is_recorded(discover: Callable, recorder: Recorder) -> None:
    recorder.interrupted_at = 1
    ended = discover(*NEEDED, "--json")
    assert ended.code == 130 and ended.data["texts"] == 2 and ended.data["file"] == "toy-recordings.npz"
    assert "stopping after this forward pass" in ended.err and "2 of 3 texts are recorded" in ended.err


def test_what_cannot_be_recorded(
    discover: Callable, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for out, told in (("nowhere/r.npz", "nowhere"), ("r.txt", ".npz"), (".", ".npz")):
        ended = discover(*NEEDED, "--out", out)
        assert ended.code == 2 and told in ended.sentence and recorder.asked == {}

    def failing(*_: object, **__: object) -> Recording:
        raise Missing("the extra is missing")

    monkeypatch.setattr(sys.modules["toy_task"].Toy, "record", failing)
    ended = discover(*NEEDED)
    assert ended.code == 3 and ended.sentence == "discover: the extra is missing\n"


def test_a_task_that_records_nothing(discover: Callable) -> None:
    ended = discover("record", "--task", "smtt", "--checkpoint", "model", "--data", "q.jsonl")
    assert ended.code == 2 and ended.sentence == "discover: task 'smtt' records no models\n"
