# ruff: noqa: E501 - one row an attack
"""What a hostile candidate tries, and the verdict it must get. Each answers 1 where it worked."""

from __future__ import annotations

import os
import time

import pytest
from sandbox_samples import numbers, solve

from discovery.sandbox.base import CandidateFailure
from discovery.sandbox.host import ZygoteSandbox
from discovery.sandbox.seccomp import TABLES, machine

MMAP = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_ssize_t
def call(function, *arguments):
    result = function(*(ctypes.c_ssize_t(a) for a in arguments))
    if result == -1: raise OSError(ctypes.get_errno())
    return result
def mmap(size, protection, flags): return call(libc.mmap, 0, size, protection, flags, -1, 0)
"""
# name: (code, allowed verdicts, a piece of the reason)
ATTACKS: dict[str, tuple[str, str, str]] = {
    "exception": ("def f(v):\n    x = 1\n    return 1 / 0", "error", "ZeroDivisionError: division by zero (line 3)"),
    "exception_at_import": ("\n\nraise ValueError('a\\x1b[31mb\\u202e\\nc')", "error", r"a\x1b[31mb\u202e\nc (line 3)"),
    "long_exception": ("def f(v):\n    raise ValueError('x' * 10**6)", "error", "(line 2)"),
    "evil_exception": (
        "class E(Exception):\n    def __str__(self): raise E\ndef f(v): raise E", "error", "E: (no text)"),
    "base_exception": ("def f(v): raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
    "syntax": ("def f(v:\n  return", "error", "SyntaxError"),
    "null_byte": ("def f(v): return v\n\0", "error", "null"),
    "no_function": ("def g(v): return v", "error", "defines no 'f'"),
    "wrong_arguments": ("def f(): return 1", "error", "TypeError"),
    "surrogates": ("def f(v): raise ValueError('\\ud800')", "error", "ud800"),
    "system_exit": ("def f(v): raise SystemExit(0)", "rejected", "exited (status 0)"),
    "exit_zero": ("import posix\ndef f(v): posix._exit(0)", "rejected", "exited (status 0)"),
    "exit_like_a_failed_lock": ("import posix\nposix._exit(70)", "rejected", "exited (status 70)"),
    "conversion_exits": (
        "class L:\n    def __array__(self, *a, **k): raise SystemExit\ndef f(v): return L()", "rejected", "exited"),
    "short": ("def f(v): return []", "rejected", "0 bytes where 8"),
    "long": ("def f(v): return [1, 2, 3]", "rejected", "24 bytes where 8"),
    "nan": ("def f(v): return ['x']", "error", "ValueError"),
    "huge_ints": ("def f(v): return [10**30]", "error", "OverflowError"),
    "coroutine": ("async def f(v): return v", "error", "TypeError"),
    "loop": ("def f(v):\n    while True: pass", "timeout", "processor time"),
    "loop_at_import": ("while True: pass", "timeout", "processor time"),
    "swallow_everything": (
        "def f(v):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        "timeout", ""),
    "c_call": ("def f(v): return [sum(range(10**12))]", "timeout", ""),
    "conversion_hangs": (
        "class L:\n    def __array__(self, *a, **k):\n        while True: pass\ndef f(v): return L()", "timeout", ""),
    "sleep": ("import time\ndef f(v): time.sleep(60)", "error", "PermissionError"),
    "blocks": ("import posix\ndef f(v): posix.read(3, 1)", "timeout", "slept"),
    "waits_for_a_lock": (
        "import _thread\nl = _thread.allocate_lock(); l.acquire()\ndef f(v): l.acquire()", "timeout", "slept"),
    "naps": (
        "import _thread\nl = _thread.allocate_lock(); l.acquire()\ndef f(v):\n    while True: l.acquire(timeout=0.05)",
        "timeout", "slept"),
    "memory_list": ("def f(v):\n    return [0] * 10**9", "error", "MemoryError"),
    "memory_touch": ("def f(v):\n    x = []\n    while True: x.append(bytearray(1 << 20))", "error", "MemoryError"),
    "memory_shared": (MMAP + "def f(v): mmap(1 << 32, 3, 0x21)", "error", "OSError: 12"),
    "stack": ("import sys\nsys.setrecursionlimit(10**9)\ndef f(v): return f(v)", "killed error timeout", ""),
    "segfault": ("import ctypes\ndef f(v): ctypes.string_at(0)", "killed", "SIGSEGV"),
    "abort": ("import posix\ndef f(v): posix.abort()", "killed", ""),
    "fork": ("import posix\ndef f(v): posix.fork()", "error", "PermissionError"),
    "threads": ("import _thread\ndef f(v): _thread.start_new_thread(print, ())", "error", "RuntimeError"),
    "exec": ("import posix\ndef f(v): posix.execv('/bin/true', ['x'])", "killed", "forbidden system call"),
    "vfork_raw": ("import ctypes\ndef f(v): ctypes.CDLL(None).syscall({vfork})", "killed", "forbidden"),
    "tcp": ("import _socket\ndef f(v): _socket.socket()", "killed", "forbidden system call"),
    "unix_socket": ("import _socket\ndef f(v): _socket.socketpair()", "killed", "forbidden system call"),
    "signal_parent": ("import os\nPARENT = {parent}\ndef f(v): os.kill(PARENT, 9)", "killed", "forbidden"),
    "ptrace": ("import ctypes\ndef f(v): ctypes.CDLL(None).ptrace(16, {parent}, 0, 0)", "killed", "forbidden"),
    "kernel_calls": ("import ctypes\ndef f(v): ctypes.CDLL(None).syscall(321, 0, 0, 0)", "killed", "forbidden"),
    "memfd": ("import os\ndef f(v): os.memfd_create('x')", "killed", "forbidden"),
    "executable_memory": (MMAP + "def f(v): mmap(4096, 7, 0x22)", "error", "OSError: 13"),
    "executable_later": (MMAP + "def f(v): call(libc.mprotect, mmap(4096, 3, 0x22), 4096, 5)", "error", "OSError: 13"),
    "priority": ("import os\ndef f(v): os.nice(-5)", "killed error", ""),
    "alarm": ("import signal\ndef f(v): signal.setitimer(signal.ITIMER_REAL, 1)", "killed", "forbidden"),
    "read_file": ("import posix\ndef f(v): posix.open('/etc/passwd', 0)", "error", "PermissionError"),
    "read_own_memory_file": ("import posix\ndef f(v): posix.open('/proc/self/mem', 0)", "error", "PermissionError"),
    "read_other_environ": (
        "import posix\ndef f(v): posix.open('/proc/{parent}/environ', 0)", "error", "PermissionError"),
    "write_file": ("import posix\ndef f(v): posix.open('/tmp/beacon', 0o101)", "error", "PermissionError"),
    "path_handle": ("import posix\ndef f(v): posix.open('/etc/passwd', 0o10000000)", "error", "PermissionError"),
    "file_status": ("import os\ndef f(v): os.stat('/etc/passwd')", "error", "PermissionError"),
    "list_files": ("import os\ndef f(v): os.listdir('/')", "error", "PermissionError"),
    "raise_limits": (
        "import resource\ndef f(v): resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))", "error", ""),
    "forge_frames": (
        "import posix\ndef f(v):\n    posix.write(3, b'\\x08\\0\\0\\0\\x03\\x01\\0\\0\\0' + bytes(8))\n    return [2]",
        "rejected", "extra"),
    "forge_next": (
        "import posix\nposix.write(3, b'\\x00\\0\\0\\0\\x03\\x00\\0\\0\\0'\n"
        "    + b'\\x08\\0\\0\\0\\x03\\x01\\0\\0\\0' + bytes(8))\ndef f(v): return [2]",
        "rejected", ""),
    "odd_bytes": ("import posix\ndef f(v):\n    posix.write(3, b'x' * 100)\n    return [2]", "rejected", "odd bytes"),
    "giant_length": (
        "import posix\ndef f(v):\n    posix.write(3, b'\\xff\\xff\\xff\\xff\\x03\\x01\\0\\0\\0' + bytes(99))\n    return [2]",
        "rejected", ""),
    "giant_error": (
        "import posix\ndef f(v):\n    posix.write(3, b'\\xff\\xff\\0\\0\\x04\\x01\\0\\0\\0' + bytes(99))\n    return [2]",
        "rejected", ""),
    "partial_then_hang": (
        "import posix\ndef f(v):\n    posix.write(3, b'\\x08\\0\\0\\0\\x03\\x01')\n    while True: pass", "timeout", ""),
    "flood": ("import posix\ndef f(v):\n    while True: posix.write(3, bytes(1 << 16))", "rejected timeout", ""),
    "close_channel": ("import posix\ndef f(v):\n    posix.close(3)\n    while True: pass", "rejected", "closed"),
    "late_bytes": (
        "import sys, posix\nm = sys.modules['discovery.sandbox.child']\n"
        "def f(v):\n"
        "    class O:\n"
        "        def __getattr__(self, n): return getattr(posix, n)\n"
        "        def _exit(self, s): posix.write(3, b'more'); posix._exit(0)\n"
        "    m.os = O()\n"
        "    return [2]", "rejected", "after the last answer"),
    "bad_last_status": (
        "import sys, posix\nm = sys.modules['discovery.sandbox.child']\n"
        "class O:\n"
        "    def __getattr__(self, n): return getattr(posix, n)\n"
        "    def _exit(self, s): posix._exit(5)\n"
        "m.os = O()\n"
        "def f(v): return [2]", "rejected", "did not end"),
    "pickle_in_exception": (
        "class E(Exception):\n    def __reduce__(self): return (print, ())\ndef f(v): raise E('p')", "error", "E: p"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(sandbox: ZygoteSandbox, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("discovery.sandbox.host.IDLE_SECONDS", 0.6)
    code, verdicts, reason = ATTACKS[name]
    code = code.replace("{parent}", str(os.getpid() if name != "signal_parent" else sandbox._zygote.pid))
    code = code.replace("{vfork}", str(TABLES[machine()].get("vfork", 1079)))
    with pytest.raises(CandidateFailure) as caught:
        solve(sandbox, code, 1, limit=2.0 if name == "memory_touch" else 0.1)
    failure = caught.value
    assert failure.kind in verdicts.split(), failure
    assert reason in failure.reason
    assert len(failure.reason) <= 300
    assert failure.reason.isprintable()
    assert failure.cpu_seconds >= 0
    if failure.kind == "timeout" and "loop" in name:
        assert failure.cpu_seconds >= 0.2
    assert solve(sandbox, "def f(v): return v", 5) == [5]


HARMLESS = {
    "frames": "import sys\ndef f(v):\n    g, n = sys._getframe(), 0\n    while g: n += sum('SECRET' in x for x in g.f_locals.values() if isinstance(x, str)); g = g.f_back\n    return [n]",
    "gc": "import gc\ndef f(v): return [any(isinstance(o, dict) and 'secret-parameter' in o for o in gc.get_objects())]",
    "environment": "import os, posix\ndef f(v): return [bool(os.environ) or any(b'SECRET' in k for k in posix.environ)]",
    "arguments": "import sys\ndef f(v): return [len(''.join(sys.argv + sys.orig_argv))]",
    "other_modules": "import sys\ndef f(v): return [any(m.startswith(('evaluators', 'searchspaces')) or m == 'discovery.sandbox.host' for m in sys.modules)]",
    "inputs": "def f(v):\n    v[:] = 0\n    return [0]",
    "descriptors": "import posix\ndef f(v):\n    n = 0\n    for d in range(4, 300):\n        try: posix.read(d, 1); n += 1\n        except OSError: pass\n    return [n]",
    "streams": "import posix\ndef f(v):\n    posix.write(1, b'x' * 10**5); posix.write(2, b'x' * 10**5)\n    return [len(posix.read(0, 9))]",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless(sandbox: ZygoteSandbox, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "SECRET")
    assert solve(sandbox, HARMLESS[name], 1) == [0]


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
