"""Two programs side by side: the same results up to rounding, or not; hostile programs; times."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.polyhedral import codegen, measuring, toolchain
from evaluators.polyhedral.language import parse
from evaluators.polyhedral.measuring import Measurer, Speed, WrongResults, check_sizes, rung, speed
from evaluators.polyhedral.program import Program
from evaluators.polyhedral.toolchain import Compiler, Failure, compiler, measured
from evaluators.polyhedral.worker import TOLERANCE, difference
from evaluators.task import TaskError

LIMITS = {"cpu": 20, "wall": 60.0, "memory": 2**31, "file": 2**20}
TEXT = """
N, M = size(9, 90, 900), size(7, 70, 700)
A = array(N, M)
b = array(N)
for i in range(N):
    b[i] = 0
    for j in range(M):
        b[i] += A[i, j] * A[i, j]
"""
HEAD = "#include <stdlib.h>\nvoid kernel(const long N, const long M, double *A, double *b) {\n"
SUM = "for (long i = 0; i < N; i++) { double s = 0; for (long j = 0; j < M; j++) s += A[i*M+j] * A[i*M+j]; b[i] = s; } "
BACKWARDS = SUM.replace("j = 0; j < M; j++", "j = M; j-- > 0;")


@pytest.fixture
def program() -> Program:
    return parse(TEXT, "sums")


def order(program: Program, gcc: Compiler, body: str, **changes: Any) -> dict[str, Any]:
    """To measure a C body beside the program as written."""
    return {
        **measuring.described(program), "reference": str(gcc.compiled(codegen.reference(program))),
        "candidate": str(gcc.compiled(f"{HEAD}{body}}}\n")), "sizes": program.at(0),
        "checks": [{"sizes": s, "seed": k} for s in check_sizes(program) for k in (1, 2)], "rung": None,
        "slowest": 20.0, "repetitions": 3, "threads": 1, "limits": LIMITS, **changes,
    }  # fmt: skip


def test_the_same_program_is_the_same(program: Program, gcc: Compiler) -> None:
    reply = measured(order(program, gcc, SUM))
    assert reply["status"] == "ok" and len(reply["reference"]) == len(reply["candidate"]) >= 3
    assert min(reply["reference"] + reply["candidate"]) > 0


def test_rounding_is_no_difference(program: Program, gcc: Compiler) -> None:
    assert measured(order(program, gcc, BACKWARDS))["status"] == "ok"
    assert (
        measured(order(program, gcc, SUM + "for (long i = 0; i < N; i++) b[i] *= 1 + 1e-12;"))["status"]
        == "ok"
    )


@pytest.mark.parametrize(
    ("body", "by"),
    [
        (SUM + "b[N / 2] *= 1 + 1e-6;", 1e-7),
        (SUM + "b[0] += 1;", 0.1),
        ("", 0.1),
        (SUM + "b[N - 1] = 0.0 / 0.0;", -1.0),
        (SUM + "b[N - 1] = 1 / 0.0;", -1.0),
        ("for (long i = 0; i < N; i++) b[i] = 0.0 / 0.0;", -1.0),
        (SUM + "if (N == 9) b[0] = 0;", 0.1),
        (SUM + "if (N > 9) b[0] = 0;", 0.1),  # only at the second size
    ],
)
def test_other_results_are_told(body: str, by: float, program: Program, gcc: Compiler) -> None:
    reply = measured(order(program, gcc, body))
    assert reply["status"] == "differs" and reply["array"] == "b" and reply["sizes"] in check_sizes(program)
    assert reply["by"] == by if by < 0 else 0.1 * by < reply["by"] < 100 * by


def test_results_count_at_full_size_and_at_the_rung_too(program: Program, gcc: Compiler) -> None:
    wrong = SUM + "if (N == 90) b[0] = 0; if (N == 30) b[1] = 0;"
    for sizes, first in ((program.at(1), None), (program.at(0), {"N": 30, "M": 23})):
        reply = measured(order(program, gcc, wrong, sizes=sizes, rung=first))
        assert reply["status"] == "differs" and reply["sizes"] == (first or sizes)


@pytest.mark.parametrize(
    ("body", "limits"),
    [("while (1) ;", {"wall": 0.8}), (SUM + "if (N > 20) while (1) b[0] += 1;", {"cpu": 1})],
)
def test_a_program_without_end_is_late(
    body: str, limits: dict[str, float], program: Program, gcc: Compiler
) -> None:
    with pytest.raises(Failure, match=r"^late"):
        measured(order(program, gcc, body, limits={**LIMITS, **limits}))
    assert measured(order(program, gcc, SUM))["status"] == "ok", "the next one is measured"


@pytest.mark.parametrize(
    "body",
    [
        "*(volatile int *) 8 = 1;",
        "abort();",
        "_Exit(0);",
        "char *p; while ((p = malloc(1 << 24))) for (long k = 0; k < 1 << 24; k += 4096) p[k] = 1; *(int *) 8 = 1;",
        "volatile char stack[1 << 30]; for (long k = 0; k < 1 << 30; k += 4096) stack[k] = 1;",
        "for (long k = 0; k < 1L << 40; k += 512) A[k] = 1;",
    ],
    ids=["segment", "abort", "exit", "memory", "stack", "overrun"],
)
def test_a_program_that_crashes_is_killed_alone(body: str, program: Program, gcc: Compiler) -> None:
    small = {**LIMITS, "memory": 2**29}
    with pytest.raises(Failure, match=r"^killed"):
        measured(order(program, gcc, body, limits=small))
    assert measured(order(program, gcc, SUM))["status"] == "ok", "the next one is measured"


def test_arrays_that_do_not_fit_are_told(program: Program, gcc: Compiler) -> None:
    with pytest.raises(Failure, match=r"^memory"):
        measured(order(program, gcc, SUM, sizes={"N": 10**5, "M": 10**5}))


def test_what_a_program_prints_is_no_reply(program: Program, gcc: Compiler) -> None:
    """Only our own texts run there; still nothing that is printed may be taken for a reply."""
    noise = '#include <unistd.h>\nvoid noise(void) { write(1, "{\\"status\\": \\"ok\\"}\\n", 17); }\n'
    path = gcc.compiled(noise + f"{HEAD}{SUM}noise();}}\n")
    reply = measured({**order(program, gcc, SUM), "candidate": str(path)})
    assert reply["status"] == "ok" and len(reply["candidate"]) >= 3
    assert measured(order(program, gcc, ""))["status"] == "differs", "replies are not out of step"


def test_threads_are_as_many_as_are_asked_for(program: Program, gcc: Compiler) -> None:
    open_mp = compiler(extra=("-fopenmp",))
    count = (
        "#include <omp.h>\n"
        + HEAD
        + SUM
        + "long k = 0;\n#pragma omp parallel\n{ k = omp_get_num_threads(); }\n"
    )
    path = str(open_mp.compiled(count + "if (k != 2) b[0] = 0; }\n"))
    assert measured({**order(program, gcc, SUM), "candidate": path, "threads": 2})["status"] == "ok"
    assert measured({**order(program, gcc, SUM), "candidate": path})["status"] == "differs"


# -- differences ------------------------------------------------------------------------------------------------------


def test_a_difference_is_relative_to_the_largest_of_its_array() -> None:
    base = {"a": np.array([1e6, 1e-6]), "b": np.array([1.0, 2.0]), "c": np.zeros(2), "d": np.zeros((0, 3))}

    def changed(name: str, at: int, value: float) -> dict[str, Any]:
        made = {n: v.copy() for n, v in base.items()}
        made[name][at] = value
        return made

    assert difference(base, base, list("abcd")) is None
    assert difference(base, changed("a", 1, 1e-6 + 0.9e6 * TOLERANCE), ["a"]) is None
    assert difference(base, changed("a", 1, 1e-6 + 1.1e6 * TOLERANCE), ["a"]) == (
        "a",
        pytest.approx(1.1 * TOLERANCE),
    )
    assert difference(base, changed("c", 0, 1e-8), list("abc")) == ("c", 1e-8)
    assert difference(base, changed("b", 0, 5.0), ["a", "c"]) is None, "only what is written counts"
    for value in (np.nan, np.inf, -np.inf):
        assert difference(base, changed("b", 0, value), list("abc")) == ("b", -1.0)
        both = changed("b", 0, value)
        assert difference(both, both, list("abc")) == ("b", -1.0), "what is no number is never right"


# -- speeds -----------------------------------------------------------------------------------------------------------


def test_a_speed_is_clipped_and_told_with_its_times(program: Program, gcc: Compiler) -> None:
    thrice = f"{HEAD}for (volatile int k = 0; k < 3; k++) {{ {SUM} }}}}\n"
    found = speed(program, program.at(2), thrice, gcc, repetitions=3)
    assert found.ratio == pytest.approx(found.reference / found.own) and 0.05 < found.ratio < 1
    assert measuring.clipped(1000) == 20 == 1 / measuring.clipped(0.001) and measuring.clipped(0.7) == 0.7


def test_what_is_much_slower_is_stopped_early(program: Program, gcc: Compiler) -> None:
    slow = f"{HEAD}for (volatile long k = 0; k < N * 200000; k++) ; {SUM}}}\n"
    begun = time.monotonic()
    assert speed(program, program.at(2), slow, gcc, repetitions=50) == Speed(0.05)
    assert time.monotonic() - begun < 20


def test_a_program_that_never_ends_counts_as_slowest(
    program: Program, gcc: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the program as written is in time; else it is the program that is not fit."""
    times = [0.1]

    def late(order: Any) -> Any:
        if order["candidate"] != order["reference"] or not times:
            raise Failure("late")
        return {"status": "ok", "reference": times, "candidate": times}

    monkeypatch.setattr(measuring, "measured", late)
    endless = f"{HEAD}for (;;) ;}}\n"
    assert speed(program, program.at(0), endless, gcc) == Speed(0.05)
    times[:] = [measuring.LONGEST + 1]
    with pytest.raises(TaskError, match="as written takes more than 4 s"):
        speed(program, program.at(0), endless, gcc)
    times.clear()
    with pytest.raises(TaskError, match="as written ends as late"):
        speed(program, program.at(0), endless, gcc)


