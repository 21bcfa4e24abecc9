"""Where a chat model lives: its address, the key for it, and whether a server answers there. Spends no tokens."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from discovery.errors import EnvironmentProblem, UsageError
from discovery.proposers.prices import is_local

OPENAI = "https://api.openai.com/v1"
LOCAL_PORTS = (11434, 1234, 8000, 8080, 8085)
"""Ollama, LM Studio, vLLM, llama.cpp, and the port this project's notes use."""
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


def find_local(timeout: float = 0.1) -> str | None:
    """The base URL of a model server on this machine, the usual ports tried at once; None after at most twice
    ``timeout`` seconds. For a hint only: a server is never used unasked."""
    found: dict[int, str] = {}

    def look(port: int) -> None:
        if _lists_models(port, timeout):
            found[port] = f"http://127.0.0.1:{port}/v1"

    threads = [threading.Thread(target=look, args=(port,), daemon=True) for port in LOCAL_PORTS]
    deadline = time.monotonic() + 2 * timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return next((found[port] for port in LOCAL_PORTS if port in found), None)


def _lists_models(port: int, timeout: float) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/v1/models")
        response = connection.getresponse()
        data = json.loads(response.read(1_000_000)) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return False
    finally:
        connection.close()
    return isinstance(data, dict) and isinstance(data.get("data"), list)
