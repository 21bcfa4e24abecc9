"""What the host says of a candidate that failed, and how it reads the channel; the attacks are in tests/attacks."""

from __future__ import annotations

import time

import pytest
from sandbox_samples import numbers, solve

from discovery.sandbox.base import CandidateFailure
from discovery.sandbox.host import ZygoteSandbox

# name: (code, a piece of the reason)
ERRORS = {
    "exception": ("def f(v):\n    x = 1\n    return 1 / 0", "ZeroDivisionError: division by zero (line 3)"),
    "exception_at_import": (
        "\n\nraise ValueError('a\\x1b[31mb\\u202e\\nc')",
        r"a\x1b[31mb\u202e\nc (line 3)",
    ),
    "long_exception": ("def f(v):\n    raise ValueError('x' * 10**6)", "(line 2)"),
    "base_exception": ("def f(v): raise KeyboardInterrupt", "KeyboardInterrupt"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_exception_is_told_in_one_short_line(sandbox: ZygoteSandbox, name: str) -> None:
    code, reason = ERRORS[name]
    with pytest.raises(CandidateFailure) as caught:
        solve(sandbox, code, 1)
    failure = caught.value
    assert failure.kind == "error" and reason in failure.reason
    assert len(failure.reason) <= 300 and failure.reason.isprintable()
    assert solve(sandbox, "def f(v): return v", 5) == [5]


def test_an_answer_before_its_instance_is_refused(sandbox: ZygoteSandbox) -> None:
    code = (
        "import posix\ndef f(v):\n"
        "    if v[0] == 1:\n"
        "        posix.write(3, b'\\x08\\0\\0\\0\\x03\\x01\\0\\0\\0' + bytes(8))\n"
        "        for _ in range(3000000): pass\n"
        "        posix.write(3, b'\\x08\\0\\0\\0\\x03\\x02\\0\\0\\0' + bytes(8))\n"
        "        while True: pass\n"
    )
    with pytest.raises(CandidateFailure) as caught, sandbox.session(code, "f", {}) as session:
        session.call(numbers(1), 8, 0.5)
        time.sleep(0.5)
        session.call(numbers(2), 8, 0.5)
    # A host that was kept from the processor in between sees the early answer behind the first one.
    assert caught.value.kind == "rejected"
    assert caught.value.reason in (
        "bytes arrived before the instance was released",
        "extra bytes after an answer",
    )


def test_bytes_behind_an_answer_are_seen_at_once(sandbox: ZygoteSandbox) -> None:
    code = "import posix\ndef f(v): posix.write(3, b'\\x08\\0\\0\\0\\x03\\x01\\0\\0\\0' + bytes(9))"
    with pytest.raises(CandidateFailure) as caught, sandbox.session(code, "f", {}) as session:
        session.call(numbers(1), 8, 0.5)
    assert (caught.value.kind, caught.value.reason) == ("rejected", "extra bytes after an answer")


def test_a_child_that_never_reads_is_given_up(
    sandbox: ZygoteSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discovery.sandbox.host.IDLE_SECONDS", 0.5)
    code = (
        "import posix, _thread\nl = _thread.allocate_lock(); l.acquire()\n"
        "posix.write(3, b'\\0\\0\\0\\0\\x03\\0\\0\\0\\0')\nl.acquire()\n"
    )
    with pytest.raises(CandidateFailure) as caught, sandbox.session(code, "f", {}) as session:
        session.call(bytes(8 << 20), 8, 0.1)
    assert caught.value.kind == "timeout"


def test_without_a_call_loading_is_still_checked(sandbox: ZygoteSandbox) -> None:
    with pytest.raises(CandidateFailure) as caught, sandbox.session("import nothing", "f", {}) as session:
        session.finish()
    assert caught.value.kind == "error"
    assert "No module named 'nothing' (line 1)" in caught.value.reason
