"""The task as the workbench uses it: what counts as what, who is refused, what is said where something is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("islpy", reason="the extra polyhedral is not installed")

from evaluators.polyhedral import compiler as compilers
from evaluators.polyhedral import oracle as oracles
from evaluators.polyhedral import referee, splits, toolchain
from evaluators.polyhedral.adapter import ANSWER_BYTES, padded
from evaluators.polyhedral.codegen import TooLong
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.dependences import OutOfOperations
from evaluators.polyhedral.language import parse
from evaluators.polyhedral.measuring import Measurer, Speed, WrongResults
from evaluators.polyhedral.problem import make, opened
from evaluators.polyhedral.program import Program, Sizes
from evaluators.polyhedral.referee import ILLEGAL
from evaluators.polyhedral.toolchain import Failure
from evaluators.polyhedral.transforms import read
from evaluators.registry import load
from evaluators.task import ImpossibleAnswer, Instance, InvalidAnswer, TaskError

PRODUCT = """N = size(9, 21)
A = array(N, N)
x = array(N)
y = array(N)
for i in range(N):
    for j in range(N):
        y[i] += A[i, j] * x[j]
"""
SWAP = [["interchange", ["j", "i"]]]
BACKWARDS = [["reverse", "j"]]


def answer(transforms: object) -> bytes:
    return padded(transforms, ANSWER_BYTES)


def instance(*, strict: bool = False) -> Instance:
    return make("product", "product", PRODUCT, {"N": 21}, "a machine", strict=strict)


class Counting(Measurer):
    """Gives every text the speed-up 2, and keeps the texts."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def speed(self, program: Program, sizes: Sizes, text: str) -> Speed:  # noqa: ARG002 - the same for all
        self.texts.append(text)
        return Speed(2.0)


def test_what_is_refused_is_not_run_and_counts_less_than_doing_nothing() -> None:
    measurer = Counting()
    assert referee.judge(instance(), answer(BACKWARDS), measurer).score == ILLEGAL < 1
    assert referee.judge(instance(), answer([["no", "such"]]), measurer).score == ILLEGAL
    assert not measurer.texts


def test_the_quick_screen_tells_which_dependence_broke() -> None:
    with pytest.raises(InvalidAnswer, match=r"Reverse.*flow dependence from S0 to S0 through y"):
        referee.judge(instance(strict=True), answer(BACKWARDS), Counting())


def test_the_program_as_it_is_scores_one_and_is_not_run() -> None:
    measurer = Counting()
    there_and_back = [*SWAP, ["interchange", ["i", "j"]]]
    assert referee.judge(instance(), answer([]), measurer).score == 1
    assert referee.judge(instance(), answer(there_and_back), measurer).score == 1
    assert not measurer.texts
    assert referee.judge(instance(), answer(SWAP), measurer).score == 2
    assert len(measurer.texts) == 1


@pytest.mark.parametrize(
    "given", [b"", b"{" * ANSWER_BYTES, b" " * ANSWER_BYTES, b"[" * ANSWER_BYTES, b"\xff" * ANSWER_BYTES]
)
def test_an_answer_that_is_none(given: bytes) -> None:
    with pytest.raises(InvalidAnswer):
        referee.judge(instance(), given, Counting())


def test_a_schedule_of_which_no_c_can_be_made_counts_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was legal to the oracle, so that a candidate could not know."""
    for error in (OutOfOperations("too many"), TooLong("too long"), Failure("late")):

        def raising(*_: object, error: Exception = error, **__: object) -> str:
            raise error

        monkeypatch.setattr(Compiler, "text", raising)
        assert referee.judge(instance(), answer(SWAP), Counting()).score == ILLEGAL
        with pytest.raises(InvalidAnswer):
            referee.judge(instance(strict=True), answer(SWAP), Counting())


def test_dear_proofs_use_up_the_budget_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what another call made known costs as much."""
    compiler = opened(instance().payload, "product")[0]
    questions = [padded(["legal", [["strip", "i", n]]], ANSWER_BYTES) for n in range(2, 400)]
    monkeypatch.setattr(oracles, "PROOFS", 300)

    def answered() -> int:
        ask = oracles.oracle(compiler, {"N": 21})
        return sum(ask(q) is not None for q in questions)

    assert answered() == 300
    monkeypatch.setattr(compilers, "CHEAP", 1)
    other = compilers.Compiler(compiler.program)
    dear = oracles.oracle(other, {"N": 21})
    assert sum(dear(q) is not None for q in questions) == 300 // compilers.DEAR


def test_points_that_were_skewed_are_not_written_out() -> None:
    text = "N = size(9)\nA = array(N, 3000)\nfor i in range(N):\n    for j in range(3000):\n        A[i, j] = 1\n"
    compiler = compilers.Compiler(parse(text, "wide"))
    plan = [["register_tile", ["j"], [4]], ["skew", "j", "j.r", 4], ["interchange", ["j", "j.r"]]]
    verdict = compiler.verdict(read(plan))
    assert verdict.schedule is not None and len(compiler.text(verdict.schedule)) < 5_000


def test_hints_do_not_come_between_openmp_and_its_loop() -> None:
    compiler = opened(instance().payload, "product")[0]
    verdict = compiler.verdict(read([*SWAP, ["interchange", ["i", "j"]], ["parallel", "i"]]))
    assert verdict.schedule is not None
    marked = verdict.schedule.edit("i", lambda n: (replace(n, factor=4),))
    lines = compiler.text(marked, threads=True).splitlines()
    at = next(k for k, line in enumerate(lines) if "omp parallel" in line)
    assert lines[at + 1].lstrip().startswith("for")


