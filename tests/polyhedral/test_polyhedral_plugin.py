"""An exported autoscheduler at work: a program file in, C out that a compiler takes and that computes what the program
says."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from discovery.plugins.rendering import render_text
from discovery.seeds import baseline_code
from evaluators.polyhedral.hosts import HOSTS
from evaluators.registry import load

pytest.importorskip("islpy")

ROOT = Path(__file__).parents[2]
(HOST,) = HOSTS
SWEEPS = '''"""A product, and averages in time"""
N, T = size(6, 300), size(2, 20)
A = array(N, N)
B = array(N, N)
C = array(N, N)
x = array(N)
y = array(N)
for i in range(N):
    for j in range(N):
        for k in range(N):
            C[i, j] += A[i, k] * B[k, j]
for t in range(T):
    for i in range(1, N - 1):
        y[i] = 0.3 * (x[i - 1] + x[i] + x[i + 1])
    for i in range(1, N - 1):
        x[i] = 0.3 * (y[i - 1] + y[i] + y[i + 1])
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with the package ``rule`` of the baseline ``tailored``, as far as the command needs it; the exported
    package as a whole is in tests/plugins/test_every_task.py."""
    folder = tmp_path / "src" / "rule"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    put(tmp_path, baseline_code(load("polyhedral"), "tailored"))
    template = HOST.template.read_text(encoding="utf-8")
    words = {"package": "rule", "function": "schedule", "arguments": ["program", "oracle"]}
    (folder / HOST.file).write_text(render_text(template, **words), encoding="utf-8")
    return tmp_path


def put(folder: Path, code: str) -> None:
    (folder / "src" / "rule" / "heuristic.py").write_text(code, encoding="utf-8")


def write_c(
    folder: Path, *words: object, paths: tuple[Path, ...] = (ROOT,)
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (folder / "src", *paths)))
    return subprocess.run(
        [sys.executable, "-B", "-m", "rule.write_c", *map(str, words)], cwd=folder,
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def refused(folder: Path, *words: object, **more: tuple[Path, ...]) -> str:
    """The sentence."""
    ended = write_c(folder, *words, **more)
    assert ended.returncode == 2 and ended.stdout == "" and ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


def compiled(folder: Path, name: str) -> ctypes.CDLL:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    flags = ["-O2", "-Wall", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, f"{name}.c", "-o", f"{name}.so"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / f"{name}.so"))


def test_the_c_computes_what_the_program_says(package: Path) -> None:
    (package / "sweeps.poly").write_text(SWEEPS, encoding="utf-8")
    ended = write_c(package, "sweeps.poly", "-o", "sweeps.c", "--size", "N=300", "--size", "T=50")
    assert ended.returncode == 0 and ended.stderr == "" and ended.stdout == ""
    text = (package / "sweeps.c").read_text(encoding="ascii")
    assert "#pragma GCC ivdep" in text and text.count("C[") >= 4, "it was scheduled: register tiles, vectors"
    kernel = compiled(package, "sweeps").kernel
    kernel.restype = None
    draw = np.random.default_rng(1)
    for n, steps in ((6, 2), (37, 9), (131, 50)):  # whatever sizes it was scheduled for
        a, b, c = (draw.random((n, n)) for _ in range(3))
        x, y = draw.random(n), draw.random(n)
        product, u, v = c + a @ b, x.copy(), y.copy()
        for _ in range(steps):
            v[1:-1] = 0.3 * (u[:-2] + u[1:-1] + u[2:])
            u[1:-1] = 0.3 * (v[:-2] + v[1:-1] + v[2:])
        kernel(
            *map(ctypes.c_long, (n, steps)),
            *(ctypes.c_void_p(array.ctypes.data) for array in (a, b, c, x, y)),
        )
        for got, wanted in ((c, product), (x, u), (y, v)):
            np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_the_example_is_a_program(package: Path) -> None:
    (package / "example.poly").write_text(write_c(package, "--example").stdout, encoding="utf-8")
    written = write_c(package, "example.poly")
    assert written.returncode == 0
    (package / "example.c").write_text(written.stdout, encoding="ascii")
    kernel, n = compiled(package, "example").kernel, 23
    draw = np.random.default_rng(2)
    a, x, y = draw.random((n, n)), draw.random(n), draw.random(n)
    wanted = y + a @ x
    kernel(ctypes.c_long(n), *(ctypes.c_void_p(array.ctypes.data) for array in (a, x, y)))
    np.testing.assert_allclose(y, wanted, rtol=1e-12)


