"""Interfaces whose values are objects of the task's own: what prompts say of them, what the genetic proposer leaves
alone, and a run with an export."""

from __future__ import annotations

import ast
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy.desk import Desk
from toy.picking import Picking
from toy.shelf import Shelf
from toy.shelf.adapter import Bag, Item
from toy.shelf.adapter import Shelf as Items

from discovery.candidate import Candidate, check
from discovery.cli import servers
from discovery.cli.main import main
from discovery.execution.base import Executor, StageJob
from discovery.execution.lockstep import functions
from discovery.execution.make import make_executor
from discovery.prompts.ideas import idea_of, shape
from discovery.prompts.words import described
from discovery.proposers.base import Brief, Parent, ProposerRefused, Request
from discovery.proposers.genetic.proposer import GeneticProposer
from evaluators import registry
from evaluators.task import Interface, TaskError, Value

TASK = Shelf({})
SCREEN = TASK.instances("screen")
BRIEF = Brief(TASK.interface, TASK.summary, TASK.direction, TASK.unit, 0.25)
HELPED = (
    "LEAST = 2.5\n\ndef worth(item):\n    return item.weight / (item.volume + 3.5)\n\n"
    "def pack(shelf, bag):\n    packed = []\n    for item in sorted(shelf.items, key=lambda i: -worth(i)):\n"
    "        if item.weight > LEAST and bag.fits(packed + [item]):\n            packed.append(item)\n"
    "    return packed\n"
)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    made = make_executor(TASK, "inline", 1)
    yield made
    made.close()


def seed(name: str) -> str:
    path = TASK.baselines()[name].path
    assert path is not None
    return path.read_text()


def asked(code: str, slot: int, operator: str = "improve", brief: Brief = BRIEF) -> Candidate:
    parents = (Parent(check(code, brief.interface).hash, code, 1.0),) if code else ()
    request = Request(slot, 0, operator, 7, brief, parents)  # type: ignore[arg-type]
    return check(GeneticProposer().ask(request, ()).text, brief.interface)


def bare(tree: ast.AST) -> str:
    """The tree as text with every number and parameter made equal: what numbers alone cannot change."""
    written = ast.dump(tree, annotate_fields=False)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            written = written.replace(ast.dump(node, annotate_fields=False), "NUMBER")
    return written


# -- words ------------------------------------------------------------------------------------------------------------


def test_a_prompt_tells_an_object_by_its_description() -> None:
    bag = TASK.interface.arguments[1]
    assert described(bag) == f"bag: object. {bag.description}"
    long = replace(bag, description="word " * 300)
    assert described(long).count("word") == 300
    assert shape(TASK.interface).startswith("Return packed as described above")
    request = Request(0, 0, "improve", 1, BRIEF, (Parent("0" * 64, seed("greedy"), 1.0),))
    assert idea_of(request) is None
    plain = replace(request, brief=replace(BRIEF, interface=Picking.interface))
    assert idea_of(plain) is not None


def test_the_task_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(registry.BUILT_IN, Shelf.name, "toy.shelf:Shelf")
    with pytest.raises(SystemExit):
        main(["tasks", "shelf"])
    told = capsys.readouterr().out
    assert "def pack(shelf, bag, *, …parameters): → packed" in told and "of object" not in told


def test_who_has_no_use_for_objects_says_so() -> None:
    thing = Value("thing", "object", "object", "a thing")

    class Wrong(Picking):
        interface = replace(Picking.interface, arguments=(thing,))

    with pytest.raises(TaskError, match="task 'picking' is plain, so 'thing' cannot be an object"):
        Wrong({})

    class Hooked(Picking):
        interface = replace(Picking.interface, hooks=Desk.interface.hooks)

    with pytest.raises(TaskError, match="task 'picking' is plain, so nothing would call its hook 'admit'"):
        Hooked({})
    with pytest.raises(TaskError, match=r"rank\(\) of a policy task has the object 'thing'"):
        functions(replace(Desk.interface, arguments=(thing,)))


# -- the genetic proposer ---------------------------------------------------------------------------------------------


