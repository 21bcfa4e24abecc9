"""The zygote dies, the host dies, the user is not root: nothing is lost and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy
import pytest
from sandbox_samples import ADAPTER, BARE, MEMORY, numbers, solve

from discovery.sandbox.base import SandboxUnavailable
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


def _interpreter() -> str | None:
    """A Python that a plain user may run, of this version and with a numpy that it can read."""
    for path in (sys.executable, "/usr/bin/python3", f"/usr/bin/python3.{sys.version_info.minor}"):
        test = f"import sys, numpy, pytest; assert sys.version_info[:2] == {tuple(sys.version_info[:2])}"
        with contextlib.suppress(OSError):
            if subprocess.run([path, "-c", test], user=65534, group=65534, extra_groups=[], env=_plain(), check=False,
                              capture_output=True, cwd="/").returncode == 0:  # fmt: skip
                return path
    return None


def _plain() -> dict[str, str]:
    packages = str(Path(numpy.__file__).parents[1])
    return {
        "PYTHONPATH": f"{ROOT}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="these tests run as a plain user already")
def test_attacks_as_a_plain_user() -> None:
    """Root has powers that a plain user lacks and the other way round; both must hold."""
    python = _interpreter()
    if python is None:
        pytest.skip("a plain user can run no Python with numpy and pytest on this machine")
    here = Path(__file__).parent
    names = ("test_sandbox_attacks.py", "test_sandbox_layers.py")
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(here / name) for name in names)],
        user=65534, group=65534, extra_groups=[], env=_plain(), cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
