"""The zygote dies, the host dies, the user is not root: nothing is lost and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy
import pytest
from attacks.plain import only_as_root, run_as_plain_user
from sandbox_samples import ADAPTER, BARE, MEMORY, numbers, solve

from discovery.sandbox.base import CandidateFailure, SandboxUnavailable
from discovery.sandbox.host import ZygoteSandbox

ROOT = Path(__file__).resolve().parents[2]
COUNT = "n = 0\ndef f(v):\n    global n\n    n += 1\n    return [n]"


def _gone(pid: int) -> bool:
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_dead_zygote_is_replaced_between_sessions() -> None:
    with ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE) as sandbox:
        for _ in range(2):
            os.kill(sandbox._zygote.pid, signal.SIGKILL)
            assert solve(sandbox, COUNT, 1) == [1]
        assert sandbox.isolated


def test_a_zygote_that_dies_within_a_session_is_replaced_once() -> None:
    with ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE) as sandbox:
        with sandbox.session(COUNT, "f", {}) as session:
            for expected in (1, 2, 3):
                assert numpy.frombuffer(session.call(numbers(1), 8, 0.5).data, "<i8") == [expected]
            child = session._pid
            os.kill(sandbox._zygote.pid, signal.SIGKILL)
            assert _gone(child)
            assert numpy.frombuffer(session.call(numbers(1), 8, 0.5).data, "<i8") == [4]
            os.kill(sandbox._zygote.pid, signal.SIGKILL)
            assert _gone(session._pid)
            with pytest.raises(SandboxUnavailable, match="died twice"):
                session.call(numbers(1), 8, 0.5)
        assert solve(sandbox, COUNT, 1) == [1]


def test_a_child_that_the_system_kills_once_is_not_its_candidates_fault() -> None:
    """As the kernel does when the machine is out of memory, whoever used it up."""
    with (
        ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE) as sandbox,
        sandbox.session(COUNT, "f", {}) as session,
    ):
        for expected in (1, 2):
            assert numpy.frombuffer(session.call(numbers(1), 8, 0.5).data, "<i8") == [expected]
        os.kill(session._pid, signal.SIGKILL)
        assert numpy.frombuffer(session.call(numbers(1), 8, 0.5).data, "<i8") == [3]
        os.kill(session._pid, signal.SIGKILL)
        with pytest.raises(CandidateFailure, match="killed by the system, often out of memory"):
            session.call(numbers(1), 8, 0.5)


def test_the_thread_that_started_it_may_end() -> None:
    made: list[ZygoteSandbox] = []
    thread = threading.Thread(target=lambda: made.append(ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE)))
    thread.start()
    thread.join()
    with made[0] as sandbox:
        time.sleep(0.1)
        pid = sandbox._zygote.pid
        assert solve(sandbox, COUNT, 1) == [1]
        assert sandbox._zygote.pid == pid


def test_closing_ends_everything() -> None:
    sandbox = ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE)
    session = sandbox.session("while True: pass", "f", {})
    pids = [sandbox._zygote.pid, session._pid]
    sandbox.close()
    with pytest.raises(RuntimeError, match="closed"):
        sandbox.session(COUNT, "f", {})
    assert all(_gone(pid) for pid in pids)


HOST = """
import sys
from pathlib import Path
from discovery.sandbox.host import ZygoteSandbox
sandbox = ZygoteSandbox(Path(sys.argv[1]), memory=1 << 27)
session = sandbox.session("def f(v):\\n    while True: pass", "f", {})
sys.stdout.write(f"{sandbox._zygote.pid} {session._pid}\\n")
sys.stdout.flush()
session.call(bytes(8), 8, 60)
"""


def test_a_killed_host_leaves_nothing_behind() -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(ADAPTER)], stdout=subprocess.PIPE, cwd=ROOT, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert host.stdout is not None
    pids = [int(word) for word in host.stdout.readline().split()]
    assert len(pids) == 2
    host.kill()
    host.wait()
    host.stdout.close()
    assert all(_gone(pid) for pid in pids)


@only_as_root
def test_the_layers_hold_for_a_plain_user() -> None:
    """Root has powers that a plain user lacks and the other way round; both must hold."""
    here = Path(__file__).parent
    run_as_plain_user(str(here / "test_sandbox_channel.py"), str(here / "test_sandbox_layers.py"))
