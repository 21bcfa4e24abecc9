"""``discover train``: what the task is asked for, how it is stopped, and what is told."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluators.task import Figure, TaskError, Training


class Trainer:
    """The method ``train`` of a task: one measurement at a time, until it is over."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.interrupted_at = -1
        self.measured = 0

    def train(
        self,
        out: Path,
        *,
        programs: int,
        schedules: int,
        over: Callable[[], bool],
        say: Callable[[str], None],
    ) -> Training:
        self.asked = {"out": out, "programs": programs, "schedules": schedules}
        for number in range(programs * schedules):
            if over():
                break
            say(f"measured {number}")
            self.measured += 1
            if number == self.interrupted_at:
                signal.raise_signal(signal.SIGINT)
            time.sleep(0.001)
        out.write_text("a model")
        return Training(out, self.measured, (Figure("Spearman", 0.75), Figure("size", 3.0, "kB")))


@pytest.fixture
def trainer(discover: Callable, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainer]:  # noqa: ARG001 - makes the task
    made = Trainer()
    monkeypatch.setattr(sys.modules["toy_task"].Toy, "train", staticmethod(made.train), raising=False)
    yield made


def test_a_model_and_its_object(discover: Callable, trainer: Trainer) -> None:
    words = ("train", "--task", "toy", "--programs", "3", "--schedules", "2", "--out", "m.npz")
    ended = discover(*words, "--json")
    assert ended.data == {
        "task": "toy",
        "file": "m.npz",
        "samples": 6,
        "figures": {"Spearman": 0.75, "size": 3.0},
    }
    assert trainer.asked == {"out": Path("m.npz"), "programs": 3, "schedules": 2}
    assert ended.err.splitlines() == [f"measured {k}" for k in range(6)]
    shown = discover(*words, "--quiet")
    assert shown.err == "" and shown.out.splitlines() == [
        "Spearman: 0.75",
        "size: 3 kB",
        "fitted to 12 measurements; written to m.npz",
    ]


def test_ctrl_c_ends_the_measuring_and_keeps_the_model(discover: Callable, trainer: Trainer) -> None:
    trainer.interrupted_at = 1
    ended = discover("train", "--task", "toy", "--programs", "50", "--schedules", "50")
    assert ended.code == 0 and trainer.measured == 2
    assert "finishing what is being measured" in ended.err
    assert trainer.asked["out"] == Path("toy-model.npz") and Path("toy-model.npz").exists()


def test_minutes_end_it_as_well(discover: Callable, trainer: Trainer) -> None:
    ended = discover(
        "train", "--task", "toy", "--programs", "999", "--schedules", "999", "--minutes", "0.001"
    )
    assert ended.code == 0 and 0 < trainer.measured < 2000


def test_what_cannot_be_trained(
    discover: Callable, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = discover("train", "--task", "toy", "--out", "nowhere/m.npz")
    assert ended.code == 2 and "nowhere" in ended.sentence and trainer.asked == {}

    def failing(*_: object, **__: object) -> Training:
        raise TaskError("the extra is missing")

    monkeypatch.setattr(sys.modules["toy_task"].Toy, "train", failing)
    ended = discover("train", "--task", "toy")
    assert ended.code == 2 and ended.sentence == "discover: the extra is missing\n"
