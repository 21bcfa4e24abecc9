"""A process of its own that compiles and runs generated C within limits; spoken to in JSON lines.

Each order is carried out by a fork with its own limits, so that a crash, an endless loop or a greedy compiler ends
that fork alone. It imports numpy once; a fork costs some milliseconds. Orders: ``compile`` (a compiler command) and
``measure`` (two shared objects side by side). Run as a module; started by :mod:`evaluators.polyhedral.measuring`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

TOLERANCE = 1e-9
"""Of the largest magnitude in an array. Reordered programs differ by rounding alone, since compilers contract
multiplications and additions differently: by some 1e-15, at most 3e-12 in factorisations."""
MOST_REPLY = 1_000_000
ENOUGH, MOST_TURNS = 0.06, 6
"""Seconds of both kernels together after which more turns say little, and how many times as many turns there may be."""

Arrays = dict[str, npt.NDArray[np.float64]]
Kernel = Callable[[Arrays, Mapping[str, int]], None]


def main() -> None:
    """Carry out the orders of standard input, one a line, until it ends."""
    for line in sys.stdin:
        order = json.loads(line)
        try:
            print(json.dumps(_forked(order)), flush=True)  # noqa: T201 - the reply
        except BrokenPipeError:  # nobody is there any more
            os._exit(0)


def _forked(order: dict[str, Any]) -> dict[str, Any]:
    """The reply of a fork, or how it ended: ``{"status": "killed" | "late" | "memory"}``."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            os.setpgid(0, 0)
            _end_with_parent()
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)  # nothing that a program prints is taken for a reply
            _limit(order["limits"])
            reply = ORDERS[order["do"]](order)
            with os.fdopen(writing, "w") as pipe:
                pipe.write(json.dumps(reply))
            status = 0
        except MemoryError:
            status = 3
        finally:
            os._exit(status)
    os.close(writing)
    data, late = _drained(reading, time.monotonic() + order["limits"]["wall"], sys.stdin.fileno())
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if data and not late:
        with contextlib.suppress(ValueError):
            return dict(json.loads(data))
    over = late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
    memory = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 3
    return {"status": "late" if over else "memory" if memory else "killed"}


def _drained(descriptor: int, deadline: float, asking: int | None = None) -> tuple[bytes, bool]:
    """What comes until the end, and whether the deadline came first, or the end of whoever holds the other side of the
    pipe ``asking``."""
    parts: list[bytes] = []
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if asking is not None:
        poll.register(asking, 0)  # a hang-up is always told
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while True:
            ready = {d for d, _ in poll.poll(1000 * max(0.0, deadline - time.monotonic()))}
            if descriptor not in ready:
                return b"", True
            part = pipe.read(65536)
            if not part:
                return b"".join(parts), False
            parts.append(part)
            if sum(map(len, parts)) > MOST_REPLY:
                return b"", False


