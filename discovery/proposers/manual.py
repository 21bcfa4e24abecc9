"""A person or an agent in place of a model: the request stays open until somebody answers it.

``discover ask`` shows an open request, ``discover tell`` records the answer in the ledger, where the loop finds it like
any other reply. So this proposer never answers itself, and needs no state.
"""

from __future__ import annotations

from pathlib import Path

from discovery.prompts.render import REMOTE_BUDGET, messages
from discovery.proposers.base import (
    WRITES,
    Message,
    Operator,
    ProposerWaiting,
    Reply,
    Request,
)

NAME = "manual"
OPERATORS: frozenset[Operator] = WRITES - {"reflect"}
"""A note for later prompts is no use to somebody who remembers."""


class ManualProposer:
    """The prompts of a chat model with a large budget, for whoever reads them."""

    name = NAME
    model: str | None = None
    operators = OPERATORS
    most_tokens = 0
    paid = False

    def __init__(self, templates: Path | None = None) -> None:
        self._templates = templates

    def prompt(self, request: Request) -> tuple[Message, ...]:
        return messages(request, budget_tokens=REMOTE_BUDGET, templates=self._templates)

    def reserve(self, messages: tuple[Message, ...]) -> int:  # noqa: ARG002
        return 0

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:  # noqa: ARG002
        """Raises ProposerWaiting."""
        raise ProposerWaiting(f"slot {request.slot} waits for an answer")
