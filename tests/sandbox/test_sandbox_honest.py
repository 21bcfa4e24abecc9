"""Honest candidates get exact answers, alone and in long sessions, and the same ones everywhere."""

from __future__ import annotations

import os
import time

import numpy
import pytest
from sandbox_samples import ADAPTER, BARE, MEMORY, numbers, solve

from discovery.sandbox.base import CandidateFailure
from discovery.sandbox.host import ZygoteSandbox

LIBRARIES = """
import bisect, collections, copy, dataclasses, enum, fractions, functools, heapq, itertools, math, operator
import random, statistics, typing
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

@dataclasses.dataclass(order=True)
class Job:
    due: "float"
    number: int = 0

class Kind(enum.Enum):
    A = 1

Pair = collections.namedtuple("Pair", "a b")

@functools.singledispatch
def kind(x): return 0
@kind.register
def _(x: int): return 1

def f(v: npt.NDArray[np.float64]) -> list[int]:
    a = np.random.rand(60, 60) + np.eye(60)
    np.linalg.svd(a), np.linalg.inv(a), np.linalg.eigvals(a), np.linalg.det(a), a @ a
    np.linalg.lstsq(a, a[0], rcond=None)
    np.fft.fft(a), np.sort(a), np.unique(a), np.median(a), np.percentile(a, 30), np.lexsort((a[0], a[1]))
    np.einsum("ij,jk->ik", a, a), np.histogram(a), np.polyfit(v, v, 1), np.interp(1, v, v)
    np.ma.masked_less(a, 0.5).mean()
    np.zeros(3) / np.zeros(3), np.array(["b", "a"]).astype("U5"), np.datetime64("2026-01-01") + 1, str(a), repr(a.dtype)
    np.random.default_rng(3).permutation(9), sliding_window_view(a, 3, axis=0), np.cov(a)
    np.apply_along_axis(sum, 0, a)
    np.array([1, 2], dtype=[("x", "i4")])["x"], np.char.upper(np.array(["a"])), np.vectorize(abs)(a), np.gradient(v)
    statistics.mean([1, 2]), statistics.quantiles([1, 2, 3]), fractions.Fraction("1/3"), copy.deepcopy({1: [2]})
    "ä".encode("latin-1"), "x".encode("ascii"), "%.3f" % 1.5, f"{1.5:n}", "\\N{BULLET}", random.sample(range(9), 3)
    try:
        np.array([1]) + np.array(["a"])
    except TypeError as error:
        str(error)
    heap = [Job(d, i) for i, d in enumerate(v)]
    heapq.heapify(heap)
    print("done", Kind.A, Pair(1, 2), typing.get_type_hints(Job), kind(1))
    größe = [heapq.heappop(heap).number for _ in range(len(v))]
    return größe
"""


def test_numpy_python_and_every_library(sandbox: ZygoteSandbox) -> None:
    assert solve(sandbox, "import numpy as np\ndef f(v):\n    return np.argsort(v)", 3, 1, 2) == [1, 2, 0]
    assert solve(sandbox, "def f(v):\n    return sorted(range(len(v)), key=lambda i: v[i])", 3, 1, 2) == [
        1,
        2,
        0,
    ]
    assert solve(sandbox, LIBRARIES, 3, 1, 2) == [1, 2, 0]


def test_works_with_all_extras(full_sandbox: ZygoteSandbox) -> None:
    assert full_sandbox.isolated
    assert solve(full_sandbox, LIBRARIES, 3, 1, 2) == [1, 2, 0]


def test_parameters(sandbox: ZygoteSandbox) -> None:
    code = "def f(v, *, a=1, b=1.0, c='x'):\n    return [a, b * 4, len(c)]"
    assert solve(sandbox, code, 1, 2, 3, a=7, b=0.5, c="four") == [7, 2, 4]


def test_output_time_and_memory(sandbox: ZygoteSandbox) -> None:
    code = "import sys\nprint('hello')\ndef f(v):\n    print('x' * 9000, file=sys.stderr)\n    return v"
    with sandbox.session(code, "f", {}) as session:
        session.call(numbers(1), 8, 0.5)
        closing = session.finish()
    assert closing.output == (b"hello\n" + b"x" * 9000)[:4096]
    assert closing.max_rss > 1 << 20
    assert 0 < closing.cpu_seconds < 0.5


def test_five_hundred_instances(sandbox: ZygoteSandbox) -> None:
    rng = numpy.random.default_rng(1)
    with sandbox.session("import numpy as np\ndef f(v):\n    return np.argsort(v)", "f", {}) as session:
        for _ in range(500):
            values = rng.random(int(rng.integers(1, 60)))
            answer = session.call(values.tobytes(), 8 * len(values), 0.5)
            assert numpy.array_equal(numpy.frombuffer(answer.data, "<i8"), numpy.argsort(values))
            assert 0 <= answer.cpu_seconds < 0.5
        session.finish()


