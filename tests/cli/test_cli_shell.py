"""What every command has in common: lazy imports, exit codes, one sentence, no traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from db.errors import LedgerForeign
from discovery import config
from discovery.cli import tasks
from discovery.cli.run import _fit_together
from discovery.errors import EnvironmentProblem, NothingValid
from discovery.sandbox.base import SandboxUnavailable

HEAVY = {
    "numpy",
    "scipy",
    "numba",
    "sqlalchemy",
    "alembic",
    "jinja2",
    "optuna",
    "openai",
    "httpx2",
    "langgraph",
}
HELP = """
import sys
from discovery.cli.main import main
try:
    main({words})
except SystemExit as ended:
    assert ended.code in (0, 2)
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["config", "--json"], ["run", "--task"], ["tasks", "-x"]]
)
def test_help_config_and_usage_errors_import_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    script = HELP.format(words=words) + f"print(sorted({HEAVY} & set(sys.modules)), len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path,
                          env={"PYTHONPATH": str(Path(__file__).parents[2])})  # fmt: skip
    heavy, _, count = done.stdout.splitlines()[-1].rpartition(" ")
    assert heavy == "[]"
    assert int(count) < 600, "the first answer of the command line has become slow"


@pytest.mark.parametrize("own, used", [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)])
def test_products_of_matrices_take_one_thread_unless_the_user_says_more(
    own: dict[str, str], used: int, tmp_path: Path
) -> None:
    """Candidates share the cores: threads of one that wait for another's cost several times the time."""
    script = """
import os
from discovery.cli.main import app
import numpy
numpy.ones((500, 500)) @ numpy.ones((500, 500))
print(len(os.listdir("/proc/self/task")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path,
                          env={"PYTHONPATH": str(Path(__file__).parents[2]), **own})  # fmt: skip
    assert int(done.stdout) == used


def test_every_command_explains_itself(discover: Callable) -> None:
    commands = ("tasks", "baselines", "score", "tune", "reference", "train", "run", "resume", "runs", "show", "tree",
                "diff", "report", "explain", "doctor", "config", "mock-llm")  # fmt: skip
    listed = discover("--help").out
    for command in commands:
        assert f"\n  {command} " in listed
        assert discover(command, "--help").code == 0
    assert discover("db", "upgrade", "--help").code == 0


@pytest.mark.parametrize(
    "words, names",
    [
        (["nope"], "nope"),
        (["tasks", "nope"], "known tasks"),
        (["tasks", "--nope"], "--nope"),
        (["run"], "--task"),
        (["run", "--task", "nope"], "known tasks"),
        (["run", "--task", "toy", "--samples", "many"], "--samples"),
        (["run", "--task", "toy", "--samples", "0"], "at least 1"),
        (["run", "--task", "toy", "--cost", "nan"], "above 0"),
        (["run", "--task", "toy", "--proposer", "person"], "chat, genetic, manual, replay"),
        (["run", "--task", "toy", "--proposer", "chat"], "--model"),
        (["run", "--task", "toy", "--proposer", "replay"], "--replay"),
        (["run", "--task", "toy", "--replay", "x", "--proposer", "genetic"], "--replay"),
        (["run", "--task", "toy", "--model", "m", "--proposer", "genetic"], "--model"),
        (["run", "--task", "toy", "--trials", "5", "--no-tune"], "--trials has no effect"),
        (["run", "--task", "toy", "--strategy", "hope"], "there are: islands, best-of-n, reflective"),
        (["run", "--task", "toy", "--strategy", "reflective", "--fronts", "0.5"], "--fronts has no effect"),
        (["run", "--task", "toy", "--strategy", "best-of-n", "--cells", "5"], "--cells has no effect"),
        (["run", "--task", "toy", "--islands", "1", "--migration", "5"], "--migration has no effect"),
        (["run", "--task", "toy", "--fronts", "1.5"], "from 0 to 1"),
        (["run", "--task", "toy", "--lift-constants", "--no-tune"], "--lift-constants has no effect"),
        (["run", "--task", "toy", "--option", "size"], "KEY=VALUE"),
        (["run", "--task", "toy", "--option", "size=small", "--option", "size=large"], "twice"),
        (["baselines", "--task", "toy", "--split", "final"], "final"),
        (["baselines", "--task", "toy", "--option", "size=huge"], "small, large"),
        (["baselines", "--task", "toy", "--option", "colour=red"], "colour"),
        (["score", "missing.py", "--task", "toy"], "missing.py"),
        (["score", ".", "--task", "toy"], "directory"),
        (["score", "x.py", "--task", "toy", "--split", "gate", "--instances", "f"], "--instances"),
        (["tune", "missing.py", "--task", "toy"], "missing.py"),
        (["reference", "--task", "toy", "--instances", "missing"], "missing"),
        (["reference", "--task", "toy", "--instances", "missing", "--solver", "hope"], "exact"),
        (["train", "--task", "smtt"], "no model to train"),
    ],
)
def test_a_wrong_usage_ends_with_2_and_one_sentence(discover: Callable, words: list[str], names: str) -> None:
    ended = discover(*words)
    assert ended.code == 2
    assert names in ended.sentence
    assert ended.out == ""


RECORDED = (
    "--seed 1", "--samples 4", "--batch 2", "--strategy islands", "--islands 2", "--archive 4", "--migration 3",
    "--cells 9", "--fronts 0.1", "--tune", "--no-tune", "--trials 5", "--lift-constants", "--control 0.5",
    "--tokens 9", "--cost 1", "--minutes 1", "--from first", "--option size=small", "--evaluations 9",
    "--cpu-minutes 1", "--novelty 0.9",
)  # fmt: skip
ASKING = (
    "--base-url http://127.0.0.1:1/v1", "--temperature 1", "--max-tokens 99", "--timeout 9", "--in-flight 2",
    "--templates x", "--api-key-env K", "--wait 1", "--model-choice bandit",
)  # fmt: skip


@pytest.mark.parametrize("proposer, given", [
    *(("--replay r-1234", flag) for flag in (*RECORDED, *ASKING)),
    *(("--replay replies.jsonl", flag) for flag in ASKING),
    *((proposer, flag) for proposer in ("", "--proposer genetic") for flag in (*ASKING, "--tokens 9", "--cost 1")),
])  # fmt: skip
def test_a_flag_without_effect_is_refused(discover: Callable, proposer: str, given: str) -> None:
    Path("replies.jsonl").write_text("")
    ended = discover("run", "--task", "toy", *proposer.split(), *given.split())
    name = given.split()[0].replace("--no-", "--")
    assert ended.code == 2 and f"{name} has no effect" in ended.sentence and ended.out == ""


def test_only_flags_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable or a file holds for every run; and a recording of version 1 has replies only."""
    old = tmp_path / "replies.jsonl"
    old.write_text('{"format": "discover-cassette", "version": 1, "task": "toy"}\n')
    for name in (*RECORDED, *ASKING):
        if " " in name and not name.startswith(("--from", "--option")):
            flag, value = name.split()
            monkeypatch.setenv("DISCOVER_" + flag[2:].upper().replace("-", "_"), value)
    _fit_together(config.load(), None, ["first"])
    _fit_together(config.load({"proposer": "replay"}), "r-1234", None)
    _fit_together(config.load({"proposer": "replay", "seed": 1, "samples": 3}), str(old), ["first"])
    _fit_together(config.load({"proposer": "chat", "model": "m", "tokens": 9, "timeout": 9.0}), None, None)


