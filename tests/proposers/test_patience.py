"""An endpoint that goes down: the run pauses, says so, goes on by itself, and gives up after the limit."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from toy.loop import Scripted, Toy

import discovery.proposers.patience as patience_module
from discovery import run as engine
from discovery.cli.live import Lines
from discovery.errors import EnvironmentProblem
from discovery.mock_llm import MockServer
from discovery.progress import Progress, StopSignal
from discovery.proposers.base import ProposerDown, ProposerUnavailable, Reply, Request
from discovery.proposers.patience import Patience, Patient


class Clock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.hooks: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.01)
        for due, hook in [h for h in self.hooks if h[0] <= self.now]:
            self.hooks.remove((due, hook))
            hook()


def waiting(
    script: Callable[[Request], str | Exception], minutes: float = 5.0
) -> tuple[Patient, Scripted, Clock, StopSignal, list[str | None], Patience]:
    clock, stop, said = Clock(), StopSignal(), list[str | None]()
    patience = Patience(minutes, stop, said.append, clock=clock, sleep=clock.sleep)
    inner = Scripted(script, paid=True)
    return Patient(inner, patience), inner, clock, stop, said, patience


def asked(proposer: Patient) -> Reply:
    return proposer.ask(Request(0, 0, "improve", 1, None, ()), ())  # type: ignore[arg-type]


class Times:
    """Answers the first request, is down for some more, then answers again."""

    def __init__(self, down: float) -> None:
        self.calls, self.down = 0, down

    def __call__(self, _: Request) -> str | Exception:
        self.calls += 1
        return ProposerDown("connection refused") if 1 < self.calls <= 1 + self.down else "fine"


def test_waits_grow_and_it_goes_on_by_itself() -> None:
    proposer, inner, clock, _, said, _ = waiting(Times(5))
    asked(proposer)
    assert asked(proposer).text == "fine" and len(inner.asked) == 7
    assert clock.now == pytest.approx(5 + 10 + 20 + 40 + 60, abs=1)
    assert said[-1] is None and len(said) == 6
    assert "connection refused" in str(said[0]) and "attempt 2, 5.0 min left" in str(said[0])


def test_nothing_is_waited_for_at_the_first_request() -> None:
    proposer, inner, clock, _, said, _ = waiting(lambda _: ProposerDown("no server"))
    with pytest.raises(ProposerDown, match=r"^no server$"):
        asked(proposer)
    assert clock.now == 0 and not said and len(inner.asked) == 1


def test_it_gives_up_after_the_limit() -> None:
    proposer, inner, clock, _, _, _ = waiting(Times(math.inf), minutes=2)
    asked(proposer)
    with pytest.raises(ProposerUnavailable, match="refused; it did not come back within 2 minutes"):
        asked(proposer)
    assert clock.now == pytest.approx(120, abs=1) and len(inner.asked) == 6


def test_a_wait_of_nothing_does_not_wait() -> None:
    proposer, _, clock, _, _, _ = waiting(Times(math.inf), minutes=0)
    asked(proposer)
    with pytest.raises(ProposerDown):
        asked(proposer)
    assert clock.now == 0


def test_the_wish_to_end_ends_a_wait_at_once() -> None:
    proposer, inner, clock, stop, _, _ = waiting(Times(math.inf))
    asked(proposer)
    clock.hooks.append((3.0, lambda: stop.request() and None))
    with pytest.raises(ProposerDown):
        asked(proposer)
    assert clock.now < 3.0 + 2 * patience_module.SLICE and len(inner.asked) == 2


def test_the_time_of_the_run_ends_a_wait() -> None:
    proposer, _, clock, _, _, patience = waiting(Times(math.inf))
    asked(proposer)
    patience.left = lambda: 30 - clock.now
    with pytest.raises(ProposerDown, match="time ended while it waited"):
        asked(proposer)
    assert clock.now < 31


def test_wrong_keys_are_not_waited_for() -> None:
    answers = iter(["fine", ProposerUnavailable("wrong key")])
    proposer, _, clock, _, _, _ = waiting(lambda _: next(answers))
    asked(proposer)
    with pytest.raises(ProposerUnavailable, match="wrong key"):
        asked(proposer)
    assert clock.now == 0


def test_threads_share_an_outage() -> None:
    """One that is answered lets the others go on, and they count one attempt a round, not one each."""
    up = threading.Event()
    said: list[str | None] = []
    patience = Patience(5, StopSignal(), said.append, sleep=lambda _: up.wait(0.05) and None)
    patience.answered()

    def script(_: Request) -> str | Exception:
        return "fine" if up.is_set() else ProposerDown("refused")

    proposer = Patient(Scripted(script), patience)
    threads = [threading.Thread(target=asked, args=(proposer,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    while not said:
        up.wait(0.01)
    patience.answered()
    up.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert sum(text is not None for text in said) <= 7


# -- whole runs with a server that goes away --


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


class Failing(MockServer):
    """Breaks off the connection of every chat request after number ``at``."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at, self.count = at, 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        with self.lock:
            self.count += 1
            if self.count > self.at:
                raise ConnectionAbortedError
        with super().answering():
            yield