def test_threads_are_marked_on_request(package: Path) -> None:
    put(package, "def schedule(program, oracle):\n    return [('parallel', program.loops[0].name)]\n")
    (package / "e.poly").write_text(write_c(package, "--example").stdout)
    assert "#pragma omp parallel for" not in write_c(package, "e.poly").stdout
    assert "#pragma omp parallel for" in write_c(package, "e.poly", "--threads").stdout


def test_the_scheduler_is_told_the_sizes(package: Path) -> None:
    put(
        package,
        "def schedule(program, oracle):\n    return [('strip', 'i', dict(program.sizes)['N'] % 1000 + 2)]\n",
    )
    (package / "e.poly").write_text(write_c(package, "--example").stdout)
    assert "/ 2" in write_c(package, "e.poly").stdout or "+= 2" in write_c(package, "e.poly").stdout
    assert "9" in write_c(package, "e.poly", "--size", "N=7").stdout


def test_what_is_wrong_is_one_sentence(package: Path) -> None:
    (package / "good.poly").write_text(write_c(package, "--example").stdout)
    (package / "far.poly").write_text("N = size(3)\nA = array(N)\nfor i in range(N):\n    A[i + 1] = 1.0\n")
    (package / "half.poly").write_text("N = size(3)\nA = array(N)\nfor i in range(N):\n    A[i] = B[i]\n")
    (package / "empty.poly").write_text("")
    (package / "bytes.poly").write_bytes(b"\xff\xfe")
    cases = {
        (): "name a program file",
        ("nothing.poly",): "nothing.poly cannot be read: No such file",
        ("empty.poly",): "holds no program",
        ("bytes.poly",): "byte 0 is not UTF-8",
        ("half.poly",): "half, line 4: only declared arrays",
        ("far.poly",): "S0 reaches outside of A",
        ("good.poly", "--size", "M=3"): "sizes are N, whole numbers",
        ("good.poly", "--size", "N=0"): "sizes are N, whole numbers from 1",
        ("good.poly", "--size", "N"): "--size N: expected NAME=NUMBER",
        ("good.poly", "--size", "N=٣"): "expected NAME=NUMBER",
        ("good.poly", "-o", "no/where.c"): "cannot be written: No such file",
    }
    for words, sentence in cases.items():
        assert sentence in refused(package, *words), words


def test_a_scheduler_that_fails_is_one_sentence(package: Path) -> None:
    (package / "good.poly").write_text(write_c(package, "--example").stdout)
    bodies = {
        "return None": "the scheduler gave no transforms: TypeError",
        "return [('reverse', 'nowhere')]": "transform 0 (Reverse): there is no loop 'nowhere'",
        "return [('reverse',)]": "reverse takes loop",
        "return {}['x']": "the scheduler gave no transforms: KeyError",
        "return [('vectorise', 'j')]": "j carries the",
        "while True: oracle.is_legal([('strip', 'i', 2 + len(seen))]); seen.append(1)": "budget of operations is",
    }
    for body, sentence in bodies.items():
        put(package, f"seen = []\ndef schedule(program, oracle):\n    {body}\n")
        assert sentence in refused(package, "good.poly"), body


def test_what_is_missing_is_named(package: Path, tmp_path: Path) -> None:
    (package / "good.poly").write_text(write_c(package, "--example").stdout)
    for module in ("islpy", "evaluators"):
        (tmp_path / f"no-{module}" / module).mkdir(parents=True)
        error = f"raise ModuleNotFoundError('no', name={module!r})\n"
        (tmp_path / f"no-{module}" / module / "__init__.py").write_text(error)
    extra = "pip install 'discover-heuristics[polyhedral]'"
    said = refused(package, "good.poly", paths=(tmp_path / "no-islpy", ROOT))
    assert "islpy is not installed" in said and extra in said
    said = refused(package, "good.poly", paths=(tmp_path / "no-evaluators", ROOT))
    assert "the workbench is not installed" in said and extra in said
    assert write_c(package, "--example", paths=(tmp_path / "no-evaluators", ROOT)).returncode == 0
