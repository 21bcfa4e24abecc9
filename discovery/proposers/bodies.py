"""Bodies of requests and responses as servers really send them: what is missing is None or empty, never an error."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from discovery.proposers.base import Message


def as_sent(messages: tuple[Message, ...], merged: bool) -> list[dict[str, str]]:
    """The messages, system and user in one when the server knows no system role."""
    if merged and len(messages) > 1 and messages[0].role == "system":
        first, second, *rest = messages
        messages = (Message("user", f"{first.content}\n{second.content}"), *rest)
    return [{"role": m.role, "content": m.content} for m in messages]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, in any of the forms it may say so; None when it does not."""
    milliseconds, after = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            wait = float(milliseconds) / 1000
        elif after is None:
            return None
        elif re.fullmatch(r"\s*[\d.]+\s*", after):
            wait = float(after)
        else:
            wait = parsedate_to_datetime(after).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, wait) if wait == wait else None


def parsed(text: str) -> object:
    """The JSON value of a body, None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def error_of(text: str) -> tuple[str, str, str]:
    """Code, parameter and message of an error body, in the shapes that servers use; empty when missing."""
    data = parsed(text)
    if not isinstance(data, dict):
        return "", "", "" if text.lstrip().startswith("<") else text[:2000]
    error = data.get("error", data)
    if isinstance(error, str):
        return "", "", error[:2000]
    if not isinstance(error, dict):
        return "", "", ""
    said = error.get("message") or error.get("detail") or ""
    said = said if isinstance(said, str) else json.dumps(said)
    code, param = error.get("code") or "", error.get("param") or ""
    return str(code), param if isinstance(param, str) else "", said[:2000]


def content_of(content: object) -> str:
    """Text of a message, also where a server gives a list of parts; without what no database stores."""
    if isinstance(content, list):
        parts = [p.get("text") for p in content if isinstance(p, dict)]
        content = "".join(p for p in parts if isinstance(p, str))
    text = content if isinstance(content, str) else ""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def usage_of(usage: object) -> tuple[int | None, int | None, int]:
    """Prompt, completion and cached tokens; None where the server does not say."""
    if not isinstance(usage, dict):
        return None, None, 0
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), cached or 0


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