def _end_with_parent() -> None:
    """Nobody watches the time of a fork whose parent was killed (Linux; elsewhere it goes on to its limits)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _limit(limits: Mapping[str, Any]) -> None:
    for name, value in (
        ("CPU", limits["cpu"]),
        ("AS", limits["memory"]),
        ("FSIZE", limits["file"]),
        ("CORE", 0),
    ):
        number = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(number)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(
            number, (value, min(value + 1, hard) if hard != resource.RLIM_INFINITY else value + 1)
        )


# -- compile -------------------------------------------------------------------------------------------------------


def _compile(order: dict[str, Any]) -> dict[str, Any]:
    """Run a compiler on a source text; the object file appears under its name only when it is whole."""
    source, target = order["source"], order["target"]
    draft = f"{target}.{os.getpid()}.so"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.closerange(3, 64)
        _end_with_parent()
        try:
            os.execve(order["command"][0], [*order["command"], "-o", draft, source], order["environment"])
        finally:
            os._exit(127)
    os.close(writing)
    said, late = _drained(reading, time.monotonic() + order["limits"]["wall"])
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return {"status": "late"}
    if status or not os.path.exists(draft):  # noqa: PTH110 - lean
        with contextlib.suppress(OSError):
            os.unlink(draft)  # noqa: PTH108
        return {"status": "failed", "said": said.decode("utf-8", "replace")[:2000]}
    os.replace(draft, target)  # noqa: PTH105
    return {"status": "ok"}


# -- measure -------------------------------------------------------------------------------------------------------


def _measure(order: dict[str, Any]) -> dict[str, Any]:
    """Compare outputs on each of ``checks``, then time the two side by side at ``sizes``.

    Replies ``{"status": "ok", "reference": [s, …], "candidate": [s, …]}``; ``"differs"`` with what and where; or
    ``"slow"`` with the ratio at the first rung that is beyond ``slowest``."""
    os.environ["OMP_NUM_THREADS"] = str(order["threads"])  # read when the object loads OpenMP
    if order["threads"] == 1:
        _pin()
    # The thread's clock: that of the process ticks in milliseconds on Linux once a limit on processor time is set.
    clock = time.thread_time if order["threads"] == 1 else time.perf_counter
    kernels = [_load(order[side], order) for side in ("reference", "candidate")]
    for check in order["checks"]:
        arrays = filled(order["arrays"], check["sizes"], check["seed"])
        own, others = ({n: a.copy() for n, a in arrays.items()} for _ in kernels)
        for kernel, work in zip(kernels, (own, others), strict=True):
            kernel(work, check["sizes"])
        if unfit := infinite(own, order["written"]):
            return {"status": "unfit", "array": unfit, "sizes": check["sizes"]}
        if found := difference(own, others, order["written"]):
            return {"status": "differs", "array": found[0], "by": found[1], "sizes": check["sizes"]}
    if order["rung"] is not None:
        times, other = _side_by_side(kernels, order, order["rung"], 3, clock)
        if other:
            return other
        ratio = min(times[0]) / max(min(times[1]), 1e-9)
        if ratio < 1.0 / order["slowest"]:
            return {"status": "slow", "ratio": ratio}
    times, other = _side_by_side(kernels, order, order["sizes"], order["repetitions"], clock)
    if other:
        return other
    return {"status": "ok", "reference": times[0], "candidate": times[1]}


def _side_by_side(
    kernels: Sequence[Kernel],
    order: Mapping[str, Any],
    sizes: Mapping[str, int],
    repetitions: int,
    clock: Callable[[], float],
) -> tuple[list[list[float]], dict[str, Any] | None]:
    """Times of each kernel, in turns and each turn beginning with the other one; the reply where outputs differ. Short
    kernels have more turns, to ENOUGH seconds; one that takes ten times as long as the other has two."""
    start = filled(order["arrays"], sizes, 0)
    work = {n: a.copy() for n, a in start.items()}
    times: list[list[float]] = [[], []]
    outputs: list[Arrays] = [{}, {}]
    turn, turns = 0, repetitions
    while turn < turns:
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            for name in order["written"]:
                np.copyto(work[name], start[name])
            begun = clock()
            kernels[side](work, sizes)
            times[side].append(clock() - begun)
            if turn == 0:
                outputs[side] = {n: work[n].copy() for n in order["written"]}
        if turn == 0:
            if unfit := infinite(outputs[0], order["written"]):
                return times, {"status": "unfit", "array": unfit, "sizes": sizes}
            if found := difference(outputs[0], outputs[1], order["written"]):
                return times, {"status": "differs", "array": found[0], "by": found[1], "sizes": sizes}
            outputs = [{}, {}]
            turns = max(turns, min(MOST_TURNS * turns, int(ENOUGH / max(times[0][0] + times[1][0], 1e-6))))
        if turn == 1 and min(times[1]) > 10 * min(times[0]):
            break
        turn += 1
    return times, None


def _load(path: str, order: Mapping[str, Any]) -> Kernel:
    function = ctypes.CDLL(path).kernel
    names = list(order["arrays"])

    def kernel(arrays: Arrays, sizes: Mapping[str, int]) -> None:
        longs = [ctypes.c_long(sizes[n]) for n in order["order"]]
        function(*longs, *[ctypes.c_void_p(arrays[n].ctypes.data) for n in names])

    function.restype = None
    return kernel


def _pin() -> None:
    """Stay on the processor where this runs, so that the caches are the same for both."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setaffinity(0, {ctypes.CDLL(None).sched_getcpu()})


def filled(arrays: Mapping[str, Any], sizes: Mapping[str, int], seed: int) -> Arrays:
    """Inputs: ``arrays`` has for each name its extents (pairs of terms and a constant) and its fill. Always the same
    for the same sizes and seed (PCG64's raw stream, which numpy promises to keep)."""
    made: Arrays = {}
    for number, (name, array) in enumerate(arrays.items()):
        shape = tuple(c + sum(k * sizes[n] for n, k in terms) for terms, c in array["shape"])
        raw = np.random.PCG64([seed, number]).random_raw(int(np.prod(shape)))
        values = ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)
        match array["fill"]:
            case "letters":
                values = np.floor(4.0 * values)
            case "small":
                values /= max(shape)
            case "dominant":
                values[tuple([np.arange(min(shape))] * len(shape))] += max(shape)
        made[name] = values
    return made


def infinite(arrays: Arrays, names: Sequence[str]) -> str | None:
    """The first array that holds what is no finite number: nothing can be compared with it."""
    return next((n for n in names if not np.isfinite(arrays[n]).all()), None)


def difference(a: Arrays, b: Arrays, names: Sequence[str]) -> tuple[str, float] | None:
    """The first array in which ``b`` is not ``a`` up to rounding, and by how much of the largest magnitude there."""
    for name in names:
        x, y = a[name], b[name]
        scale = float(np.abs(x).max(initial=0.0)) or 1.0
        with np.errstate(invalid="ignore"):
            gap = float(np.abs(x - y).max(initial=0.0)) / scale
        if not gap <= TOLERANCE:  # also where there is a NaN
            return name, gap if np.isfinite(gap) else -1.0
    return None


ORDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"compile": _compile, "measure": _measure}

if __name__ == "__main__":
    main()
