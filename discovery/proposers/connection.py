"""One try over HTTP: a request to a chat endpoint, and what an answer other than a completion means.

The body of a response is read here, not by the client library, since servers differ in what they leave out. A server
that refuses a parameter is met half-way once, and the refusal is remembered.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from discovery.prompts.quoting import one_line
from discovery.proposers.base import ProposerRefused, ProposerUnavailable
from discovery.proposers.bodies import error_of, retry_after
from discovery.proposers.endpoint import NO_KEY, key_for
from discovery.proposers.prices import is_local

if TYPE_CHECKING:
    from openai import OpenAI

_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum context|too many tokens|prompt is too long", re.I
)
_NO_MODEL = re.compile(
    r"model.{0,120}(not found|does not exist|not exist|unknown|no such|not loaded)", re.I | re.S
)
_SYSTEM = re.compile(
    r"system.{0,30}(role|message|prompt|instruction)|role.{0,30}(system|alternate)|only user", re.I | re.S
)


class Failed(Exception):
    """One try failed. ``wait`` is what the server asks for, s; None leaves it to the backoff."""

    def __init__(
        self, sentence: str, *, wait: float | None = None, limited: bool = False, lost: bool = False
    ) -> None:
        super().__init__(sentence)
        self.wait, self.limited, self.lost = wait, limited, lost


class Adapted(Exception):
    """The server refused a parameter; the request is to be sent again without it."""


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]


class Connection:
    """A model at its endpoint. Safe to use from several threads; what it remembers are refused parameters only."""

    def __init__(self, model: str, base_url: str, key_env: str, timeout: float) -> None:
        self.model, self.base_url, self.timeout = model, base_url, timeout
        self.local = is_local(base_url)
        self._key_env = key_env
        self._lock = threading.Lock()
        self._client: OpenAI | None = None
        self.refused: frozenset[str] = frozenset()
        """Parameters that the server does not take."""

    def call(self, what: str, body: dict[str, Any], timeout: float) -> Answer:
        import openai

        client = self._connected()
        try:
            if what == "models":
                raw = client.models.with_raw_response.list(timeout=timeout)
            else:
                raw = client.chat.completions.with_raw_response.create(**body, timeout=timeout)
            return Answer(200, raw.text, raw.headers)
        except openai.APIStatusError as error:
            return Answer(error.status_code, error.response.text, error.response.headers)
        except openai.APITimeoutError:
            raise Failed(
                f"{self.base_url} did not answer within {timeout:g} s; give it more time, or check its load",
                lost=True,
            ) from None
        except openai.APIConnectionError as error:
            cause = self._quoted(error.__cause__ or error)
            raise Failed(f"{self.base_url} cannot be reached ({cause}); is the server running?") from None
        except (openai.OpenAIError, TypeError, ValueError, AttributeError, KeyError) as error:
            raise ProposerUnavailable(
                f"{self.base_url} cannot be used with model {self.model}: {self._quoted(error)}"
            ) from None

    def _connected(self) -> OpenAI:
        with self._lock:
            if self._client is None:
                import httpx2
                import openai

                secret = key_for(self.base_url, self._key_env)
                if secret is None:
                    raise ProposerUnavailable(f"the environment variable {self._key_env} is no longer set")
                # A proxy from the environment must not stand between us and a server on this machine.
                own = httpx2.Client(trust_env=False, follow_redirects=True) if self.local else None
                self._client = openai.OpenAI(
                    api_key=secret,
                    base_url=self.base_url,
                    timeout=self.timeout,
                    max_retries=0,
                    http_client=own,
                )
            return self._client

    def failure(self, status: int, answer: Answer, body: Mapping[str, Any]) -> None:
        """Raise what an error status means."""
        code, param, said = error_of(answer.text)
        quoted = f": {one_line(said, 200)}" if said else ""
        where = f"{self.base_url} (model {self.model})"
        if status in (401, 403):
            raise ProposerUnavailable(self.denied(status))
        if status == 402 or code in ("insufficient_quota", "billing_hard_limit_reached"):
            raise ProposerUnavailable(f"{where} refuses for lack of credit{quoted}; check the account")
        if status == 429 or code == "rate_limit_exceeded":
            raise Failed(f"{where} limits the rate{quoted}", wait=retry_after(answer.headers), limited=True)
        if status in (408, 409, 425) or status >= 500:
            raise Failed(
                f"{where} failed with status {status}{quoted}", wait=retry_after(answer.headers), lost=True
            )
        if code == "context_length_exceeded" or status == 413 or _TOO_LONG.search(said):
            raise ProposerRefused(
                f"the prompt is too long for model {self.model}{quoted}; lower the prompt budget"
            )
        if status == 404 or code == "model_not_found" or (status == 400 and _NO_MODEL.search(said)):
            raise ProposerUnavailable(
                f"{self.base_url} has no model {self.model!r} or no chat endpoint{quoted}; "
                "check the model's name and that the URL ends as the server expects (mostly /v1)"
            )
        if code == "content_filter":
            raise ProposerRefused(f"the content filter of {where} refused the prompt")
        if status in (400, 422):
            self._adapt(param, said, body)
            raise ProposerRefused(f"{where} refused the request{quoted or f' with status {status}'}")
        raise ProposerUnavailable(
            f"{where} answered with status {status}{quoted}; is this a chat-completions endpoint?"
        )

    def _adapt(self, param: str, said: str, body: Mapping[str, Any]) -> None:
        """Give up one parameter that the server refuses; raises Adapted when there is something to give up."""
        system = any(m["role"] == "system" for m in body["messages"])
        for name in ("max_completion_tokens", "max_tokens", "temperature", "seed"):
            if name in body and (param == name or (not param and re.search(rf"\b{name}\b", said))):
                return self._without(name)
        if system and param in ("", "messages", "role") and _SYSTEM.search(said):
            return self._without("system")
        return None

    def _without(self, name: str) -> None:
        with self._lock:
            self.refused |= {name}
        raise Adapted

    # --- sentences ---

    def _quoted(self, error: BaseException) -> str:
        """What a library says, without the key should it quote it."""
        secret = key_for(self.base_url, self._key_env) or NO_KEY
        return one_line(str(error).replace(secret, "…") or type(error).__name__, 160)

    def denied(self, status: int) -> str:
        return (
            f"{self.base_url} refuses the key (status {status}); set the right one in the environment variable "
            f"{self._key_env}" + (" (for a local server name another variable)" if self.local else "")
        )

    def not_an_api(self, answer: Answer) -> str:
        page = answer.text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<?xml"))
        what = "a web page" if page else "something else"
        return (
            f"{self.base_url} answered with {what} instead of a chat completion for model {self.model}; "
            "check the base URL (mostly it ends in /v1)"
        )
