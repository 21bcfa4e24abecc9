"""The reference policies: what each makes of a program, what it cannot do, and the programs outside that it calls."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluators.polyhedral import isl_scheduler, pluto, policies, polly, problem, splits, toolchain
from evaluators.polyhedral.codegen import reference
from evaluators.polyhedral.compiler import compiler_of
from evaluators.polyhedral.measuring import Measurer
from evaluators.polyhedral.policies import Unable, judged, speed
from evaluators.task import ImpossibleAnswer, Instance, TaskError

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
NONE = {"threads": "1", "polly": "", "pluto": ""}
SCALED = """
N = size(16, 40)
A = array(N, N)
for i in range(N):
    for j in range(N):
        A[i, j] *= 1.5
"""
COPY = 'test "$1" = --tile && cp program.c tiled.c\n'


@pytest.fixture
def measurer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Measurer]:
    """gcc with a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    caches = (toolchain.cache_folder, toolchain.compiler, polly.measurer, pluto.transformed, pluto.usable)
    for cache in caches:
        cache.cache_clear()
    yield Measurer(policies.gcc(1))
    for cache in caches:
        cache.cache_clear()


def instance(text: str, name: str = "scaled") -> Instance:
    return problem.make(name, name, text, compiler_of(text, name).program.at(1), "here")


def polycc(folder: Path, text: str) -> dict[str, str]:
    """Settings that name a command of this text."""
    path = folder / "polycc"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return {**NONE, "pluto": str(path)}


# -- ours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["isl-fused", "isl-apart"])
def test_isl_is_measured(measurer: Measurer, name: str) -> None:
    given = judged(name, instance(splits.text_of("mvt"), "mvt"), measurer, NONE)
    assert given.value == given.score and 0.05 <= given.score <= 20 and given.score != 1.0


def test_a_program_that_takes_too_long_is_left_to_gcc(
    measurer: Measurer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isl_scheduler, "OPERATIONS", 5000)
    text = splits.text_of("lu")
    compiler = compiler_of(text, "lu")
    with pytest.raises(Unable, match="operations"):
        speed("isl-fused", compiler, compiler.program.at(1), measurer, NONE)
    assert judged("isl-fused", instance(text, "lu"), measurer, NONE).score == 1.0


