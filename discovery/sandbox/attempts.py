"""Forbidden things to try from inside, one layer at a time. They run in forked children of the zygote; an attempt
that comes back without an error was allowed, and the layer does not hold."""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from discovery.sandbox import kernel
from discovery.sandbox.child import NOT_LOCKED, SESSION, Lock
from discovery.sandbox.rlimits import FILES
from discovery.sandbox.seccomp import TABLES, machine

_CALLS = TABLES.get(machine(), {})
_MORE = {
    "x86_64": {"unshare": 272, "keyctl": 250, "mount": 165, "setuid": 105, "setitimer": 38, "tgkill": 234}
}
_MORE["aarch64"] = {"unshare": 97, "keyctl": 219, "mount": 40, "setuid": 146, "setitimer": 103, "tgkill": 131}
_UNUSED = "this"
_HERE = ctypes.create_string_buffer(b"/")
_AT_FDCWD = -100
_PASSED = (errno.EFAULT, errno.EINVAL, errno.ESRCH, errno.ENOENT, errno.EISDIR, errno.EBADF)
"""Errors that only a call which was let through can give; ENOSYS is not among them, an old kernel gives it."""


class Attempt(NamedTuple):
    name: str
    layer: str
    quick: bool
    run: Callable[[], object]


def numbers() -> dict[str, int]:
    """The numbers of system calls on this machine, forbidden ones included; empty on a machine without a table."""
    return {**_CALLS, **_MORE.get(machine(), {})}


def _call(name: str, *arguments: int) -> Callable[[], object]:
    number = numbers().get(name, -1)

    def run() -> object:
        result = kernel.syscall(number, *arguments)
        if name in ("clone", "fork") and result == 0:
            os._exit(0)
        return result

    return run


def _map(protection: int, size: int) -> int:
    return kernel.syscall(_CALLS["mmap"], 0, size, protection, 0x22, -1, 0)


def _no_new_privs() -> None:
    if kernel.prctl(kernel.PR_GET_NO_NEW_PRIVS) == 1:
        raise PermissionError(errno.EPERM, "set")


def _many_files() -> None:
    for _ in range(FILES + 1):
        os.dup(0)


def _connect_tcp() -> None:
    import _socket

    s = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        s.connect(("127.0.0.1", 9))
    except PermissionError:
        raise
    except OSError:
        pass  # the network answered: the attempt was allowed


def _grow(size: int) -> None:
    _map(3, size)


def attempts(abi: int, memory: int, *, library: bool = False) -> list[Attempt]:
    """All attempts that the layers must refuse on a machine with Landlock version ``abi``, in the strict tier or in
    that of the ``library``."""
    path, reading = ctypes.addressof(_HERE), os.O_RDONLY | os.O_CLOEXEC
    parent = os.getpid()
    listed = [
        Attempt("exceed memory", "rlimits", True, lambda: _grow(memory + (64 << 20))),
        Attempt("open many files", "rlimits", True, _many_files),
        Attempt("gain privileges", "no_new_privs", True, _no_new_privs),
        Attempt("open a file", "landlock", True, _call("openat", _AT_FDCWD, path, reading, 0)),
        Attempt("open for writing", "seccomp", True, _call("openat", _AT_FDCWD, path, os.O_WRONLY, 0)),
        Attempt("executable memory", "seccomp", True, lambda: _map(7, 4096)),
        Attempt("executable memory for reading", "seccomp", True, lambda: _map(5, 4096)),
        Attempt("fork", "seccomp", True, _call("clone", signal.SIGCHLD)),
        Attempt("socket", "seccomp", True, _call("socket", 2, 2, 0)),
        Attempt("signal the zygote", "seccomp", True, _call("kill", parent, 0)),
        Attempt("exec", "seccomp", True, lambda: os.execv("/proc/self/exe", ["x"])),
        Attempt("ptrace", "seccomp", False, _call("ptrace", 1, parent, 0, 0)),
        Attempt("read other memory", "seccomp", False, _call("process_vm_readv", os.getpid(), 0, 0, 0, 0, 0)),
        Attempt("memfd", "seccomp", False, _call("memfd_create", path, 0)),
        Attempt("open as path", "seccomp", False, _call("openat", _AT_FDCWD, path, 0o10000000, 0)),
        Attempt("unix socket", "seccomp", False, _call("socket", 1, 1, 0)),
        Attempt("new namespace", "seccomp", False, _call("unshare", 0x1000_0000)),
        Attempt("timer", "seccomp", False, lambda: signal.setitimer(signal.ITIMER_REAL, 0)),
        Attempt("signal handler", "seccomp", False, lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN)),
        Attempt("raise a limit", "seccomp", False, _call("prlimit64", 0, 0, 0, 0)),
        Attempt("prctl", "seccomp", False, _call("prctl", kernel.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)),
        Attempt("sleep", "seccomp", False, _sleep),
        Attempt("bpf", "seccomp", False, _call("bpf", 0, 0, 0)),
        Attempt("io_uring", "seccomp", False, _call("io_uring_setup", 1, 0)),
    ]
    if not library:
        listed.append(Attempt("status of a file", "seccomp", False, lambda: Path("/").stat()))
    if abi >= 4:
        listed.append(Attempt("connect by TCP", "landlock", False, _connect_tcp))
    if abi >= 6:
        listed.append(Attempt("signal the zygote (Landlock)", "landlock", False, _call("kill", parent, 0)))
    return listed


