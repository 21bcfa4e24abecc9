"""Where a chat model lives: its address, the key for it, and whether a server answers there. Spends no tokens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from discovery.errors import EnvironmentProblem, UsageError
from discovery.proposers.prices import is_local

OPENAI = "https://api.openai.com/v1"
DEFAULT_KEY = "OPENAI_API_KEY"
NO_KEY = "local"


def normalised(base_url: str | None) -> str:
    """The base URL to use: the argument, else ``OPENAI_BASE_URL``, else OpenAI's. A URL without a path gets ``/v1``.

    Raises UsageError for what is no HTTP address or carries a password or query."""
    given = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).strip().rstrip("/")
    url = given if "://" in given else f"http://{given}"
    try:
        parts = urlsplit(url)
        local, host = is_local(url), parts.hostname
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        local, host, port_ok = False, None, False
    if not host or not port_ok or parts.scheme not in ("http", "https") or (url != given and not local):
        raise UsageError(
            f"the base URL {given[:80]!r} is not an address; expected for example http://127.0.0.1:11434/v1"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "the base URL must hold no user, password or query; keys come from the environment (see --api-key-env)"
        )
    path = parts.path.removesuffix("/chat/completions") or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def key_for(base_url: str, api_key_env: str) -> str | None:
    """The key from the environment; None when there is none. A local server gets a dummy instead of ``OPENAI_API_KEY``:
    the key of a paid service is not handed to whatever listens on a port."""
    if is_local(base_url) and api_key_env == DEFAULT_KEY:
        return NO_KEY
    key = os.environ.get(api_key_env, "").strip()
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise EnvironmentProblem(
            f"the environment variable {api_key_env} holds no key: it has blanks or odd characters"
        )
    return key or (NO_KEY if is_local(base_url) else None)


@dataclass(frozen=True)
class Probe:
    """Whether a server answers. ``models`` is None when it does not list them; ``sentence`` is for the user."""

    reachable: bool
    models: tuple[str, ...] | None
    sentence: str
