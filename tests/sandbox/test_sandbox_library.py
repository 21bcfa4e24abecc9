"""The library tier: code may import while it runs; what it must not read stays unreadable, nothing is written."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
from sandbox_samples import ADAPTER, BARE, MEMORY, solve
from toy.task import Knapsack

from discovery.execution.base import StageJob
from discovery.execution.make import make_executor
from discovery.sandbox.base import CandidateFailure, Layers
from discovery.sandbox.host import ZygoteSandbox
from discovery.sandbox.library import readable
from discovery.sandbox.selftest import probe
from evaluators.task import Task, TaskError, Tier

LAZY = {
    "module": "import colorsys",
    "package": "import xml.dom.minidom",
    "native": "import xml.etree.ElementTree as E; E.fromstring('<a/>')",
    "numpy": "import numpy.f2py.crackfortran",
}
PACKAGES = Path(numpy.__file__).parents[1]
PROJECT = Path(__file__).parents[2]
CLOSED = {
    "/etc/passwd": "/etc/passwd",
    "environment": "/proc/self/environ",
    "memory": "/proc/self/mem",
    "home": str(Path.home()),
    "other packages": str(PACKAGES / "pytest" / "__init__.py"),
    "names of packages": str(PACKAGES),
    "references": str(next((PROJECT / "evaluators" / "smtt" / "data").iterdir())),
    "the project": str(PROJECT / "evaluators" / "task.py"),
}


@pytest.fixture(scope="module")
def library() -> Iterator[ZygoteSandbox]:
    with ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE, tier="library") as made:
        assert made.isolated and made.layers["tier"] == "library"
        yield made


@pytest.mark.parametrize("code", LAZY.values(), ids=LAZY)
def test_an_import_while_it_runs_works_here_only(
    library: ZygoteSandbox, sandbox: ZygoteSandbox, code: str
) -> None:
    if "f2py" in code and importlib.util.find_spec("numpy.f2py.crackfortran") is None:
        pytest.skip("this numpy has no f2py")
    lazy = f"def f(v):\n    {code}\n    return v"
    with pytest.raises(CandidateFailure, match="ModuleNotFoundError"):
        solve(sandbox, lazy, 7)
    assert solve(library, lazy, 7, limit=5.0) == [7]


@pytest.mark.parametrize("path", CLOSED.values(), ids=CLOSED)
def test_what_must_not_be_read_is_closed(library: ZygoteSandbox, path: str) -> None:
    for how in (f"posix.open({path!r}, 0)", f"posix.listdir({path!r})"):
        with pytest.raises(CandidateFailure, match=r"PermissionError|FileNotFoundError|NotADirectoryError"):
            solve(library, f"import posix\ndef f(v): {how}", 1)


def test_what_can_be_read_can_be_neither_written_nor_executed(library: ZygoteSandbox) -> None:
    for call in ("posix.open(numpy.__file__, 1)", "posix.open(numpy.__file__, 0o1101)"):
        with pytest.raises(CandidateFailure, match="PermissionError"):
            solve(library, f"import posix, numpy\ndef f(v): {call}", 1)
    with pytest.raises(CandidateFailure, match="forbidden system call"):
        solve(library, "import posix, numpy\ndef f(v): posix.execv(numpy.__file__, ['x'])", 1)


def test_code_of_a_library_can_be_mapped_but_not_changed(library: ZygoteSandbox) -> None:
    """The tier's price: executable pages, of files that nobody inside can write."""
    native = "numpy.linalg._umath_linalg.__file__"
    head = (
        "import ctypes, posix, numpy\nlibc = ctypes.CDLL(None)\n"
        "def call(function, *arguments): return function(*map(ctypes.c_ssize_t, arguments))\n"
        "libc.mmap.restype = ctypes.c_ssize_t\n"
    )
    code = (
        f"def f(v):\n    at = call(libc.mmap, 0, 4096, $p, 2, posix.open({native}, 0), 0)\n"
        "    return [at != -1, call(libc.mprotect, at, 4096, 7), call(libc.mprotect, at, 4096, 3),"
        " call(libc.mprotect, at, 4096, 5)]"
    )
    assert solve(library, head + code.replace("$p", "5"), 1, 2, 3, 4) == [1, -1, 0, -1]
    assert solve(library, head + code.replace("$p", "7"), 1, 2, 3, 4)[0] == 0


@pytest.mark.parametrize("layers", [BARE, Layers()], ids=["bare", "namespaces"])
def test_the_self_test_of_the_tier(layers: Layers) -> None:
    report = probe(layers, tier="library")
    assert report.complaint() == "" and report.tier == "library" and "mount" not in report.namespaces


def test_only_what_is_needed_is_readable(tmp_path: Path) -> None:
    """This project, the task that holds the adapter and what nobody loaded stay closed, wherever they lie."""
    stdlib, packages = tmp_path / "python", tmp_path / "python" / "site-packages"
    names = ("evaluators", "db", "numpy", "numpy.libs", "toy", "unused")
    for folder in (stdlib / "json", *(packages / name for name in names)):
        folder.mkdir(parents=True, exist_ok=True)
    (stdlib / "this.py").touch()
    (stdlib / "outside.py").symlink_to("/etc/passwd")
    adapter = packages / "toy" / "adapter.py"
    adapter.touch()
    found = set(readable([str(stdlib), str(stdlib / "missing")], str(packages), str(adapter)))
    assert found == {
        str(p) for p in (stdlib / "json", stdlib / "this.py", packages / "numpy", packages / "numpy.libs")
    }


class Lazy(Knapsack):
    def __init__(self, tier: Tier, adapter: Path) -> None:
        super().__init__({})
        self.tier = tier
        self.adapter = adapter


def outcome(task: Task) -> str:
    executor = make_executor(task, "inline", 1)
    try:
        code = "def rank(weights, volumes, capacity): return weights"
        return executor.submit(StageJob(code, task.instances("screen"), {})).result().outcome
    finally:
        executor.close()


def test_a_task_asks_for_its_tier(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.py"
    text = Knapsack.adapter.read_text(encoding="utf-8")
    adapter.write_text(text.replace("    numbers = ", "    import colorsys\n\n    numbers = ", 1))
    assert outcome(Lazy("library", adapter)) == "scored"
    assert outcome(Lazy("strict", adapter)) == "error"
    with pytest.raises(TaskError, match="tier 'open'; expected strict or library"):
        outcome(Lazy("open", adapter))  # type: ignore[arg-type]
