"""A language model behind any OpenAI-compatible chat endpoint: OpenAI, Ollama, vLLM, llama.cpp, LM Studio and others.

Here is what is sent, how often it is tried and what a reply holds; one try over HTTP is
:mod:`discovery.proposers.connection`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from discovery.config import Settings
from discovery.draws import generator, key
from discovery.errors import EnvironmentProblem, UsageError
from discovery.prompts.quoting import one_line
from discovery.prompts.render import LOCAL_BUDGET, REMOTE_BUDGET, message_tokens, messages
from discovery.proposers.base import (
    WRITES,
    Message,
    ProposerDown,
    ProposerNoReply,
    ProposerRefused,
    ProposerUnavailable,
    Reply,
    Request,
)
from discovery.proposers.bodies import as_sent, content_of, parsed, usage_of
from discovery.proposers.connection import Adapted, Answer, Connection, Failed
from discovery.proposers.endpoint import Probe, key_for, normalised
from discovery.proposers.prices import cost_of, is_local, price_of
from discovery.values import Price

__all__ = ["AnsweredRefused", "ChatProposer", "Probe"]

LOCAL_REPLY, REMOTE_REPLY = 1_500, 4_000
"""Tokens of the longest reply by default. A reasoning model spends its reasoning from them too."""
LOCAL_TIMEOUT, REMOTE_TIMEOUT = 600.0, 120.0
LOCAL_IN_FLIGHT, REMOTE_IN_FLIGHT = 2, 8
MAX_WAIT = 60.0
"""Seconds that one request may wait for rate limits in all, and the longest Retry-After that is waited for."""
STRIKES = 3
"""Requests in a row that may end in timeouts or server errors before the endpoint counts as unavailable."""


class AnsweredRefused(ProposerRefused):
    """Refused after the model had answered: ``reply`` holds the tokens and the cost, which were spent."""

    def __init__(self, reason: str, reply: Reply) -> None:
        super().__init__(reason)
        self.reply = reply


class ChatProposer:
    """Asks a chat model. Safe to call from several threads; what it remembers are refused parameters only."""

    name = "chat"
    operators = WRITES

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        temperature: float | None = 0.8,
        max_tokens: int | None = None,
        timeout: float | None = None,
        in_flight: int | None = None,
        retries: int = 4,
        budget_tokens: int | None = None,
        prices: Mapping[str, Price] | None = None,
        templates: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``None`` leaves the temperature to the server and chooses the others by where the server is: ``max_tokens``
        1,500, ``budget_tokens`` 1,500, ``timeout`` 600 s and 2 requests ``in_flight`` on a local one, else 4,000,
        8,000, 120 s and 8. A small server answers one request after another, and a request that waits in its queue
        until it times out is work thrown away. ``retries`` are tries after the first, ``sleep`` waits
        between them.

        Raises UsageError for a missing model or a bad value, EnvironmentProblem when the key is not set."""
        if not model or not model.strip():
            raise UsageError("name a model (--model NAME); a key or a server alone is not used")
        self.model: str | None = model.strip()
        self._model = model.strip()
        self.base_url = normalised(base_url)
        self.local = is_local(self.base_url)
        self.paid = True
        self.temperature = temperature
        self.max_tokens = max_tokens or (LOCAL_REPLY if self.local else REMOTE_REPLY)
        self.budget_tokens = budget_tokens or (LOCAL_BUDGET if self.local else REMOTE_BUDGET)
        self.most_tokens = self.budget_tokens + self.max_tokens
        self.timeout = timeout or (LOCAL_TIMEOUT if self.local else REMOTE_TIMEOUT)
        self.retries = retries
        flying = in_flight or (LOCAL_IN_FLIGHT if self.local else REMOTE_IN_FLIGHT)
        self._turn = threading.BoundedSemaphore(max(1, flying))
        self.prices, self.templates = prices or {}, templates
        if min(self.max_tokens, self.budget_tokens, self.timeout) <= 0 or retries < 0:
            raise UsageError("max_tokens, budget_tokens and timeout must be above 0, retries at least 0")
        if key_for(self.base_url, api_key_env) is None:
            raise EnvironmentProblem(
                f"{self.base_url} needs a key: set the environment variable {api_key_env}, or name another one"
            )
        self._lock = threading.Lock()
        self._line = Connection(self._model, self.base_url, api_key_env, self.timeout)
        self._strikes = 0
        self._sleep = sleep

    @classmethod
    def from_settings(
        cls, settings: Settings, *, sleep: Callable[[float], None] = time.sleep
    ) -> ChatProposer:
        """The proposer that the settings describe."""
        return cls(
            settings.model or "",
            settings.base_url,
            api_key_env=settings.api_key_env,
            temperature=settings.temperature[0] if settings.temperature else None,
            max_tokens=settings.max_tokens,
            timeout=settings.timeout,
            in_flight=settings.in_flight,
            prices=settings.prices,
            templates=Path(settings.templates) if settings.templates else None,
            sleep=sleep,
        )

    # --- the contract ---

    def prompt(self, request: Request) -> tuple[Message, ...]:
        """The messages of a request. Raises UsageError when a template fails."""
        return messages(request, budget_tokens=self.budget_tokens, templates=self.templates)

    def reserve(self, messages: tuple[Message, ...]) -> int:
        """Estimated tokens of the prompt plus the longest reply."""
        return message_tokens(messages) + self.max_tokens

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:
        """One reply. Retries are the same request, at most ``retries`` of them and 60 s of waiting.

        Raises ProposerRefused (AnsweredRefused when tokens were spent) or ProposerUnavailable."""
        with self._turn:
            return self._asked(request, messages)

    def _asked(self, request: Request, messages: tuple[Message, ...]) -> Reply:
        seed = key(request.seed, request.slot, request.attempt, "chat") & 0x7FFFFFFF
        backoff = generator(request.seed, request.slot, request.attempt, "backoff")
        tries, waited, start = 0, 0.0, time.monotonic()
        while True:
            try:
                answer = self._send(request, messages, seed)
                reply = self._reply(answer, time.monotonic() - start)
            except Adapted:
                continue
            except Failed as failed:
                wait = _wait(failed, tries, backoff)
                tries, waited = tries + 1, waited + wait
                if tries > self.retries or waited > MAX_WAIT:
                    raise self._given_up(failed, tries) from None
                self._sleep(wait)
                continue
            self._strikes = 0
            return reply

    # --- at the start of a run ---

    def describe(self) -> str:
        """One line: who is asked, where, and what it costs."""
        price = price_of(self._model, self.base_url, self.prices)
        cost = (
            "cost unknown" if price is None else "no cost" if price.input == price.output == 0 else "priced"
        )
        return f"model {self._model} at {self.base_url} ({'local, ' if self.local else ''}{cost})"

    def probe(self, timeout: float = 5.0) -> Probe:
        """Whether the server answers and knows the model, by listing its models: no tokens are spent."""
        try:
            answer = self._line.call("models", {}, timeout)
        except (Failed, ProposerUnavailable) as error:
            return Probe(False, None, str(error))
        if answer.status in (401, 403):
            return Probe(False, None, self._line.denied(answer.status))
        data = parsed(answer.text)
        listed = data.get("data") if isinstance(data, dict) and answer.status == 200 else None
        if not isinstance(listed, list):
            if answer.status in (404, 405, 501):
                return Probe(True, None, f"{self.base_url} answers but lists no models")
            return Probe(False, None, self._line.not_an_api(answer))
        names = tuple(str(m.get("id")) for m in listed if isinstance(m, dict))
        if names and self._model not in names:
            some = ", ".join(one_line(n, 60) for n in names[:8])
            return Probe(
                True, names, f"{self.base_url} answers, but does not list model {self._model}; it has: {some}"
            )
        return Probe(True, names, f"{self.base_url} answers")

    # --- one try ---

    def _send(self, request: Request, messages: tuple[Message, ...], seed: int) -> Answer:
        refused = self._line.refused
        body: dict[str, Any] = {"model": self._model, "messages": as_sent(messages, "system" in refused)}
        temperature = self.temperature if request.temperature is None else request.temperature
        if temperature is not None and "temperature" not in refused:
            body["temperature"] = temperature
        if "max_tokens" not in refused:
            body["max_tokens"] = self.max_tokens
        elif "max_completion_tokens" not in refused:
            body["max_completion_tokens"] = self.max_tokens
        if "seed" not in refused:
            body["seed"] = seed
        answer = self._line.call("chat", body, self.timeout)
        if answer.status != 200:
            self._line.failure(answer.status, answer, body)
        return answer

    # --- what came back ---

    def _reply(self, answer: Answer, seconds: float) -> Reply:
        data = parsed(answer.text)
        if isinstance(data, dict) and "choices" not in data and isinstance(data.get("error"), dict | str):
            status = data["error"].get("code") if isinstance(data["error"], dict) else None
            self._line.failure(
                status if isinstance(status, int) and 400 <= status < 600 else 500, answer, {"messages": []}
            )
        choices = data.get("choices") if isinstance(data, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(data, dict) or not isinstance(choice, dict) or not isinstance(message, dict):
            raise ProposerUnavailable(self._line.not_an_api(answer))
        finish = choice.get("finish_reason")
        prompt, completion, cached = usage_of(data.get("usage"))
        reply = Reply(
            text=content_of(message.get("content")),
            model=one_line(content_of(data.get("model")), 200) or self._model,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost=self._cost(prompt, completion, cached),
            finish=finish if isinstance(finish, str) else None,
            seconds=seconds,
        )
        refusal = message.get("refusal")
        if reply.finish == "content_filter":
            raise AnsweredRefused("the content filter withheld the reply", reply)
        if isinstance(refusal, str) and refusal and not reply.text.strip():
            raise AnsweredRefused(f"the model refused: {one_line(refusal, 160)}", reply)
        if not reply.text.strip() and reply.finish == "length":
            raise AnsweredRefused(
                f"the model spent all {self.max_tokens} tokens before it answered (reasoning?); raise the reply limit",
                reply,
            )
        if not reply.text.strip():
            raise AnsweredRefused("the reply is empty", reply)
        return reply

    def _cost(self, prompt: int | None, completion: int | None, cached: int) -> float | None:
        price = price_of(self._model, self.base_url, self.prices)
        if price is not None and price.input == price.output == 0:
            return 0.0
        return (
            None
            if price is None or prompt is None or completion is None
            else cost_of(price, prompt, completion, cached)
        )

    # --- sentences ---

    def _given_up(self, failed: Failed, tries: int) -> Exception:
        sentence = f"{failed} (after {tries} {'try' if tries == 1 else 'tries'})"
        if not failed.lost:
            return ProposerDown(f"{sentence}; try again later" if failed.limited else sentence)
        with self._lock:
            self._strikes += 1
            strikes = self._strikes
        if strikes >= STRIKES:
            return ProposerDown(f"{sentence}, {strikes} requests in a row")
        return ProposerNoReply(sentence)


def _wait(failed: Failed, tries: int, backoff: random.Random) -> float:
    """Seconds before the next try: what the server asks for, else 0.5, 1, 2, … s, spread so that threads part."""
    if failed.wait is not None:
        return failed.wait
    return float(min(8.0, 0.5 * 2.0**tries) * backoff.uniform(0.75, 1.25))
