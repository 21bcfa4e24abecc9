"""Ideas for small models: code that runs, named after the arguments, drawn by the slot, and none knows a task."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import numpy as np
import pytest

from discovery.prompts.ideas import Idea, idea_of, shape
from discovery.prompts.render import LOCAL_BUDGET, REMOTE_BUDGET, messages
from discovery.proposers.base import Brief, Failure, Operator, Parent, Request
from evaluators.registry import load
from evaluators.task import Interface, Value
from searchspaces.space import read

INDEX = load("smtt-index").interface
OTHER = Interface(
    "rate",
    "Return one number for each bin.",
    (
        Value("room", "array", "float64", "room left", "volume", 0.0, 1.0, "k"),
        Value("item", "scalar", "float64", "volume of the item", "volume", 0.0, 1.0),
        Value("open", "mask", "bool", "whether it is open", length="k"),
    ),
    Value("rating", "array", "float64", "highest is taken", length="k"),
)
SCALARS = Interface(
    "pick",
    "Pick.",
    (Value("x", "scalar", "float64", "a number"),),
    Value("y", "scalar", "float64", "a number"),
)
CODE = "def priority(a, *, weight=1.0):\n    return a\n"


def request(
    slot: int, operator: Operator = "improve", interface: Interface = INDEX, code: str = ""
) -> Request:
    brief = Brief(interface, "A problem.", "minimize", "%", 1.0)
    return Request(slot, 0, operator, 1, brief, (Parent("a", code, 1.0), Parent("b", code, 2.0)))


def ideas(operator: Operator, interface: Interface = INDEX, code: str = "") -> list[Idea]:
    found = [idea_of(request(k, operator, interface, code)) for k in range(120)]
    assert all(found)
    return [i for i in found if i is not None]


@pytest.mark.parametrize("interface", [INDEX, OTHER, SCALARS], ids=lambda i: i.function)
@pytest.mark.parametrize("operator", ["improve", "combine", "create"])
def test_every_term_runs_on_the_arguments(operator: Operator, interface: Interface) -> None:
    """What is quoted as code is code, over the arguments and the names that the sentence itself gives."""
    arrays = {a.name: np.array([0.0, 0.25, 1.0]) for a in interface.arguments if a.kind == "array"}
    scalars = {a.name: 0.5 for a in interface.arguments if a.kind == "scalar"}
    for idea in ideas(operator, interface):
        names = {
            **arrays,
            **scalars,
            "np": np,
            "len": len,
            "first": 1.0,
            "second": 2.0,
            idea.parameter: idea.default,
        }
        for piece in re.findall(r"`([^`]+)`", idea.change):
            tree = ast.parse(piece, mode="eval")
            assert {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} <= names.keys(), piece
            value = eval(compile(tree, "idea", "eval"), {}, names)  # noqa: S307
            assert np.all(np.isfinite(value)), piece


def test_the_space_is_one_that_a_candidate_may_have() -> None:
    for operator in ("improve", "combine", "create"):
        for idea in ideas(operator):  # type: ignore[arg-type]
            space = read(ast.parse(f"{{ {idea.space} }}", mode="eval").body)
            assert space.keys() == {idea.parameter} and idea.low <= idea.default <= idea.high


def test_slots_draw_different_ideas_and_each_slot_its_own_again() -> None:
    changes = [i.change for i in ideas("improve")]
    assert changes == [i.change for i in ideas("improve")] and len(set(changes)) >= 20
    assert {i.parameter for i in ideas("improve")} == {"factor", "weight"}
    assert len({i.change for i in ideas("combine")}) >= 3


def test_a_parameter_gets_a_name_that_the_code_does_not_use() -> None:
    assert {i.parameter for i in ideas("improve", code=CODE)} == {"factor", "weight_2"}


MDD = """import numpy as np


def priority(processing_times, due_dates, time):
    now = time + 0 * processing_times
    return np.maximum(due_dates, now + processing_times)
"""


def test_the_line_to_change_is_one_of_the_parent() -> None:
    """A model of 1.5 billion parameters that is not shown the line replaces the rule by the new term alone."""
    for idea in ideas("improve", code=MDD):
        assert idea.line in MDD and "def " not in idea.line
        if idea.parameter == "weight":
            assert idea.line == "return np.maximum(due_dates, now + processing_times)"
        else:
            (argument,) = re.findall(r"multiply `(\w+)`", idea.change)
            assert re.search(rf"\b{argument}\b", idea.line)
    assert {i.line for i in ideas("improve", code="def broken(")} == {""}
    assert {
        i.line
        for i in ideas("improve", interface=load("smtt").interface, code=MDD.replace("priority", "schedule"))
        if i.parameter == "weight"
    } == {""}, "a sequence has no line that returns what is compared"


def test_only_requests_for_new_code_of_small_models_have_an_idea() -> None:
    for operator in ("simplify", "repair", "reflect"):
        assert idea_of(request(3, operator)) is None  # type: ignore[arg-type]
    small = messages(request(3), budget_tokens=LOCAL_BUDGET)[1].content
    large = messages(request(3), budget_tokens=REMOTE_BUDGET)[1].content
    idea = idea_of(request(3))
    assert idea is not None and idea.change in small and idea.space in small and idea.change not in large
    again = replace(request(3), attempt=1, failure=Failure("def f(", "syntax error"))
    assert idea.change not in messages(again, budget_tokens=LOCAL_BUDGET)[1].content


def test_what_must_come_back_is_said() -> None:
    assert "one number for each entry of `processing_times`, in the same order" in shape(INDEX)
    assert "each index from 0 to `len(processing_times)` - 1 exactly once" in shape(load("smtt").interface)
    assert shape(SCALARS) == "Return one float64 number."


def test_no_idea_holds_a_word_of_a_task() -> None:
    """Renamed arguments give the same sentences: nothing else of a task gets in."""
    names = {a.name: f"v{n}" for n, a in enumerate(INDEX.arguments)} | {INDEX.returns.name: "out"}
    arguments = tuple(replace(a, name=names[a.name]) for a in INDEX.arguments)
    renamed = replace(INDEX, arguments=arguments, returns=replace(INDEX.returns, name="out"))
    for one, other in zip(ideas("improve"), ideas("improve", renamed), strict=True):
        said = one.change
        for name, new in names.items():
            said = said.replace(name, new)
        assert said == other.change
