"""The trusted end of the control socket: start a zygote, ask it to fork, end or probe, close it."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from discovery.candidate import ALLOWED_IMPORTS
from discovery.sandbox import frames, landlock, seccomp
from discovery.sandbox.base import Layers, SandboxUnavailable
from evaluators.task import Tier

ROOT = Path(__file__).resolve().parents[2]
"""Where the zygote imports the sandbox from."""
KEPT = ("SERVING_CORE",)
"""What of the environment the zygote gets: which core of a simulator it loads."""
_START_SECONDS = 60
_REPLY_SECONDS = 20
_GRACE_TENTHS = 20
REQUIRED = ("rlimits", "no_new_privs", "landlock", "seccomp")


class ZygoteDied(Exception):
    """The zygote is gone or does not answer; the machine's fault, never the candidate's."""


def clock(pid: int) -> int:
    """The kernel's processor clock of process ``pid``, for time.clock_gettime; it outlives the process until it is
    reaped."""
    return (~pid << 3) | 2


@dataclass(frozen=True)
class Ending:
    """How a child ended: wait status, whether it had to be ``forced``, processor seconds, largest resident set in
    bytes."""

    status: int
    forced: bool
    cpu_seconds: float
    max_rss: int


class Zygote:
    """One running zygote. Raises SandboxUnavailable when it cannot start."""

    def __init__(self, adapter: Path | None, memory: int, layers: Layers, tier: Tier = "strict") -> None:
        self.pid = 0
        self.tier = tier
        if sys.platform != "linux" or seccomp.machine() not in seccomp.TABLES:
            raise SandboxUnavailable(
                f"the native sandbox needs Linux on x86_64 or aarch64, this is {sys.platform} on "
                f"{seccomp.machine()}; run inside a Linux container or virtual machine"
            )
        self.landlock_abi = landlock.abi()
        chosen = [name for name in (*REQUIRED, "namespaces") if getattr(layers, name)]
        stdlib = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
        stdlib = [*dict.fromkeys(stdlib), str(Path(stdlib[0]) / "lib-dynload")]
        packages = str(Path(numpy.__file__).parents[1])
        config = {
            "path": [*stdlib, packages, str(ROOT)],
            "stdlib": stdlib,
            "packages": packages,
            "preload": sorted(ALLOWED_IMPORTS - {"__future__"}),
            "adapter": None if adapter is None else str(adapter.resolve()),
            "memory": memory,
            "layers": chosen,
            "landlock_abi": self.landlock_abi,
            "landlock": landlock.attributes(self.landlock_abi).hex(),
            "seccomp": seccomp.program(tier=tier).hex(),
            "tier": tier,
        }
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:  # held by the zygote alone from now on, so that its end is seen at once
                self._start(theirs)
            self._control.send(json.dumps(config).encode())
            self._patience(_START_SECONDS)
            ready = json.loads(self._reply())
        except (ZygoteDied, OSError) as error:
            self.close()
            raise SandboxUnavailable(f"the sandbox's zygote did not start: {error}") from None
        if "error" in ready:
            self.close()
            raise SandboxUnavailable(f"the sandbox's zygote did not start: {str(ready['error'])[:300]}")
        try:
            time.clock_gettime(clock(self.pid))
        except OSError as error:
            self.close()
            raise SandboxUnavailable(
                f"this kernel does not show the processor time of a child ({error})"
            ) from None
        self.namespaces: tuple[str, ...] = tuple(ready["namespaces"])
        self.refused = str(ready["refused"])
        self._patience(_REPLY_SECONDS)

    def _start(self, theirs: socket.socket) -> None:
        environment = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
        )
        environment |= {name: os.environ[name] for name in KEPT if name in os.environ}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-s",
                "-S",
                "-P",
                "-B",
                str(ROOT / "discovery" / "sandbox" / "zygote.py"),
                str(theirs.fileno()),
            ],
            env=environment | {"PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd="/",
            start_new_session=True,
        )
        self.pid = self._process.pid

    def _patience(self, seconds: int) -> None:
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", seconds, 0))

    def _reply(self) -> bytes:
        try:
            reply = self._control.recv(1 << 16)
        except OSError as error:
            raise ZygoteDied(f"no answer ({error})") from None
        if not reply:
            raise ZygoteDied("it ended")
        return reply

    def _ask(self, message: bytes) -> bytes:
        try:
            self._control.send(message)
        except OSError as error:
            raise ZygoteDied(str(error)) from None
        return self._reply()

    def fork(self, session: socket.socket) -> int:
        """A locked-down child that owns ``session``; its pid. Raises ZygoteDied, or SandboxUnavailable when the
        machine has no process left."""
        try:
            socket.send_fds(self._control, [frames.FORK], [session.fileno()])
        except OSError as error:
            raise ZygoteDied(str(error)) from None
        (pid,) = frames.PID.unpack(self._reply())
        if pid < 0:
            raise SandboxUnavailable(f"the sandbox cannot start another process: {os.strerror(-pid)}")
        return int(pid)

    def end(self, leaving: bool) -> Ending:
        """Reap the child, killing it first unless it is ``leaving`` on its own, which gets two seconds.

        Raises ZygoteDied."""
        reply = self._ask(frames.END + bytes((_GRACE_TENTHS if leaving else 0,)))
        return Ending(*frames.STATUS.unpack(reply))

    def probe(self, layers: list[str], full: bool) -> dict[str, Any]:
        """What the zygote's own attempts at forbidden calls gave. Raises ZygoteDied."""
        wanted = json.dumps({"layers": layers, "full": full}).encode()
        result: dict[str, Any] = json.loads(self._ask(frames.PROBE + wanted))
        return result

    def use(self, layers: list[str]) -> None:
        """Lock later children down with these layers only. Raises ZygoteDied."""
        self._ask(frames.LAYERS + json.dumps(layers).encode())

    def close(self) -> None:
        """End the zygote; it kills its child."""
        self._control.close()
        if not self.pid:
            return
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self._process.wait()
        self.pid = 0
