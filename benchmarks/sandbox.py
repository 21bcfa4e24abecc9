"""What a session costs, next to in-process exec and to a fresh interpreter, all measured in this run.

Run: ``python benchmarks/sandbox.py [sessions]``. Ratios carry over to other machines, the figures do not.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy

from discovery.sandbox.host import ZygoteSandbox
from discovery.sandbox.process import clock

ADAPTER = """
import numpy
def answer(function, payload, parameters):
    values = numpy.frombuffer(payload, dtype="<f8").copy()
    return numpy.asarray(function(values, **parameters), dtype="<i8").tobytes()
"""
CODE = """
import time
import numpy as np
def f(v):
    end = time.perf_counter() + {seconds}
    while time.perf_counter() < end: pass
    return np.argsort(v)
"""
VALUES = numpy.random.default_rng(1).random(50)
FRESH = "import sys, numpy\nv = numpy.frombuffer(sys.stdin.buffer.read())\nexec({code!r})\nf(v)\n"


def median(action: Callable[[], object], times: int) -> float:
    """Milliseconds of wall time."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return 1e3 * statistics.median(taken)


def session(sandbox: ZygoteSandbox, code: str, instances: int) -> tuple[float, float]:
    """Milliseconds of processor time in all three processes, and of the candidate's own."""
    zygote = clock(sandbox._zygote.pid)
    host, before = time.process_time(), time.clock_gettime(zygote)
    with sandbox.session(code, "f", {}) as opened:
        own = sum(opened.call(VALUES.tobytes(), 8 * len(VALUES), 1.0).cpu_seconds for _ in range(instances))
        child = opened.finish().cpu_seconds
    return 1e3 * (time.process_time() - host + time.clock_gettime(zygote) - before + child), 1e3 * own


def in_process(code: str) -> None:
    namespace: dict[str, Callable[[object], object]] = {}
    exec(compile(code, "<candidate>", "exec"), namespace)
    namespace["f"](VALUES)


def fresh(code: str) -> None:
    program = FRESH.format(code=code)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", program], input=VALUES.tobytes(), check=True, env=environment)


def rate(adapter: Path, code: str, sessions: int) -> float:
    """Sessions a second of two zygotes side by side, a thread each, as two workers of a run."""
    with (
        ZygoteSandbox(adapter, memory=256 << 20) as one,
        ZygoteSandbox(adapter, memory=256 << 20) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        started = time.perf_counter()
        list(pool.map(lambda box: [session(box, code, 1) for _ in range(sessions)], (one, two)))
        return 2 * sessions / (time.perf_counter() - started)


def proportional(pid: int) -> float:
    """Megabytes of proportional memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main(sessions: int) -> None:
    say = sys.stdout.write
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}, ")
    say(f"numpy {numpy.__version__}, {sessions} sessions\n")
    code, empty = CODE.format(seconds=0.001), CODE.format(seconds=0)
    with tempfile.TemporaryDirectory() as folder:
        adapter = Path(folder) / "adapter.py"
        adapter.write_text(ADAPTER)
        started = time.perf_counter()
        with ZygoteSandbox(adapter, memory=256 << 20) as sandbox:
            say(f"start with self-test: {1e3 * (time.perf_counter() - started):.0f} ms\n")
            inside = median(lambda: in_process(code), sessions)
            boxed = median(lambda: session(sandbox, code, 1), sessions)
            other = median(lambda: fresh(code), max(5, sessions // 10))
            say(
                f"1 ms heuristic: in process {inside:.2f} ms, sandbox {boxed:.2f} ms, fresh Python {other:.1f} ms\n"
            )
            say(f"ratios: sandbox / in process {boxed / inside:.1f}, fresh / sandbox {other / boxed:.1f}\n")
            spent = [session(sandbox, code, 1)[0] for _ in range(sessions)]
            say(f"processor time of that session (host, zygote, child): {statistics.median(spent):.2f} ms\n")
            both = rate(adapter, code, sessions)
            say(f"two zygotes: {both:.0f} evaluations/s (target: at least 150 on 2 quiet cores)\n")
            four = median(lambda: session(sandbox, empty, 4), sessions)
            say(f"wall time over the candidate's own, 4 instances: {four:.2f} ms (target: at most 5)\n")
            with sandbox.session(empty, "f", {}) as opened:
                calls, own = 3000, 0.0
                opened.call(VALUES.tobytes(), 400, 1.0)
                started, host = time.perf_counter(), time.process_time()
                for _ in range(calls):
                    own += opened.call(VALUES.tobytes(), 400, 1.0).cpu_seconds
                wall = (time.perf_counter() - started) / calls * 1e6
                host = (time.process_time() - host) / calls * 1e6
                say(
                    f"one call: {wall:.0f} us of wall time, host {host:.0f} us and child {own / calls * 1e6:.0f} us "
                )
                say("of processor time (target: well under 100)\n")
            say(f"zygote: {proportional(sandbox._zygote.pid):.0f} MB proportional (target: at most 40)\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