def test_numbers_and_parameters_are_what_changes(executor: Executor) -> None:
    greedy = seed("greedy")
    found = [asked(greedy, slot) for slot in range(60)]
    assert len({f.hash for f in found}) > 20
    assert any("3.5" not in f.code for f in found), "a number in a lambda, beside attributes"
    assert any(f.defaults.get("power") not in (None, 0.5) for f in found)
    for candidate in found:
        result = executor.submit(StageJob(candidate.code, SCREEN, {})).result()
        assert result.outcome == "scored", f"{result.reason}\n{candidate.code}"


def test_numbers_are_found_in_helpers_and_constants() -> None:
    """No expression of the function has a type, so that numbers are all that there is to change."""
    parent = bare(check(HELPED, TASK.interface).tree)
    found = [asked(HELPED, slot) for slot in range(40)]
    numbers = {n.value for f in found for n in ast.walk(f.tree) if isinstance(n, ast.Constant)}
    assert {2.5, 3.5} < numbers and len(numbers) > 8
    assert all(bare(f.tree) == parent for f in found)
    assert [asked(HELPED, 3).hash for _ in range(2)] == [found[3].hash] * 2


def test_numbers_of_hooks_are_among_them() -> None:
    hook = Interface(
        "rest", "r", (Value("left", "scalar", "int64", "l"),), Value("r", "scalar", "bool", "r"), absent="x."
    )
    interface = replace(TASK.interface, hooks=(hook,))
    code = f"{HELPED}\ndef rest(left, *, least=7):\n    return left * 1.25 < least\n"
    found = [asked(code, k, brief=replace(BRIEF, interface=interface)) for k in range(60)]
    assert any("1.25" not in f.code for f in found)
    assert all(f.defaults == {"least": 7} and f.hooks == ("rest",) for f in found)


@pytest.mark.parametrize("operator", ["improve", "simplify", "create"])
def test_what_has_no_number_is_left_alone(operator: str) -> None:
    """No first program takes its place, as one would of an interface of numbers."""
    for code in (seed("trivial"), ""):
        with pytest.raises(ProposerRefused, match="no edit of the parents gave a candidate"):
            asked(code, 1, operator)


# -- a run and a package ----------------------------------------------------------------------------------------------


def discover(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json", "-q"])
    captured = capsys.readouterr()
    assert ended.value.code in (0, 1), captured.err
    told: dict[str, Any] = json.loads(captured.out)
    return told


def test_a_run_and_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.BUILT_IN, Shelf.name, "toy.shelf:Shelf")
    monkeypatch.setattr(servers, "PORTS", {})
    words = ("--samples", "12", "--batch", "4", "--trials", "4", "--seed", "2", "--workers", "1")
    run = str(discover(capsys, "run", "--task", "shelf", "--from", "baseline:greedy", *words)["run"])
    assert discover(capsys, "verify", run)["ok"]
    candidate = discover(capsys, "verify", run)["candidate"]
    assert discover(capsys, "explain", candidate[:10])["run"] == run
    exported = discover(capsys, "export", run, "--out", "made", "--name", "of-objects", "--wheel")
    assert exported["golden_calls"] == 0 and exported["requires"] == []
    found = discover(capsys, "verify", "made")
    assert found["ok"] and found["golden"] and all(s["same_answers"] for s in found["scores"])
    source = tmp_path / "made" / "src"
    call = (source / "of_objects" / "_call.py").read_text()
    assert "shelf: Any,\n    bag: Any,\n" in call and ") -> Any:" in call
    assert "Objects are those of the task" in (tmp_path / "made" / "README.md").read_text()
    monkeypatch.syspath_prepend(str(source))
    package = importlib.import_module("of_objects")
    shelf = Items((Item(4, 2, 0), Item(1, 9, 1), Item(9, 3, 2)))
    packed = package.pack(shelf, Bag(5))
    assert {i.place for i in packed} == {0, 2}
    tests = importlib.import_module("of_objects.test_golden").Golden("test_it_is_there")
    assert tests.run().wasSuccessful()
    for name in [n for n in sys.modules if n.partition(".")[0] == "of_objects"]:
        del sys.modules[name]