def settings(toy: Toy, url: str, **more: Any) -> engine.RunSettings:
    chosen = toy.settings(
        proposer="chat", model="mock", base_url=url, in_flight=1, tune=False, samples=12, **more
    )
    return engine.RunSettings("knapsack", chosen)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """All waiting is done by a clock of our own."""
    clock = Clock()
    real = Patience.__init__

    def made(self: Patience, *args: Any, **more: Any) -> None:
        real(self, *args, **{**more, "clock": clock, "sleep": clock.sleep})

    monkeypatch.setattr(Patience, "__init__", made)
    yield clock


@pytest.mark.usefixtures("_environment")
def test_a_run_pauses_says_so_and_goes_on(toy: Toy, quick: Clock) -> None:
    with Failing(math.inf) as server:
        undisturbed = engine.start(settings(toy, server.base_url, db="whole"))
    said: list[str] = []
    lines = Lines(said.append)
    with Failing(5) as server:
        quick.hooks.append((60.0, lambda: setattr(server, "at", math.inf)))
        report = engine.start(settings(toy, server.base_url), on_progress=lines)
    assert report.status == "done" and report.samples == 12
    assert toy.digest(report.run) == toy.digest(undisturbed.run, "whole")
    told = [text for text in said if text.startswith("the endpoint is down")]
    assert told and "waiting, attempt 2" in told[0] and "the endpoint is back" in said
    assert quick.now >= 60


@pytest.mark.usefixtures("_environment")
def test_a_run_that_waited_in_vain_is_kept_and_resumed(toy: Toy, quick: Clock) -> None:
    with Failing(5) as server:
        with pytest.raises(
            EnvironmentProblem, match=r"did not come back within 1 minutes \(run r-\w+ is kept"
        ):
            engine.start(settings(toy, server.base_url, wait=1.0))
        with toy.ledger() as ledger:
            (record,) = ledger.runs()
            paid = ledger.spent(record.id).completion_tokens
        assert record.status == "interrupted" and paid > 0 and 60 <= quick.now < 90
        server.at = math.inf
        assert toy.resume(record.id).status == "done"


@pytest.mark.usefixtures("_environment")
def test_ctrl_c_while_it_waits_is_an_interruption_not_an_error(toy: Toy, quick: Clock) -> None:
    stop = StopSignal()
    quick.hooks.append((20.0, lambda: stop.request() and None))
    with Failing(5) as server:
        report = engine.start(settings(toy, server.base_url), stop=stop)
    assert report.interrupted and "stopped by the user" in report.reason and quick.now < 25


def test_the_panel_shows_what_holds_the_run_up() -> None:
    from discovery.cli.live import rows

    progress = Progress("r", "t", "minimize", "%", "chat", "searching")
    assert ("held up", "it is down") in rows(replace(progress, notice="it is down"), [])
    assert "held up" not in dict(rows(progress, []))
