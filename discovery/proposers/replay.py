"""Recorded replies in place of a model: the same run again, offline and free."""

from __future__ import annotations

from dataclasses import replace

from discovery.proposers.base import (
    WRITES,
    Message,
    Operator,
    ProposerNoReply,
    ProposerRefused,
    Reply,
    Request,
)
from discovery.proposers.cassette import Cassette


class ReplayProposer:
    """Answers by slot and attempt. A replay spends nothing: tokens, cost and time of its replies are 0."""

    name = "replay"
    model: str | None = None
    most_tokens = 0
    paid = False

    def __init__(self, recorded: Cassette) -> None:
        self._recorded = recorded
        course = recorded.course
        self.operators: frozenset[Operator] = course.operators if course is not None else WRITES

    def prompt(self, request: Request) -> tuple[Message, ...]:  # noqa: ARG002
        return ()

    def reserve(self, messages: tuple[Message, ...]) -> int:  # noqa: ARG002
        return 0

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:  # noqa: ARG002
        """The recorded reply. Raises ProposerNoReply and ProposerRefused with the recorded reason, and ProposerRefused
        for a request that was not recorded."""
        key, recorded = (request.slot, request.attempt), self._recorded
        if key in recorded.lost:
            raise ProposerNoReply(recorded.lost[key])
        if key in recorded.refused:
            raise ProposerRefused(recorded.refused[key])
        if key not in recorded.replies:
            raise ProposerRefused(
                f"the recording has no reply for slot {request.slot}, attempt {request.attempt} "
                f"(it holds {len(recorded.replies)} replies)"
            )
        return replace(recorded.replies[key], prompt_tokens=0, completion_tokens=0, cost=0.0, seconds=0.0)