@pytest.mark.parametrize("given", ["00000000199", "9" * 5000])
def test_long_numbers_are_no_threads(given: str) -> None:
    with pytest.raises(TaskError, match="whole number from 1 to 64"):
        load("polyhedral", {"threads": given})


def test_other_results_are_quarantined() -> None:
    class Wrong(Counting):
        def speed(self, *_: object) -> Speed:
            raise WrongResults("y differs by 0.1")

    with pytest.raises(ImpossibleAnswer, match="proved legal, yet"):
        referee.judge(instance(), answer(SWAP), Wrong())


def test_equal_c_is_measured_once_and_a_record_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from evaluators.polyhedral import measuring

    asked: list[int] = []

    def fake(*_: object, repetitions: int = measuring.SCREENING, **__: object) -> measuring.Speed:
        asked.append(repetitions)
        return measuring.Speed({measuring.SCREENING: 3.0, measuring.THOROUGH: 1.5}[repetitions])

    monkeypatch.setattr(measuring, "speed", fake)
    measurer = Measurer(toolchain.Compiler("/bin/false", "none"))
    program = opened(instance().payload, "product")[0].program
    first = measurer.speed(program, {"N": 21}, "a text")
    assert (first.ratio, asked) == (1.5, [measuring.SCREENING, measuring.THOROUGH])
    assert measurer.speed(program, {"N": 21}, "a text") == first and len(asked) == 2
    measurer.speed(program, {"N": 9}, "a text")
    assert len(asked) == 4, "another size is another measurement"


def test_the_payload_does_not_tell_which_program_it_is() -> None:
    for place in splits.places("search"):
        text = splits.text_of(place.program)
        title = text.split('"""')[1]
        payload = make(place.id, place.program, text, splits.sizes_of(place), "a machine").payload.decode()
        assert title not in json.loads(payload)["text"] and place.program not in payload, place.id


def test_machines_do_not_share_scores() -> None:
    one, other = (make("p", "p", PRODUCT, {"N": 9}, machine).payload for machine in ("this", "that"))
    assert one != other and json.loads(one)["program"] == json.loads(other)["program"]


def test_no_kernel_is_in_two_splits() -> None:
    kernels = {
        split: {p.program for p in splits.places(split)}
        for split in ("screen", "search", "look", "report", "final")
    }
    assert kernels["screen"] <= kernels["search"] <= kernels["final"], "the searched ones at other sizes"
    assert not kernels["search"] & (kernels["look"] | kernels["report"])
    assert not (kernels["final"] - kernels["search"]) & (kernels["look"] | kernels["report"])
    fixed = {p for p in kernels["look"] | kernels["final"] if not p.startswith("random-")}
    assert len(fixed) == 30 == len(list(splits.KERNELS.glob("*.poly")))
    numbers = [p for split in ("look", "report", "final") for p in kernels[split] if p.startswith("random-")]
    assert len(set(numbers)) == len(numbers) == 32
    assert all(int(p.removeprefix("random-")) < splits.TRAINING for p in numbers)


def test_options() -> None:
    task = load("polyhedral")
    assert {"polly", "pluto"}.isdisjoint(task.baselines())
    assert {"polly", "pluto"} <= set(load("polyhedral", {"polly": "clang-19", "pluto": "polycc"}).baselines())
    assert load("polyhedral", task.settings).settings == task.settings, (
        "a run binds the settings that it has stored"
    )
    for wrong in ("0", "65", "two", ""):
        with pytest.raises(TaskError, match="threads"):
            load("polyhedral", {"threads": wrong})


def test_without_a_compiler_or_islpy_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    """In processes of their own, since what is found is kept."""
    hide = "import sys; sys.modules['islpy'] = None\n"
    asks = "from evaluators.registry import load\nload('polyhedral').instances('screen')\n"
    for text, path, wanted in ((hide + asks, None, "extra"), (asks, str(tmp_path), "gcc")):
        environment = {
            "PATH": path or "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "HOME": str(tmp_path),
        }
        ended = subprocess.run(
            [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=False
        )
        last = ended.stderr.strip().splitlines()[-1]
        assert "Missing" in last and wanted in last, ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no program"),
        ("x = 1\n", "no statement"),
        ("N = size(5)\nA = array(N)\nfor i in range(N):\n    A[i * i] = 1\n", "line 4: not affine"),
        ("N = size(5)\nA = array(N)\nfor i in range(N):\n    A[i + 1] = 1\n", "outside of A"),
        ("N = size(1, 9)\nA = array(N - 1)\nfor i in range(N - 1):\n    A[i] = 1\n", "no elements"),
        ("N = size(90000)\nA = array(N, N)\nfor i in range(N):\n    A[i, i] = 1\n", "smaller sizes"),
        ("N = size(5)\nA = array(N)\nwhile True:\n    A[0] = 1\n", "line 3"),
    ],
)
def test_programs_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.poly"
    path.write_text(text)
    with pytest.raises(TaskError, match=said) as refused:
        load("polyhedral").read(path)
    assert "mine" in str(refused.value) and "\n" not in str(refused.value)


def test_figures_tell_the_slowest_and_the_refused() -> None:
    made = [replace(instance(), id=str(k)) for k in range(4)]
    found = {f.name: f.value for f in referee.figures(made, [2.0, 0.5, ILLEGAL, 1.0])}
    assert found == {"slowest": 0.5, "below 0.95": 25.0, "refused": 25.0}
