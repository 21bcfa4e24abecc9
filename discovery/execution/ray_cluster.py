"""A connection to a Ray cluster: the few calls of Ray that the executor needs, and what its failures mean."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from discovery.errors import EnvironmentProblem, UsageError
from discovery.execution import wire
from discovery.execution.base import StageResult
from discovery.execution.ray_worker import Worker
from evaluators.task import Task

ANSWER_SECONDS = 5.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""What an HTTP/2 client says first, with empty settings; a gRPC server, as a head is, says its own settings."""


class Lost(Exception):
    """The worker's process or node is gone, or its sandbox is."""


def connect(address: str) -> Cluster:
    """The cluster whose head listens at HOST:PORT. Raises UsageError and EnvironmentProblem."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(
            f"--address {address!r}: expected HOST:PORT of the cluster's head, such as 10.0.0.5:6379"
        )
    # Ray prints its own reports of lost nodes on stdout, where our data goes; the executor tells of them.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "(?s).*")
    if find_spec("ray") is None:
        raise EnvironmentProblem("clusters need the extra `ray`: pip install 'discover-heuristics[ray]'")
    if why := _silence(host, int(port)):
        raise EnvironmentProblem(
            f"no Ray cluster answers at {address} ({why}); start one with `ray start --head --port={port}`, or correct "
            "--address"
        )
    import ray

    own = not ray.is_initialized()
    if own:
        handlers = _handlers()
        try:
            ray.init(
                address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False
            )
        except Exception as error:
            with suppress(Exception):
                ray.shutdown()
            said = " ".join(str(error).split())[:300]
            raise EnvironmentProblem(
                f"the cluster at {address} cannot be joined ({said}); discover must run on one of its machines, with "
                "the same versions of Ray and Python"
            ) from error
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return Cluster(ray, address, own)


def _silence(host: str, port: int) -> str:
    """Why no head answers there, empty when one does. Ray itself would try for minutes, and write to the terminal."""
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(_PREFACE)
            return "" if connection.recv(9)[3:4] == b"\x04" else "something answers, but not as Ray does"
    except TimeoutError:
        return f"nothing within {ANSWER_SECONDS:g} s"
    except OSError as error:
        return error.strerror or str(error)


def _handlers() -> dict[int, Any]:
    """Our own signal handlers, which Ray replaces; none where they cannot be set."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}


class Cluster:
    """An open connection. ``close`` ends it, and with it every actor that was hired."""

    def __init__(self, ray: Any, address: str, own: bool) -> None:
        self.address = address
        self._ray, self._own = ray, own
        self._actors: set[Actor] = set()
        self._lock = threading.Lock()
        self._hiring = True

    def answers(self) -> bool:
        """Whether the head is there."""
        host, _, port = self.address.rpartition(":")
        return not _silence(host, int(port))

    def put(self, data: bytes) -> Any:
        """A reference to bytes that all workers can read."""
        return self._ray.put(data)

    def hiring(self, task: Task, unsafe: bool) -> Callable[[], Actor]:
        """What makes an actor for the task: on a core of its own, on as many nodes as there are."""
        remote = self._ray.remote(
            num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD"
        )(Worker)

        def hire() -> Actor:
            with self._lock:
                actor = Actor(
                    self._ray, remote.remote(task.name, dict(task.settings), unsafe), self._dismissed
                )
                self._actors.add(actor)
            if not self._hiring:
                actor.end()
            return actor

        return hire

    def stop_hiring(self) -> None:
        """End the actors that wait for a core; those that work end with their job."""
        self._hiring = False
        for actor in [a for a in self._actors if not a.node]:
            actor.end()

    def close(self) -> None:
        for actor in list(self._actors):
            actor.end()
        if self._own:
            self._ray.shutdown()

    def _dismissed(self, actor: Actor) -> None:
        with self._lock:
            self._actors.discard(actor)


class Actor:
    """One worker. ``node`` is the address of its machine, empty until it has said hello."""

    def __init__(self, ray: Any, handle: Any, dismissed: Callable[[Actor], None]) -> None:
        self._ray, self._handle, self._dismissed = ray, handle, dismissed
        self._asked: Any = None
        self.node = ""

    def hello(self, seconds: float) -> Mapping[str, Any] | None:
        """What the worker says of itself, None when it has no core yet. Raises Lost."""
        self._asked = self._asked or self._handle.hello.remote()
        try:
            found: dict[str, Any] = wire.decode(self._got(self._asked, seconds))
        except self._ray.exceptions.GetTimeoutError:
            return None
        self.node = found["node"]
        return found

    def wait_until_ready(self) -> None:
        """Return when the worker could take a chunk. Raises Lost."""
        self._got(self._handle.__ray_ready__.remote(), None)

    def run(self, jobs: bytes, sets: Mapping[str, Any]) -> tuple[float, tuple[StageResult, ...]]:
        """The seconds and the results of a chunk. Raises Lost."""
        found = wire.decode(self._got(self._handle.run.remote(jobs, dict(sets)), None))
        if isinstance(found, str):
            raise Lost(found)
        seconds, results = found
        return seconds, results

    def end(self) -> None:
        """End the worker's process, whatever it does; its zygote and children die with it."""
        with suppress(Exception):
            self._ray.kill(self._handle, no_restart=True)
        self._dismissed(self)

    def _got(self, reference: Any, seconds: float | None) -> Any:
        errors = self._ray.exceptions
        try:
            data = self._ray.get(reference, timeout=seconds)
        except (errors.GetTimeoutError, errors.RayTaskError):  # nothing yet; a defect of ours
            raise
        except errors.RayError as error:
            raise Lost(" ".join(str(error).split())) from error
        return data