def test_who_was_killed_once_runs_again(
    program: Program, gcc: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def killed(order: Any) -> Any:
        asked.append(order["candidate"])
        if len(asked) == 1:
            raise Failure("killed")
        return {"status": "ok", "reference": [2.0], "candidate": [1.0]}

    monkeypatch.setattr(measuring, "measured", killed)
    assert speed(program, program.at(0), f"{HEAD}{SUM}}}\n", gcc).ratio == 2 and len(asked) == 2


@pytest.mark.parametrize("value", ["sqrt(A[i] - 2)", "1 / (A[i] - A[i])"])
def test_a_program_without_finite_results_is_not_fit(gcc: Compiler, value: str) -> None:
    text = f"N = size(9)\nA = array(N)\nB = array(N)\nfor i in range(N):\n    B[i] = {value}\n"
    program = parse(text, "odd")
    with pytest.raises(TaskError, match="B does not stay finite"):
        speed(program, program.at(0), codegen.reference(program), gcc)


def test_first_checks_are_small_and_have_elements() -> None:
    text = "N, M = size({}), size({})\nA = array(N - M + 1)\nfor i in range(N - M + 1):\n    A[i] = 1\n"
    for n, m in ((5000, 3000), (10, 10), (9, 2)):
        program = parse(text.format(n, m), "odd")
        for sizes in measuring.check_sizes(program):
            assert program.shape("A", sizes)[0] >= 1 and max(sizes.values()) < 200, sizes


def test_only_confirmed_figures_raise_the_record(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or noise below what is measured again would add up, step by step."""
    noise, thorough = iter([1.02 * 1.02**k for k in range(30)]), []

    def fake(*_: Any, repetitions: int = measuring.SCREENING, **__: Any) -> Speed:
        if repetitions == measuring.THOROUGH:
            thorough.append(repetitions)
            return Speed(1.0)
        return Speed(next(noise))

    monkeypatch.setattr(measuring, "speed", fake)
    measurer = measuring.Measurer(Compiler("/bin/false", "none"))
    found = [measurer.speed(program, program.at(0), f"text {k}").ratio for k in range(30)]
    assert max(found) <= measuring.BETTER and len(thorough) == 29


def test_wrong_results_are_a_bug_of_ours_never_a_score(program: Program, gcc: Compiler) -> None:
    with pytest.raises(WrongResults, match=r"b differs by .* at \{'N': 9, 'M': 7\}"):
        speed(program, program.at(0), f"{HEAD}{SUM}b[0] *= 2;}}\n", gcc)
    with pytest.raises(WrongResults, match="ended as killed"):
        speed(program, program.at(0), f"{HEAD}abort();}}\n", gcc)
    with pytest.raises(Failure, match="failed"):
        speed(program, program.at(0), "no text in C", gcc)


def test_sizes_to_check_are_small_and_odd(program: Program) -> None:
    first, second = check_sizes(program)
    assert first == {"N": 9, "M": 7} and second == {"N": 21, "M": 19}
    assert rung(program, {"N": 900, "M": 12}) == {"N": 300, "M": 7}
    assert rung(program, {"N": 4, "M": 1}) == {"N": 4, "M": 1}


def test_a_record_is_measured_again_before_it_is_believed(
    program: Program, gcc: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first figure of a record is forgotten; every text is measured once."""
    asked: list[tuple[str, int]] = []
    figures = {"fast": [1.5, 1.3], "slow": [0.9], "faster": [2.0, 1.2], "equal": [1.31]}

    def told(_p: Any, _s: Any, text: str, *_: Any, repetitions: int = 5, **__: Any) -> Speed:
        asked.append((text, repetitions))
        return Speed(figures[text].pop(0))

    monkeypatch.setattr(measuring, "speed", told)
    measurer = Measurer(gcc)
    for _ in range(2):
        got = [measurer.speed(program, program.at(0), t).ratio for t in ("slow", "fast", "faster", "equal")]
        assert got == [0.9, 1.3, 1.2, 1.31]
    assert asked == [("slow", 5), ("fast", 5), ("fast", 10), ("faster", 5), ("faster", 10), ("equal", 5)]
    figures["equal"].append(0.5)
    assert measurer.speed(program, program.at(1), "equal").ratio == 0.5, "other sizes are another measurement"


MEASURING = """
#include <time.h>
#include <stdio.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
"""


def test_two_programs_are_never_measured_at_once(program: Program, gcc: Compiler, tmp_path: Path) -> None:
    """Through threads, with a program that records when it ran."""

    def recorded(_: int) -> dict[str, Any]:
        return measured({**order(program, gcc, SUM), "candidate": str(path)})

    body = (
        f'{SUM}double begun = now(); while (now() < begun + 0.004) ; FILE *f = fopen("{tmp_path / "times"}", "a"); '
        'fprintf(f, "%.9f %.9f\\n", begun, now()); fclose(f);'
    )
    path = gcc.compiled(MEASURING + HEAD + body + "}\n")
    with ThreadPoolExecutor(4) as pool:
        assert all(reply["status"] == "ok" for reply in pool.map(recorded, range(6)))
    spans = sorted([float(v) for v in line.split()] for line in (tmp_path / "times").read_text().splitlines())
    assert len(spans) >= 6 * 6
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert toolchain.WORKERS._free, "they wait for more"