@pytest.mark.parametrize(
    "error, code",
    [
        (NothingValid("all lost"), 1),
        (EnvironmentProblem("no disk"), 3),
        (LedgerForeign("not ours"), 3),
        (SandboxUnavailable("no landlock"), 3),
        (PermissionError(13, "Permission denied", "/x"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_failures_have_their_exit_codes(
    discover: Callable, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(tasks, "task_of", fail)
    ended = discover("tasks", "toy")
    assert ended.code == code
    assert "Traceback" not in ended.err


def test_a_machine_that_cannot_isolate_is_told_where_to_read(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SandboxUnavailable("no landlock")

    monkeypatch.setattr(tasks, "task_of", fail)
    said = discover("tasks", "toy").sentence
    assert "Machines that cannot isolate" in said
    assert "\n## Machines that cannot isolate\n" in (Path(__file__).parents[2] / "README.md").read_text()


def test_debug_shows_the_traceback_wherever_it_stands(discover: Callable) -> None:
    assert "Traceback" in discover("tasks", "nope", "--debug").err
    assert "Traceback" in discover("--debug", "tasks", "nope").err


def test_a_defect_keeps_its_traceback_with_hostile_text_escaped(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("boom \x1b[2J")

    monkeypatch.setattr(tasks, "task_of", fail)
    ended = discover("tasks", "toy")
    assert ended.code == 1
    assert "Traceback" in ended.err and "\\x1b[2J" in ended.err and "\x1b" not in ended.err


def test_a_hostile_command_line_is_escaped(discover: Callable) -> None:
    ended = discover("tasks", "\x1b[31mred\u202e")
    assert ended.code == 2 and "\x1b" not in ended.err and "\u202e" not in ended.err


def test_a_broken_config_file_ends_with_2(discover: Callable) -> None:
    Path("discover.toml").write_text("sampels = 3\n")
    assert "did you mean 'samples'" in discover("run", "--task", "toy").sentence


def test_an_unknown_variable_is_mentioned_and_ignored(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCOVER_SAMPELS", "3")
    ended = discover("config", "--json")
    assert ended.code == 0 and "did you mean 'DISCOVER_SAMPLES'" in ended.err
