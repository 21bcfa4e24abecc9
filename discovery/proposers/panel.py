"""Several models as one proposer: each request is answered by the model that was chosen for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from discovery.config import Settings
from discovery.errors import UsageError
from discovery.proposers.base import WRITES, Message, Reply, Request
from discovery.proposers.chat import ChatProposer
from discovery.proposers.choice import Arm
from discovery.values import Model


class Panel:
    """Answers with the model that a request names. At least two ``models``, by name."""

    name = "chat"
    operators = WRITES
    paid = True

    def __init__(self, models: dict[str, ChatProposer]) -> None:
        self._models = models
        self.model: str | None = ", ".join(models)
        self.most_tokens = max(m.most_tokens for m in models.values())
        self._longest = max(m.max_tokens for m in models.values())

    def prompt(self, request: Request) -> tuple[Message, ...]:
        """The messages for the chosen model, within its own prompt budget."""
        return self._chosen(request).prompt(request)

    def reserve(self, messages: tuple[Message, ...]) -> int:
        """Estimated tokens of the prompt plus the longest reply of any model."""
        return max(m.reserve(messages) for m in self._models.values())

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:
        """The reply of the chosen model. Raises as :meth:`ChatProposer.ask` does."""
        return self._chosen(request).ask(request, messages)

    def _chosen(self, request: Request) -> ChatProposer:
        if request.model is None:
            raise ValueError("no model was chosen for this request")
        return self._models[request.model]


def single(settings: Settings, name: str) -> Settings:
    """The settings as they hold for one model: what its own table says comes first."""
    own = settings.models.get(name, Model())
    return replace(
        settings,
        model=name,
        base_url=own.base_url or settings.base_url,
        api_key_env=own.api_key_env or settings.api_key_env,
        temperature=own.temperature or settings.temperature,
        max_tokens=own.max_tokens or settings.max_tokens,
    )


def arms(settings: Settings) -> tuple[Arm, ...]:
    """The models of a run, as the choice among them sees them. Raises UsageError when all have weight 0."""
    found = []
    for name in settings.named_models:
        weight = settings.models.get(name, Model()).weight
        if weight > 0:
            found.append(Arm(name, weight, single(settings, name).temperature or ()))
    if not found:
        raise UsageError(
            "no model may be asked: all of them have weight 0 in [models]; raise one, or name another"
        )
    return tuple(found)


def chat_proposers(
    settings: Settings, sleep: Callable[[float], None] = time.sleep
) -> dict[str, ChatProposer]:
    """A proposer for each model that may be chosen. Raises UsageError or EnvironmentProblem when one is not usable."""
    return {
        name: ChatProposer.from_settings(single(settings, name), sleep=sleep)
        for name in settings.named_models
    }
