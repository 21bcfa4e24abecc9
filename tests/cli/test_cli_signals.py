"""Ctrl-C is told whatever it interrupts."""

from __future__ import annotations

import signal

import pytest

from discovery.cli.signals import listening


def test_a_signal_in_the_middle_of_a_write_is_told_all_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    def busy(_: str) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    with listening(busy, first="finishing") as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.finishing
    assert capfd.readouterr().err == "finishing\n"