def test_big_instance_and_answer(sandbox: ZygoteSandbox) -> None:
    values = numpy.arange(400_000.0)[::-1].copy()
    with sandbox.session("import numpy as np\ndef f(v):\n    return np.argsort(v)", "f", {}) as session:
        answer = session.call(values.tobytes(), 8 * len(values), 2.0)
        session.finish()
    assert numpy.array_equal(numpy.frombuffer(answer.data, "<i8"), numpy.argsort(values))


def test_time_is_counted_per_instance(sandbox: ZygoteSandbox) -> None:
    code = "def f(v):\n    s = 0\n    for i in range(int(v[0])): s += i\n    return v"
    with sandbox.session(code, "f", {}) as session:
        session.call(numbers(1), 8, 5)
        long = session.call(numbers(2_000_000), 8, 5).cpu_seconds
        short = session.call(numbers(1), 8, 5).cpu_seconds
    assert long > 0.02 > 0.005 > short


def test_a_late_answer_is_an_answer(sandbox: ZygoteSandbox) -> None:
    code = "import time\ndef f(v):\n    while time.process_time() < 0.15: pass\n    return v"
    with sandbox.session(code, "f", {}) as session:
        assert 0.1 < session.call(numbers(1), 8, 0.1).cpu_seconds < 0.2


def test_no_state_between_sessions(sandbox: ZygoteSandbox) -> None:
    spoil = """
import sys, os, builtins, random
import numpy as np
builtins.beacon = 1
np.beacon = 1
np.argsort = None
random.random()
sys.modules["math"].pi = 3
sys.modules["beacon"] = sys
os.environ["beacon"] = "1"
def f(v): return v
"""
    look = """
import sys, os, builtins, math
import numpy as np
def f(v):
    return [hasattr(builtins, "beacon") or hasattr(np, "beacon") or np.argsort is None or math.pi == 3
            or "beacon" in sys.modules or "beacon" in os.environ]
"""
    assert solve(sandbox, spoil, 1) == [1]
    assert solve(sandbox, look, 1) == [0]


RANDOM = """
import random
import numpy as np
def f(v):
    names = {"a", "b", "c", "delta", "echo"}
    return [random.getrandbits(40), np.random.randint(1 << 40), hash("x"), np.random.default_rng().integers(1 << 40),
            hash(tuple(names)), random.Random().getrandbits(40), [random.seed(), random.getrandbits(40)][1]]
"""


def test_two_sandboxes_draw_alike(sandbox: ZygoteSandbox) -> None:
    first = solve(sandbox, RANDOM, *range(7))
    assert solve(sandbox, RANDOM, *range(7)) == first
    with ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE) as other:
        assert solve(other, RANDOM, *range(7)) == first


def test_a_starved_child_is_not_killed(sandbox: ZygoteSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many busy neighbours wall time runs far ahead of processor time; only the latter counts."""
    monkeypatch.setattr("discovery.sandbox.host.IDLE_SECONDS", 0.2)
    code = "import time\ndef f(v):\n    while time.process_time() < 0.12: pass\n    return v"
    with sandbox.session(code, "f", {}) as session:
        one = {min(os.sched_getaffinity(0))}
        os.sched_setaffinity(session._pid, one)
        neighbours = [_spin(one) for _ in range(20)]
        try:
            started = time.monotonic()
            session.call(numbers(1), 8, 0.15)
            assert time.monotonic() - started > 0.5
        finally:
            for pid in neighbours:
                os.kill(pid, 9)
                os.waitpid(pid, 0)


def _spin(processors: set[int]) -> int:
    pid = os.fork()
    if pid == 0:
        os.setsid()  # a scheduling group of its own, where the kernel groups by session
        os.sched_setaffinity(0, processors)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pass
        os._exit(0)
    return pid


def test_a_session_that_is_left_early_is_cleaned_up(sandbox: ZygoteSandbox) -> None:
    with sandbox.session("def f(v):\n    return v", "f", {}) as session:
        session.call(numbers(1), 8, 0.5)
        pid = session._pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(RuntimeError):
        session.call(numbers(1), 8, 0.5)


def test_a_bad_candidate_ends_only_its_session(sandbox: ZygoteSandbox) -> None:
    with pytest.raises(CandidateFailure), sandbox.session("def f(v):\n    return 1 / 0", "f", {}) as session:
        session.call(numbers(1), 8, 0.5)
    assert solve(sandbox, "def f(v):\n    return v", 5) == [5]