def outside() -> list[Attempt]:
    """What namespaces must refuse, by the name of the namespace; other layers would refuse it, too."""
    return [
        Attempt("net: the machine's own network", "namespaces", False, _reach_the_host),
        Attempt("mount: a file tree", "namespaces", False, _see_files),
    ]


def _reach_the_host() -> None:
    import _socket

    _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM).connect(("127.0.0.1", 9))


def _see_files() -> None:
    if not any(Path("/").iterdir()):
        raise PermissionError(errno.EPERM, "empty")


def _sleep() -> None:
    import time

    time.sleep(0.0001)


def breaches(lock: Lock, listed: list[Attempt], write_end: int, read_end: int) -> list[str]:
    """The names of those of ``listed`` that were allowed under ``lock``. A killed attempt is a refused one and the
    rest goes on in a new child. One entry says that the child could not lock itself down."""
    found, at = [], 0
    while at < len(listed):
        pid = os.fork()
        if pid == 0:
            _try(lock, listed[at:], write_end)
        status = os.waitpid(pid, 0)[1]
        reports = os.read(read_end, 4096) if _readable(read_end) else b""
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == NOT_LOCKED:
            return ["cannot be put on"]
        found += [listed[at + i].name for i, report in enumerate(reports) if report == 1]
        at += len(reports)
        if os.WIFSIGNALED(status):
            if os.WTERMSIG(status) != signal.SIGSYS:
                found.append(f"{listed[at].name} (signal {os.WTERMSIG(status)})")
            at += 1
        elif at < len(listed):  # it left without a report: exec or exit worked
            found.append(listed[at].name)
            at += 1
    return found


def _try(lock: Lock, listed: list[Attempt], write_end: int) -> None:
    try:
        lock.apply(write_end, os.getppid())
    except BaseException:
        os._exit(NOT_LOCKED)
    for attempt in listed:
        try:
            attempt.run()
            report = b"\1"
        except (OSError, MemoryError) as error:
            report = b"\1" if isinstance(error, OSError) and error.errno in _PASSED else b"\0"
        os.write(SESSION, report)
    os._exit(0)


def _readable(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


def honest(lock: Lock, write_end: int, read_end: int, *, library: bool = False) -> bool:
    """Whether an honest computation works under the whole ``lock``, and with a ``library`` an import, too."""
    pid = os.fork()
    if pid == 0:
        try:
            import numpy

            lock.apply(write_end, os.getppid())
            if library:
                importlib.import_module(_UNUSED)
            total = float(numpy.arange(100.0).reshape(10, 10).dot(numpy.ones(10)).sum())
            os.write(SESSION, struct.pack("<d", total))
            os._exit(0)
        except BaseException:
            os._exit(NOT_LOCKED)
    status = os.waitpid(pid, 0)[1]
    reply = os.read(read_end, 4096) if _readable(read_end) else b""
    return status == 0 and reply == struct.pack("<d", 4950.0)
