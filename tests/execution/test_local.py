# ruff: noqa: ARG002 - sandboxes that play a script ignore most of what they are given
"""The pool of zygotes: how many there are, who waits for whom, and names."""

from __future__ import annotations

import threading
import time

import pytest
from execution.test_stage import JOB, LIMIT, TASK, Played

from discovery.errors import UsageError
from discovery.execution.local import InlineExecutor, LocalExecutor, _Quiet
from discovery.execution.make import make_executor


class Counted(Played):
    made: list[Counted]  # type: ignore[misc]

    def __init__(self, made: list[Counted], times: list[float]) -> None:
        super().__init__(times)
        self.closed = False
        made.append(self)

    def session(self, code: str, function: str, parameters: object, *, counted: int = 0) -> Counted:  # type: ignore[override]
        self.payloads.clear()
        return self

    def close(self) -> None:
        self.closed = True


def test_one_sandbox_a_worker_and_one_to_confirm() -> None:
    made: list[Counted] = []
    executor = LocalExecutor(TASK, lambda: Counted(made, [0.01] * 4), 2)
    assert len(made) == 1, "one proves that the machine isolates; others when they are needed"
    assert all(f.result().outcome == "scored" for f in [executor.submit(JOB) for _ in range(12)])
    assert len(made) <= 2
    for _ in range(3):
        executor.submit(JOB.__class__("code", JOB.instances, {}, confirm=True)).result()
    assert len(made) <= 3
    executor.close()
    assert all(s.closed for s in made)


def test_a_doubtful_time_is_taken_again_alone() -> None:
    made: list[Counted] = []
    executor = InlineExecutor(TASK, lambda: Counted(made, [1.5 * LIMIT, 0.01, 0.01, 0.01]))
    result = executor.submit(JOB).result()
    assert (result.outcome, result.marginal) == ("timeout", True), "1.5 limits both times"
    executor.close()


def test_inline_errors_are_in_the_future() -> None:
    class Broken(Counted):
        def call(self, payload: bytes, answer_bytes: int, limit: float) -> object:  # type: ignore[override]
            raise OSError("gone")

    made: list[Counted] = []
    executor = InlineExecutor(TASK, lambda: Broken(made, []))
    future = executor.submit(JOB)
    with pytest.raises(OSError, match="gone"):
        future.result()
    executor.close()


def test_who_asks_to_be_alone_is_alone_and_is_not_starved() -> None:
    quiet, inside, worst = _Quiet(), [0], [0]
    lock, stop = threading.Lock(), threading.Event()

    def share() -> None:
        while not stop.is_set():
            with quiet.shared():
                with lock:
                    inside[0] += 1
                time.sleep(0.001)
                with lock:
                    inside[0] -= 1

    threads = [threading.Thread(target=share) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        with quiet.alone():
            worst[0] = max(worst[0], inside[0])
    stop.set()
    for thread in threads:
        thread.join(10)
    assert worst[0] == 0 and not any(t.is_alive() for t in threads)


def test_by_name() -> None:
    with pytest.raises(UsageError, match="there are: local, inline, ray"):
        make_executor(TASK, "cloud", 1)
