"""The compiler and the worker processes: C text → shared object (kept in a cache), two objects → times.

Objects are kept by the hash of text, flags and the compiler's own version line, in a folder of the user's cache. One
measurement at a time runs on this machine, whoever asks (a lock on a file), while compilers may go on beside it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evaluators.task import Missing

FLAGS = ("-O3", "-march=native", "-std=gnu11", "-shared", "-fPIC", "-w")
COMPILE_LIMITS = {"cpu": 30, "wall": 90.0, "memory": 3 * 2**30, "file": 32 * 2**20}
MOST_KEPT = 20_000
"""Objects in the cache; the oldest half goes when there are more."""


@dataclass
class Failure(Exception):
    """A compiler or a program that was stopped or crashed: ``kind`` is late, memory, killed or failed."""

    kind: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.said}" if self.said else self.kind


@dataclass(frozen=True)
class Compiler:
    """A C compiler by its path; ``version`` is the first line that it says of itself."""

    path: str
    version: str
    flags: tuple[str, ...] = FLAGS

    def key(self, text: str) -> str:
        return hashlib.sha256("\0".join([self.version, *self.flags, text]).encode()).hexdigest()[:40]

    def compiled(self, text: str) -> Path:
        """The shared object of a C text. Raises Failure."""
        folder = cache_folder()
        target = folder / f"{self.key(text)}.so"
        with suppress(OSError):
            os.utime(target)  # the oldest ones go first
            return target
        source = folder / f"{target.stem}.{os.getpid()}-{threading.get_ident()}.c"
        source.write_text(text, encoding="ascii")
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TMPDIR": str(folder)}
        try:
            reply = WORKERS.ask(
                {
                    "do": "compile", "command": [self.path, *self.flags], "environment": environment,
                    "source": str(source), "target": str(target), "limits": COMPILE_LIMITS,
                }
            )  # fmt: skip
        finally:
            source.unlink(missing_ok=True)
        if reply["status"] != "ok":
            raise Failure(reply["status"], reply.get("said", ""))
        return target


@cache
def compiler(name: str = "gcc", extra: tuple[str, ...] = ()) -> Compiler:
    """The compiler of this name on this machine. Raises TaskError when there is none."""
    path = shutil.which(name)
    if path is None:
        raise Missing(
            f"no compiler {name!r} on this machine; install one (on Debian and Ubuntu: apt install gcc)"
        )
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"the compiler {path} does not run: {error}") from None
    # -march=native makes different code on different processors
    return Compiler(path, f"{said.splitlines()[0]} on {processor()}", (*FLAGS, *extra))


@cache
def processor() -> str:
    """The processor's name, where the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return os.uname().machine


@cache
def cache_folder() -> Path:
    """Where objects are kept; made for this user alone, and cleared of its older half when it is full."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "discover" / "polyhedral"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise Missing(
            f"{folder} cannot be written to ({error.strerror}); set XDG_CACHE_HOME to a folder that can"
        ) from None
    kept = sorted(folder.glob("*.so"), key=lambda p: p.stat().st_mtime)
    if len(kept) > MOST_KEPT:
        for path in kept[: len(kept) // 2]:
            path.unlink(missing_ok=True)
    return folder


@contextmanager
def alone() -> Iterator[None]:
    """Only one measurement at a time on this machine, for this user. Whoever has measured goes to the end of the queue:
    the one who waits holds the entrance, which is needed to come in again."""
    with (cache_folder() / "entrance.lock").open("w") as entrance:
        fcntl.flock(entrance, fcntl.LOCK_EX)
        file = (cache_folder() / "measuring.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            fcntl.flock(entrance, fcntl.LOCK_UN)
            yield
        finally:
            file.close()


def measured(order: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to a ``measure`` order (:mod:`evaluators.polyhedral.worker`). Raises Failure."""
    with alone():
        reply = WORKERS.ask({"do": "measure", **order})
    if reply["status"] in ("late", "memory", "killed"):
        raise Failure(reply["status"])
    return reply


class Workers:
    """Worker processes, as many as are asked at once; they end with this process."""

    def __init__(self) -> None:
        self._free: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._owner != os.getpid():  # after a fork they are the parent's
                self._free, self._owner = [], os.getpid()
            self._free = [w for w in self._free if w.poll() is None]  # somebody may have killed one
            worker = self._free.pop() if self._free else None
        worker = worker or self._started()
        assert worker.stdin is not None and worker.stdout is not None
        try:
            worker.stdin.write(json.dumps(order) + "\n")
            worker.stdin.flush()
            ready, _, _ = select.select([worker.stdout], [], [], order["limits"]["wall"] + 30.0)
            line = worker.stdout.readline() if ready else ""
            reply = json.loads(line)
        except (OSError, ValueError):
            worker.kill()
            worker.wait()
            return {"status": "killed"}
        except BaseException:
            worker.kill()
            raise
        with self._lock:
            self._free.append(worker)
        return dict(reply)

    @staticmethod
    def _started() -> subprocess.Popen[str]:
        here = Path(__file__).resolve()
        environment = {**os.environ, "PYTHONPATH": str(here.parents[2]), "OMP_NUM_THREADS": "1"}
        command: Sequence[str] = [sys.executable, "-B", str(here.parent / "worker.py")]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            start_new_session=True,
        )  # fmt: skip


WORKERS = Workers()
