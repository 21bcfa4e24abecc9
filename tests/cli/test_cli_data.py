"""The documented JSON objects, and their forms for people."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from discovery.cli import checks, output, review
from discovery.cli.checks import Check
from discovery.cli.main import main
from evaluators import registry


def test_tasks(discover: Callable) -> None:
    listed = discover("tasks", "--json").data["tasks"]
    assert {"toy", "smtt", "smtt-index"} <= {t["name"] for t in listed}
    for task in listed:
        assert list(task) == [
            "name",
            "summary",
            "direction",
            "unit",
            "measured",
            "seeds",
            "function",
            "hooks",
            "options",
            "plugins",
        ]
    (toy,) = discover("tasks", "toy", "--json").data["tasks"]
    assert toy["seeds"] == ["first"] and toy["options"][0]["default"] == "small"


def test_tasks_for_people_escapes_what_a_task_package_says(discover: Callable) -> None:
    for words in (["tasks"], ["tasks", "toy"]):
        out = discover(*words).out
        assert "\x1b" not in out and "[bold]number[/bold]\\x1b[31m" in out


def test_the_hooks_of_a_task_are_shown(discover: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "desk", "toy.desk:Desk")
    (desk,) = discover("tasks", "desk", "--json").data["tasks"]
    assert desk["function"] == "rank" and [h["function"] for h in desk["hooks"]] == ["admit", "rest"]
    assert desk["hooks"][1] == {
        "function": "rest",
        "arguments": ["time", "waiting"],
        "returns": "pause",
        "summary": "Return for how long to rest after a job, at most its length.",
        "absent": "there is no rest.",
    }
    out = discover("tasks", "desk").out
    for line in (
        "def admit(length, waiting, urgent, *, …parameters): → admitted",
        "- Without it: there is no rest.",
    ):
        assert line in out


def test_a_task_that_fails_to_load_harms_no_other(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no data")

    monkeypatch.setattr(sys.modules["toy_task"], "broken", fail, raising=False)
    monkeypatch.setitem(registry.BUILT_IN, "broken", "toy_task:broken")
    ended = discover("tasks", "--json")
    assert ended.code == 0 and "broken" in ended.err
    assert "toy" in [t["name"] for t in ended.data["tasks"]]


def test_baselines_best_first_unknown_last(discover: Callable) -> None:
    data = discover("baselines", "--task", "toy", "--json").data
    assert list(data) == ["task", "direction", "baselines"]
    assert [b["name"] for b in data["baselines"]] == ["oracle", "first", "last", "untried"]
    assert data["baselines"][1] == {
        "name": "first", "kind": "baseline", "score": 1.0, "tuned_score": 6.0, "source": "folklore",
    }  # fmt: skip
    assert data["baselines"][-1]["score"] is None
    gate = discover("baselines", "--task", "toy", "--split", "gate", "--json").data["baselines"]
    assert [b["score"] for b in gate] == [9.0, 4.0, 3.0, None]


def test_baselines_of_a_minimising_task_put_the_least_first(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = sys.modules["toy_task"].Toy
    monkeypatch.setattr(toy, "direction", "minimize")
    names = [b["name"] for b in discover("baselines", "--task", "toy", "--json").data["baselines"]]
    assert names == ["first", "last", "oracle", "untried"]


def test_reference(discover: Callable) -> None:
    Path("mine").write_text("one two")
    ended = discover("reference", "--task", "toy", "--instances", "mine", "--json")
    assert ended.data == {
        "instances": [
            {"id": i, "optimum": 9.0, "status": "proved", "bound": 9.0, "sequence": [1, 0], "seconds": 0.5}
            for i in ("one", "two")
        ]
    }
    assert ended.err.splitlines()[0].startswith("1/2 one: proved")
    assert discover("reference", "--task", "toy", "--instances", "mine", "--quiet").err == ""


def test_config_tells_origins_and_no_secrets(discover: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("discover.toml").write_text('samples = 7\ndb = "postgresql://me:hunter2@host/db"\n')
    monkeypatch.setenv("DISCOVER_SEED", "3")
    shown = discover("config", "--json").data["settings"]
    assert shown["samples"] == {"value": 7, "origin": "discover.toml"}
    assert shown["seed"] == {"value": 3, "origin": "DISCOVER_SEED"}
    assert shown["batch"]["origin"] == "default"
    assert "hunter2" not in str(shown) and "hunter2" not in discover("config").out


def test_doctor_ends_with_3_when_a_check_fails(discover: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "examine", lambda _: [Check("a", True, ""), Check("b", None, "told")])
    fine = discover("doctor", "--json")
    assert fine.code == 0
    assert fine.data == {
        "ok": True,
        "checks": [{"name": "a", "ok": True, "detail": ""}, {"name": "b", "ok": None, "detail": "told"}],
    }
    monkeypatch.setattr(checks, "examine", lambda _: [Check("a", False, "broken")])
    broken = discover("doctor", "--json")
    assert broken.code == 3 and broken.data["ok"] is False


def test_doctor_sees_tracing_and_an_unwritable_ledger(
    discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    Path("foreign.sqlite").write_text("this is no database at all")
    found = {
        c["name"]: c["ok"] for c in discover("doctor", "--json", "--db", "foreign.sqlite").data["checks"]
    }
    assert found["tracing"] is False
    assert found["ledger"] is False
    assert found["own packages"] is True
    assert found["task toy"] is True


def test_doctor_writes_nothing(discover: Callable, tmp_path: Path) -> None:
    discover("doctor", "--json")
    assert list(tmp_path.iterdir()) == []


def test_db_upgrade_makes_the_newest_schema_and_is_idempotent(discover: Callable) -> None:
    first = discover("db", "upgrade", "--db", "l.sqlite", "--json").data
    second = discover("db", "upgrade", "--db", "l.sqlite", "--json").data
    assert first["before"] is None and second["before"] == first["after"] == second["after"]


def test_emit_is_one_ascii_line_and_refuses_what_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit({"a": "line\nfeed \x1b \u202e é"})
    line = capsys.readouterr().out
    assert line.isascii() and line.count("\n") == 1 and "\x1b" not in line
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.emit({"a": float("nan")})


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_source_is_verbatim_into_a_pipe_and_escaped_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "x = 1  # \x1b[31m\r\n\ty"
    pipe = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", pipe)
    review._source(text)
    assert pipe.buffer.getvalue() == text.encode()  # type: ignore[attr-defined]
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    review._source(text)
    assert terminal.getvalue() == "x = 1  # \\x1b[31m\\r\n\ty"


def test_a_narrow_terminal_leaves_the_names_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    output.table(("name", "what it is"), [("plugin:a-name-to-copy-b76c4d6d", "words " * 20), ("b", 1.5)])
    lines = capsys.readouterr().out.splitlines()
    assert any("plugin:a-name-to-copy-b76c4d6d" in line for line in lines)
    assert max(map(len, lines)) <= 50


def test_details_shows_nested_objects_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    output.details(
        {"run": "r1", "best": {"score": 1.23456}, "rows": [{"id": "a", "x": 2.0}, {"id": "\x1b", "x": None}]}
    )
    out = capsys.readouterr().out
    assert "run  r1" in out and "1.235" in out and "\\x1b" in out and "\x1b" not in out


def test_the_parser_speaks_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["score", "x.py", "--task", "smtt", "--split", "final"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "'final' is not one of" in said and "Value error" not in said
