"""What proposers do with the hooks of a task: the prompt tells of them, a reply's are read, the genetic proposer and
ablations leave them be."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from toy.desk import Desk

from discovery.candidate import Candidate, check
from discovery.explain.ablation import variants
from discovery.population.likeness import jaccard, likeness
from discovery.prompts.render import messages
from discovery.proposers.base import Brief, Operator, Parent, Request
from discovery.proposers.genetic import GeneticProposer
from discovery.proposers.genetic.program import Change, changed, read, text
from discovery.proposers.reading import read_candidate
from discovery.proposers.reply import Unreadable

TASK = Desk({})
BRIEF = Brief(TASK.interface, TASK.summary, TASK.direction, TASK.unit, 0.01)
SEED = TASK.baselines()["shortest"]
assert SEED.path is not None
SHORTEST = SEED.path.read_text()
RANK = "def rank(lengths, waits, rush):\n    return waits\n"
ADMIT = "def admit(length, waiting, urgent):\n    return waiting < 3\n"


def hooks_of(candidate: Candidate) -> list[str]:
    """The hooks as text, defaults aside."""
    trees = [ast.parse(ast.unparse(f)).body[0] for f in candidate.functions[1:]]
    for tree in trees:
        assert isinstance(tree, ast.FunctionDef)
        tree.args.kw_defaults = [ast.Constant(0) for _ in tree.args.kw_defaults]
    return [ast.unparse(tree) for tree in trees]


# -- prompts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1_500, 8_000])
def test_a_prompt_tells_of_the_optional_functions(budget: int) -> None:
    system, user = messages(
        Request(0, 0, "improve", 0, BRIEF, (Parent("a", SHORTEST, 1.0),)), budget_tokens=budget
    )
    for hook in TASK.interface.hooks:
        assert f"def {hook.function}({', '.join(a.name for a in hook.arguments)}, *, …):" in system.content
        for said in (
            hook.summary,
            f"Without it: {hook.absent}",
            *(a.description for a in hook.arguments),
            *hook.facts,
        ):
            assert said in system.content
    assert "optional functions" in user.content or budget == 8_000
    alone = Brief(Desk.interface.hooks[0], TASK.summary, TASK.direction, TASK.unit, 0.01)
    told = messages(Request(0, 0, "create", 0, alone, ()), budget_tokens=budget)
    assert not any("ptional functions" in message.content for message in told)


# -- replies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        RANK + ADMIT,
        ADMIT.replace("3", "2") + RANK + ADMIT,
        f"```python\n{RANK}```\nAnd the other one:\n```python\n{ADMIT}```\n",
        "class Solution:\n    def rank(self, lengths, waits, rush):\n        return waits\n"
        "    def admit(self, length, waiting, urgent):\n        return waiting < 3\n",
        RANK + ADMIT + "found = admit(1, 2, True)\n",
        RANK.replace("rank", "order") + ADMIT,
    ],
)
def test_hooks_of_a_reply_are_read(reply: str) -> None:
    found = read_candidate(reply, (), TASK.interface)
    assert (
        found.hash == check(RANK + ADMIT, TASK.interface).hash
        or found.hash == check(ADMIT + RANK, TASK.interface).hash
    )


def test_a_hook_is_not_taken_for_the_function() -> None:
    alike = replace(TASK.interface.hooks[0], arguments=TASK.interface.arguments)
    with pytest.raises(Unreadable, match="no top-level function 'rank'; it defines admit"):
        read_candidate(RANK.replace("rank", "admit"), (), replace(TASK.interface, hooks=(alike,)))


def test_habits_are_put_right_in_hooks_too() -> None:
    reply = (
        "SEARCH_SPACE = {'room': {'low': 5, 'high': 1}, 'other': {'low': 1, 'high': 2}}\n" + RANK
        + "def admit(length, waiting, urgent, room=3, late=True):\n    return waiting < room\n"
    )  # fmt: skip
    found = read_candidate(reply, (), TASK.interface)
    assert found.defaults == {"room": 3, "late": 1} and list(found.space) == ["room"]


def test_a_hook_that_is_cut_off_is_missed() -> None:
    with pytest.raises(Unreadable):
        read_candidate(f"```python\n{RANK}def admit(length, waiting,\n```", (), TASK.interface)


# -- genetic ----------------------------------------------------------------------------------------------------------


def test_the_genetic_proposer_keeps_hooks_as_they_are() -> None:
    proposer, seed = GeneticProposer(), check(SHORTEST, TASK.interface)
    code, moved, operators = SHORTEST, 0, ("improve", "simplify", "combine", "create")
    for k in range(40):
        parents = (Parent("a", code, 1.0), Parent("b", SHORTEST, 2.0))
        operator: Operator = operators[k % 4]  # type: ignore[assignment]
        found = check(proposer.ask(Request(k, 0, operator, 7, BRIEF, parents), ()).text, TASK.interface)
        assert hooks_of(found) == hooks_of(seed) and "SEEN = []" in found.code
        assert found.space.keys() >= seed.space.keys(), (
            "the hooks still have their numbers, and those their ranges"
        )
        moved += found.defaults["patience"] != seed.defaults["patience"]
        code = found.code if k % 8 else SHORTEST
    assert moved, "a number that a hook shares moves in both"


def test_a_number_that_only_a_hook_needs_any_more_keeps_its_range() -> None:
    program = read(SHORTEST, TASK.interface)
    (end,) = program.function.body
    assert isinstance(end, ast.Return) and end.value is not None
    found = check(
        text(changed(program, Change({id(end.value): ast.Name("waits", ast.Load())}))), TASK.interface
    )
    assert found.functions[0].args.kwonlyargs == [] and hooks_of(found) == hooks_of(
        check(SHORTEST, TASK.interface)
    )
    assert found.space.keys() == {"patience", "room"}


def test_what_only_a_hook_reads_is_still_written() -> None:
    code = (
        "LAST = 0\ndef rank(lengths, waits, rush):\n"
        "    global LAST\n    LAST = len(waits)\n    return waits + lengths\n"
        "def admit(length, waiting, urgent):\n    return LAST < 3\n"
    )
    for k in range(10):
        request = Request(k, 0, "improve", 3, BRIEF, (Parent("a", code, 1.0),))
        reply = GeneticProposer().ask(request, ()).text
        assert "LAST = len(waits)" in reply or "global LAST" not in reply


def test_a_function_that_cannot_be_edited_is_begun_anew_beside_its_hooks() -> None:
    code = (
        "from __future__ import annotations\n" + RANK.replace("waits\n", "list(map(float, waits))\n") + ADMIT
    )
    request = Request(0, 0, "improve", 3, BRIEF, (Parent("a", code, 1.0),))
    found = check(GeneticProposer().ask(request, ()).text, TASK.interface)
    assert found.hooks == ("admit",) and "map" not in found.code
    compile(found.code, "candidate", "exec")


# -- what else reads candidates ---------------------------------------------------------------------------------------


def test_an_ablation_leaves_hooks_in_their_place() -> None:
    code = RANK.replace("waits\n", "waits + 2.5 * admit(1, 2, True)\n") + ADMIT
    found = variants(check(code, TASK.interface), TASK.interface, 99)
    assert any("admit(1" not in v.candidate.code for v in found)
    assert all(v.candidate.hooks == ("admit",) for v in found)


def test_a_hook_is_known_by_its_name() -> None:
    rest = "def rest(time, waiting):\n    return waiting < 3\n"
    one, other, none = (likeness(check(RANK + more, TASK.interface)) for more in (ADMIT, rest, ""))
    assert one.shape != other.shape and jaccard(one.features, other.features) < 1 > jaccard(
        one.features, none.features
    )
