"""What every proposer must hold. Subclass :class:`ProposerConformance` as ``TestMyProposer`` and give ``make``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

import pytest
from toy.task import Knapsack

from discovery.candidate import Refused, check
from discovery.proposers.base import Brief, Operator, Parent, Proposer, ProposerRefused, Request
from discovery.proposers.reading import Unreadable, candidate_text
from evaluators.smtt.index_task import SmttIndex
from evaluators.smtt.task import Smtt
from evaluators.task import Task

OPERATORS: tuple[Operator, ...] = ("improve", "combine", "simplify")
TASKS: tuple[Task, ...] = (Smtt({}), SmttIndex({}), Knapsack({}))
PARENTS = {"smtt": ("mdd", "edd"), "smtt-index": ("mdd", "edd"), "knapsack": ("density", "heaviest")}


def parents_of(task: Task) -> tuple[Parent, ...]:
    found = []
    for number, name in enumerate(PARENTS[task.name]):
        path = task.baselines()[name].path
        assert path is not None
        code = path.read_text(encoding="utf-8")
        found.append(Parent(check(code, task.interface).hash, code, 10.0 + number, {"a": 9.0, "b": 11.0}))
    return tuple(found)


def request(task: Task, slot: int, operator: Operator = "improve", *, seed: int = 3) -> Request:
    both = parents_of(task)
    brief = Brief(task.interface, task.summary, task.direction, task.unit, 0.25, ("density", 5.0))
    used = both if operator == "combine" else both[:1]
    return Request(slot, 0, operator, seed, brief, used, known=frozenset(p.hash for p in both))


class ProposerConformance:
    """``known_avoided``: whether a reply is never code that the request calls known. ``valid`` is the least share of
    replies that are candidates."""

    known_avoided: ClassVar[bool] = False
    varied: ClassVar[bool] = True
    valid: ClassVar[float] = 1.0
    slots: ClassVar[range] = range(6)

    def make(self) -> Proposer:
        """A new proposer, as a new process would make it."""
        raise NotImplementedError

    def requests(self) -> list[Request]:
        return [
            request(task, slot, OPERATORS[slot % len(OPERATORS)]) for task in TASKS for slot in self.slots
        ]

    @staticmethod
    def text(proposer: Proposer, made: Request) -> str:
        try:
            return proposer.ask(made, proposer.prompt(made)).text
        except ProposerRefused as refused:
            return f"refused: {refused}"

    def texts(self, proposer: Proposer, requests: Sequence[Request]) -> list[str]:
        return [self.text(proposer, r) for r in requests]

    @staticmethod
    def hash_of(text: str, made: Request) -> str | None:
        try:
            interface = made.brief.interface
            return check(candidate_text(text, [p.code for p in made.parents], interface), interface).hash
        except (Unreadable, Refused):
            return None

    def test_what_it_says_of_itself(self) -> None:
        proposer = self.make()
        assert proposer.name and (proposer.model is None or proposer.model)
        for made in self.requests()[:3]:
            reserved = proposer.reserve(proposer.prompt(made))
            assert reserved > 0 if proposer.paid else reserved == 0

    def test_prompts_are_a_pure_function_of_the_request(self) -> None:
        first, second = self.make(), self.make()
        for made in self.requests():
            assert first.prompt(made) == second.prompt(made) == first.prompt(made)

    def test_equal_requests_get_equal_replies(self) -> None:
        requests = self.requests()
        assert self.texts(self.make(), requests) == self.texts(self.make(), requests)

    def test_no_state_decides_a_reply(self) -> None:
        """Neither what was asked before nor how many ask at once changes a reply."""
        requests = self.requests()
        alone = self.texts(self.make(), requests)
        order = list(range(len(requests)))
        random.Random(1).shuffle(order)
        used = self.make()
        shuffled = {k: self.text(used, requests[k]) for k in order}
        assert [shuffled[k] for k in range(len(requests))] == alone
        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(lambda r: self.text(used, r), requests)) == alone

    def test_replies_are_candidates(self) -> None:
        requests, proposer = self.requests(), self.make()
        hashes = [self.hash_of(self.text(proposer, r), r) for r in requests]
        assert sum(h is not None for h in hashes) >= self.valid * len(requests)

    def test_slots_differ(self) -> None:
        if not self.varied:
            pytest.skip("replies are recorded, so a slot draws nothing")
        proposer, task = self.make(), TASKS[0]
        made = [request(task, slot) for slot in range(8)]
        assert len(set(self.texts(proposer, made))) >= 4
        other = [request(task, slot, seed=4) for slot in range(8)]
        assert self.texts(proposer, other) != self.texts(proposer, made)

    def test_known_code_is_avoided(self) -> None:
        if not self.known_avoided:
            pytest.skip("only a proposer that builds the code itself can keep off known code")
        proposer = self.make()
        for made in self.requests():
            known = made.known
            for _ in range(3):
                found = self.hash_of(self.text(proposer, replace(made, known=known)), made)
                assert found is not None and found not in known
                known |= {found}
