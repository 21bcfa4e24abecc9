"""What a run shows while it works, and how it is asked to end."""

from __future__ import annotations

import io
import os
import signal
import sys
from dataclasses import replace

import pytest

from discovery.cli import live
from discovery.cli.live import Lines, LivePanel, Silent
from discovery.cli.output import console
from discovery.cli.signals import FIRST, listening
from discovery.progress import Look, Progress, Spent, Standing, StopSignal, gain

PROGRESS = Progress(
    run="r-1",
    task="smtt",
    direction="minimize",
    unit="%",
    proposer="genetic",
    phase="searching",
    samples=Spent(120, 300),
    tokens=Spent(500, 1000),
    seconds=Spent(61, 120),
    evaluated=110,
    valid=95,
    duplicates=8,
    failures={"rejected": 2, "timeout": 5, "error": 0},
    best=Standing("abcd1234", 8.0),
    champion=Standing("feed5678", 9.0, 6.0),
    seeds=(Standing("edd", 40.0), Standing("mdd", 16.0)),
    baseline=Standing("nbr", 10.0, 8.0),
    looks=(Look(1, "feed5678", 0.12, 0.004, 0.03, True), Look(2, "beef0000", 0.01, 0.4, 0.008, False)),
    eta=75.0,
)


def test_gain_is_positive_when_better_in_either_direction() -> None:
    assert gain("minimize", 8.0, 10.0) == pytest.approx(0.2)
    assert gain("maximize", 12.0, 10.0) == pytest.approx(0.2)
    assert gain("minimize", -12.0, -10.0) == pytest.approx(0.2)
    assert gain("minimize", 8.0, 0.0) is None
    assert gain("minimize", None, 1.0) is None


def test_a_line_compares_with_the_best_seed_and_the_best_baseline() -> None:
    line = live.line(PROGRESS)
    assert "\n" not in line
    assert line.startswith("1:01 smtt searching · 120/300 samples")
    assert "best abcd1234 8 on search (+50.0 % against mdd, +20.0 % against nbr)" in line
    assert line.endswith("valid 95 · lost 5 timeout, 2 rejected")


def test_a_seed_that_leads_is_not_compared_with_itself() -> None:
    leading = replace(PROGRESS, best=PROGRESS.seeds[1], baseline=None)
    assert "best mdd 16 on search ·" in live.line(leading)


def test_a_line_before_anything_is_known() -> None:
    bare = Progress("r-1", "smtt", "minimize", "%", "genetic", "preparing")
    assert live.line(bare) == "0:00 smtt preparing · 0 samples · valid 0"


def test_the_panel_shows_budget_looks_and_the_gate() -> None:
    shown = dict(live.rows(PROGRESS, [16.0, 9.0, 8.0]))
    assert shown["samples"].endswith("120/300") and shown["tokens"].endswith("500/1,000")
    assert shown["samples"].count("━") == round(24 * 120 / 300)
    assert shown["champion"] == "feed5678  gate 6 (+25.0 % against nbr)"
    assert shown["look 1"] == "feed5678 +12.0 %, p = 0.004 (level 0.03): promoted"
    assert shown["look 2"].endswith("not promoted")
    assert shown["time"] == "1:01 of 2:00, about 1:15 left"
    assert "US $" not in shown


def test_the_panel_draws_hostile_names_as_text() -> None:
    hostile = replace(PROGRESS, seeds=(Standing("\x1b[2J[red]x", 1.0),), failures={"\u202e": 1})
    stream = io.StringIO()
    console(stream).print(live.panel(hostile, [1.0]))
    out = stream.getvalue()
    assert "\x1b" not in out and "\u202e" not in out and "\\x1b[2J[red]x" in out


def test_the_sparkline_rises_as_the_best_improves() -> None:
    assert live.spark([9.0, 5.0, 1.0]) == "▁▄█" or live.spark([9.0, 5.0, 1.0]) == "▁▅█"
    assert live.spark([1.0, 9.0], higher_is_better=True) == "▁█"
    assert live.spark([2.0, 2.0]) == "▁▁"
    assert len(live.spark([float(-i) for i in range(1000)])) <= 40
    assert live.spark([float(-i) for i in range(1000)])[-1] == "█", "the newest value is always drawn"


def test_a_bar_never_overflows() -> None:
    assert live.bar(Spent(5, 2), width=4).startswith("━━━━ ")
    assert live.bar(Spent(0, 2), width=4).startswith("╌╌╌╌ ")
    assert live.bar(Spent(1.25, None)) == "1.2500"


def test_lines_come_seldom_but_for_a_new_champion_and_the_end() -> None:
    written: list[str] = []
    now = [0.0]
    view = Lines(written.append, lambda: now[0])
    view(PROGRESS)
    for now[0] in (0.5, 1.0, 4.9):
        view(PROGRESS)
    assert len(written) == 1
    view(replace(PROGRESS, champion=Standing("other", 1.0)))
    assert len(written) == 2
    now[0] = 20.0
    view(replace(PROGRESS, champion=Standing("other", 1.0)))
    assert len(written) == 3
    view(replace(PROGRESS, champion=Standing("other", 1.0), phase="done"))
    assert len(written) == 4


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_view_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", _Terminal())
    assert isinstance(live.view(quiet=False), LivePanel)
    assert isinstance(live.view(quiet=True), Silent)
    monkeypatch.setenv("NO_COLOR", "1")
    assert isinstance(live.view(quiet=False), Lines)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(live.view(quiet=False), Lines)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(live.view(quiet=False), Lines)


def test_the_live_panel_leaves_the_last_state_on_the_screen() -> None:
    stream = _Terminal()
    with LivePanel(console(stream)) as view:
        view(PROGRESS)
        view.say("a sentence \x1b[2J")
    assert "a sentence \\x1b[2J" in stream.getvalue()
    assert "abcd1234" in stream.getvalue()


def test_the_first_interrupt_finishes_and_the_second_ends_the_process() -> None:
    said: list[str] = []
    child = os.fork()
    if child == 0:  # the second interrupt ends the process, so it needs one of its own
        with listening(said.append) as stop:
            os.kill(os.getpid(), signal.SIGINT)
            if not stop.finishing or said != [FIRST]:
                os._exit(1)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130


def test_sigterm_counts_like_the_first_however_often() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with listening(lambda _: None) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.finishing
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_stop_signal_counts() -> None:
    stop = StopSignal()
    assert [stop.request(), stop.request(), stop.request()] == [1, 2, 3]


def test_a_far_better_rival_is_shown_by_its_score() -> None:
    far = replace(PROGRESS, baseline=Standing("exactish", 0.5, 0.25))
    assert "(+50.0 % against mdd, exactish has 0.5)" in live.line(far)
    assert dict(live.rows(far, []))["champion"] == "feed5678  gate 6 (exactish has 0.25)"