def test_other_results_of_ours_are_a_bug_and_those_of_others_are_not(
    measurer: Measurer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = reference(compiler_of(SCALED, "scaled").program).replace("1.5", "2.5")
    monkeypatch.setattr(isl_scheduler, "scheduled", lambda *_, **__: wrong)
    with pytest.raises(ImpossibleAnswer, match="scaled compute something else"):
        judged("isl-apart", instance(SCALED), measurer, NONE)
    settings = polycc(tmp_path, "sed s/1.5/2.5/ program.c > tiled.c\n")
    compiler = compiler_of(SCALED, "scaled")
    with pytest.raises(Unable, match="is wrong: A differs"):
        speed("pluto", compiler, compiler.program.at(1), measurer, settings)
    assert judged("pluto", instance(SCALED), measurer, settings).score == 1.0


@pytest.mark.parametrize("name", ["polly", "pluto", "hope"])
def test_a_policy_that_there_is_not(measurer: Measurer, name: str) -> None:
    with pytest.raises(
        TaskError, match=f"needs the option {name}" if name != "hope" else "no reference policy"
    ):
        judged(name, instance(SCALED), measurer, NONE)


# -- Pluto ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gemm", "cholesky", "nussinov", "deriche", "ludcmp", "random-1002"])
def test_what_pluto_gets_is_the_program(measurer: Measurer, tmp_path: Path, name: str) -> None:
    """A command that copies: outputs are compared on the way, so a wrong text would be found."""
    compiler = compiler_of(splits.text_of(name), name)
    text = pluto.source(compiler.program)
    inside = text[text.index("#pragma scop") : text.index("#pragma endscop")]
    assert "long" not in inside and inside.count("for (") == len(compiler.program.loops)
    assert all(re.search(rf"^  long .*\b{n.iterator}\b", text, re.M) for n in compiler.program.loops)
    assert inside.count(" = ") >= len(compiler.program.statements)
    settings = polycc(tmp_path, COPY)
    assert 0.05 <= speed("pluto", compiler, compiler.program.at(0), measurer, settings).ratio <= 20


SLOWER = "sed 's/^#pragma scop/double volatile x; for (long r = 0; r < 3000000; r++) x = r;/' program.c > tiled.c\n"
"""A command that writes slower C."""


def test_what_pluto_makes_is_compiled(measurer: Measurer, tmp_path: Path) -> None:
    settings = polycc(tmp_path, SLOWER)
    assert judged("pluto", instance(SCALED), measurer, settings).score < 0.1


def test_a_program_that_pluto_refuses_is_left_to_gcc(measurer: Measurer, tmp_path: Path) -> None:
    refuses = "grep -q 1.5 program.c && echo 'no scop here' && exit 7\n"
    settings, compiler = polycc(tmp_path, refuses + SLOWER), compiler_of(SCALED, "scaled")
    with pytest.raises(Unable, match="status 7: no scop here"):
        speed("pluto", compiler, compiler.program.at(1), measurer, settings)
    assert judged("pluto", instance(SCALED), measurer, settings).score == 1.0
    other = SCALED.replace("1.5", "0.5")
    assert judged("pluto", instance(other, "other"), measurer, settings).score < 0.1


@pytest.mark.parametrize(
    "text, said",
    [
        ("echo 'libisl is missing'; exit 127\n", r"status 127: libisl is missing"),
        ("true\n", "it has written no file"),
        ("printf '\\377' > tiled.c\n", "is no C"),
        ("head -c 300000 /dev/zero > tiled.c\n", "longer than"),
    ],
)
def test_a_command_that_never_works_is_told_by_its_option(
    measurer: Measurer, tmp_path: Path, text: str, said: str
) -> None:
    settings = polycc(tmp_path, text)
    with pytest.raises(TaskError, match=rf"option pluto=.*polycc'.* even on a plain loop.*{said}") as error:
        judged("pluto", instance(SCALED), measurer, settings)
    assert "\n" not in str(error.value)


def test_a_command_that_hangs_is_stopped_with_all_that_it_has_started(
    measurer: Measurer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pluto, "SECONDS", 0.1)
    settings = polycc(tmp_path, f"sleep 77 & echo $! > {tmp_path}/pid; wait\n")
    begun = time.monotonic()
    with pytest.raises(TaskError, match="stopped after"):
        judged("pluto", instance(SCALED), measurer, settings)
    assert time.monotonic() - begun < 20
    for _ in range(100):  # until it is reaped by whoever inherits it
        if not running(int((tmp_path / "pid").read_text())):
            break
        time.sleep(0.05)
    assert not running(int((tmp_path / "pid").read_text()))


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_command_leaves_nothing_where_this_runs(
    measurer: Measurer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    judged("pluto", instance(SCALED), measurer, polycc(tmp_path, "touch litter\n" + COPY))
    assert list((tmp_path / "here").iterdir()) == []


def test_a_missing_command_is_one_sentence(measurer: Measurer) -> None:
    for name in ("pluto", "polly"):
        with pytest.raises(TaskError, match=f"option {name}='no-such-command'") as error:
            judged(name, instance(SCALED), measurer, {**NONE, name: "no-such-command"})
        assert "\n" not in str(error.value)


# -- Polly ---------------------------------------------------------------------------------------------------


def test_two_compilers_beside_each_other(measurer: Measurer) -> None:  # noqa: ARG001 - the cache is the test's
    plain = policies.gcc(1)
    other = toolchain.compiler("gcc", ("-O1",))
    beside = polly.Beside(other.path, other.version, other.flags, plain)
    text = reference(compiler_of(SCALED, "scaled").program)
    assert beside.compiled(text) == plain.compiled(text)
    marked = polly.text(compiler_of(SCALED, "scaled").program)
    assert beside.compiled(marked) == other.compiled(marked) != plain.compiled(text)
    assert beside.key(marked) == other.key(marked)


def test_a_compiler_without_polly_is_told(measurer: Measurer) -> None:
    with pytest.raises(TaskError, match=r"option polly='gcc'.* takes no -mllvm -polly"):
        judged("polly", instance(SCALED), measurer, {**NONE, "polly": "gcc"})


def test_polly_is_measured_beside_gcc(measurer: Measurer) -> None:
    clang = next((c for c in ("clang-19", "clang-22", "clang-16", "clang") if shutil.which(c)), None)
    if clang is None:
        pytest.skip("there is no clang with Polly")
    settings = {**NONE, "polly": clang}
    try:
        found = judged("polly", instance(splits.text_of("jacobi-2d"), "jacobi-2d"), measurer, settings)
    except TaskError as error:
        pytest.skip(str(error))
    assert (
        found.score != 1.0 and 0.05 < found.score < 20
    )  # 0.35 on the machine of the table: it skews and tiles
