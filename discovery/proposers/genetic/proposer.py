"""The built-in proposer: no model, no network, no price. It edits the parents' syntax trees by type and unit."""

from __future__ import annotations

import ast

from discovery.candidate import Refused, check
from discovery.draws import generator
from discovery.proposers.base import EDITS, Message, Operator, ProposerRefused, Reply, Request
from discovery.proposers.genetic.chance import Chance
from discovery.proposers.genetic.crossover import combine
from discovery.proposers.genetic.edits import IMPROVE, OF_OBJECTS, SIMPLIFY, Bench, Edit
from discovery.proposers.genetic.origin import first_program, restarted
from discovery.proposers.genetic.program import (
    MAX_NODES,
    MAX_PARAMETERS,
    Program,
    changed,
    of_tree,
    read,
    text,
)
from discovery.proposers.genetic.returns import guarded
from discovery.proposers.genetic.trees import size

TRIES = 20
"""Redraws when a reply would be refused, known already or too large."""
TWICE = 0.2
"""Share of improvements that are two edits at once."""


class GeneticProposer:
    """Typed mutation and crossover; equal requests get equal replies. Thread-safe: it keeps nothing but parsed
    parents."""

    name: str = "genetic"
    model: str | None = None
    operators: frozenset[Operator] = EDITS
    most_tokens: int = 0
    paid: bool = False

    def prompt(self, request: Request) -> tuple[Message, ...]:  # noqa: ARG002
        return ()

    def reserve(self, messages: tuple[Message, ...]) -> int:  # noqa: ARG002
        return 0

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:  # noqa: ARG002
        """A candidate that passes the check and is, if twenty draws can do it, not known yet.

        Raises ProposerRefused when no draw gives a candidate, as where a task returns objects and the parent has no
        number and no parameter."""
        chance = Chance(generator(request.seed, request.slot, request.attempt, "genetic"))
        parents = {p.hash for p in request.parents}
        spare, large = "", 0
        for attempt in range(TRIES):
            operator = "simplify" if large > 2 else request.operator if attempt < TRIES // 2 else "improve"
            try:
                drawn = self._draw(request, operator, chance)
                if drawn is None:
                    large += 1
                    continue
                candidate = check(drawn, request.brief.interface) if drawn else None
            except Refused:
                continue
            if candidate is not None:
                spare = drawn
                if candidate.hash not in request.known and candidate.hash not in parents:
                    break
        if not spare:
            raise ProposerRefused(f"no edit of the parents gave a candidate in {TRIES} draws")
        return Reply(text=spare, model=self.name)

    def _draw(self, request: Request, operator: str, chance: Chance) -> str | None:
        """One candidate text; empty when the edit did not fit, None when it made the candidate too large. Raises
        Refused for parents that cannot be read."""
        interface = request.brief.interface
        parents = [read(p.code, interface) for p in request.parents]
        if interface.returns.kind == "object":
            if not parents:
                raise Refused("no first program can be made of a task's own objects")
        elif not parents or not (parents[0].analysis.sites or parents[0].parameters):
            # Nothing in the parent can be edited by type: start afresh from the interface.
            first = restarted(parents[0].tree, interface) if parents else first_program(interface)
            parents = [of_tree(first, interface), *parents[1:]]
        improve = OF_OBJECTS if interface.objects else IMPROVE
        if operator == "combine" and len(parents) > 1 and chance.flip(0.9):
            change = combine(parents[0], parents[1], chance)
            tree = None if change is None else changed(parents[0], change)
        else:
            tree = edited(parents[0], SIMPLIFY if operator == "simplify" else improve, chance)
        if tree is None:
            return ""
        for _ in range(_more(operator, chance)):
            again = edited(of_tree(tree, interface), improve, chance)
            tree = tree if again is None else again
        tree = guarded(tree, interface)
        small = size(tree) <= max(MAX_NODES, parents[0].size(parents[0].tree))
        few = _parameter_count(tree, interface.function) <= max(MAX_PARAMETERS, len(parents[0].parameters))
        return text(tree) if small and few else None


def _more(operator: str, chance: Chance) -> int:
    """How many edits follow the first."""
    if operator == "create":
        return 1 + chance.below(3)
    return int(operator not in ("combine", "simplify") and chance.flip(TWICE))


def edited(program: Program, edits: tuple[tuple[float, Edit], ...], chance: Chance) -> ast.Module | None:
    """The tree after one edit: the kinds are tried in a drawn order until one fits."""
    for edit in chance.order(edits)[:4]:
        change = edit(Bench(program, chance))
        if change is not None and (change.swaps or change.parameters):
            return changed(program, change)
    return None


def _parameter_count(tree: ast.Module, function: str) -> int:
    return next(
        len(n.args.kwonlyargs) for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function
    )
