"""What is outside the sandbox and must stay as it is: files, ports, processes."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

from discovery.sandbox import attempts

MUCH = 48 << 20
"""Bytes that an attack asks for, more than the bench allows."""
_SUBREAPER = 36
_IPC_RMID = 0
_LIBC = ctypes.CDLL(None)


class World:
    """Made in ``folder``. Orphans of any depth become children of this process, so that they are seen."""

    def __init__(self, folder: Path) -> None:
        self._beacon = folder / "beacon"
        self._precious = folder / "precious"
        self._secret = folder / "key.txt"
        self._secret.write_text("SECRET")
        self._precious.write_text("kept")
        self._tcp, self._udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        self._unix, self._abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self._tcp.bind(("127.0.0.1", 0))
        self._udp.bind(("127.0.0.1", 0))
        name = f"discover-attacks-{os.getpid()}"
        self._unix.bind(str(folder / "socket"))
        self._abstract.bind("\0" + name)
        self._names = {
            "unix": str(folder / "socket"), "abstract": name,
            "tcp": str(self._tcp.getsockname()[1]), "udp": str(self._udp.getsockname()[1]),
            "beacon": str(self._beacon), "precious": str(self._precious), "secret": str(self._secret),
            "home": str(Path.home()), "host": str(os.getpid()),
            "references": str(next((Path(__file__).parents[2] / "evaluators/smtt/data").iterdir())),
            "much": str(MUCH // 8), "bytes": str(MUCH), "megabytes": str(MUCH >> 20),
            "key": str(0x5EED0000 + os.getpid() % 65536),
            **{name: str(number) for name, number in attempts.numbers().items()},
        }  # fmt: skip
        for listening in (self._tcp, self._unix, self._abstract):
            listening.listen(8)
        for one in (self._tcp, self._udp, self._unix, self._abstract):
            one.setblocking(False)
        _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)
        self._earlier = children((os.getpid(),))  # of other tests in this process
        self._victim = self._another()

    def names(self, zygote: int) -> dict[str, str]:
        """The words that an attack's code may use."""
        return {**self._names, "victim": str(self._victim.pid), "zygote": str(zygote)}

    def changed(self, parents: Iterable[int]) -> str:
        """What is not as it was, made good again; empty when nothing is. Processes other than ``parents`` that are
        children of these or of this process were left behind."""
        found = [*self._files(), *self._connections()]
        if self._victim.poll() is not None:
            self._victim = self._another()
            found.append("a signal arrived")
        if self._segment():
            found.append("a shared segment is left")
        left = children((*parents, os.getpid())) - {*parents, *self._earlier, self._victim.pid}
        for pid in left:
            found.append("a process is left")
            end(pid)
        return ", ".join(found)

    def close(self) -> None:
        self._victim.kill()
        self._victim.wait()
        for one in (self._tcp, self._udp, self._unix, self._abstract):
            one.close()
        _LIBC.prctl(_SUBREAPER, 0, 0, 0, 0)

    def _another(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "3600"], stdin=subprocess.DEVNULL)

    def _files(self) -> Iterable[str]:
        if os.path.lexists(self._beacon):
            yield "a file was made"
            shutil.rmtree(self._beacon) if self._beacon.is_dir() else self._beacon.unlink()
        if not self._precious.exists():
            yield "a file was deleted"
            self._precious.write_text("kept")

    def _connections(self) -> Iterable[str]:
        for name, one in (("TCP", self._tcp), ("unix", self._unix), ("abstract", self._abstract)):
            try:
                one.accept()[0].close()
                yield f"a {name} connection came"
            except BlockingIOError:
                pass
        try:
            self._udp.recv(99)
            yield "a UDP packet came"
        except BlockingIOError:
            pass

    def _segment(self) -> bool:
        number = _LIBC.shmget(int(self._names["key"]), 0, 0)
        return number >= 0 and _LIBC.shmctl(number, _IPC_RMID, None) == 0


def children(parents: Iterable[int]) -> set[int]:
    """The living children of ``parents``."""
    wanted, found = {str(p).encode() for p in parents}, set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[1] in wanted and fields[0] != b"Z":
                found.add(int(entry.name))
    return found


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def end(pid: int) -> None:
    """Kill, and reap where it is ours."""
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
