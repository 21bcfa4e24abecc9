"""Local model servers that answer. They are mentioned to the user, never used unasked."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from discovery.escape import plain

PORTS = {11434: "Ollama", 1234: "LM Studio", 8000: "vLLM", 8080: "llama.cpp", 8085: "a local server"}
TIMEOUT = 0.3
LONGEST = 65_536


@dataclass(frozen=True)
class LocalServer:
    """An endpoint that lists models in OpenAI's manner. ``models`` are names as it gave them, escaped and bounded."""

    url: str
    usual: str
    models: tuple[str, ...]

    @property
    def sentence(self) -> str:
        models = ", ".join(self.models[:3]) + (", …" if len(self.models) > 3 else "")
        return f"{self.usual} answers at {self.url} with {models or 'no model'}"


def find(ports: dict[int, str] | None = None) -> list[LocalServer]:
    """Ask the usual ports on 127.0.0.1 for their models, all at once; what does not answer in time is not there."""
    asked = PORTS if ports is None else ports
    with ThreadPoolExecutor(len(asked) or 1) as pool:
        return [s for s in pool.map(_ask, asked, asked.values()) if s is not None]


def _ask(port: int, usual: str) -> LocalServer | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/v1/models")
        answer = connection.getresponse()
        listed = json.loads(answer.read(LONGEST)).get("data") if answer.status == 200 else None
        if not isinstance(listed, list):
            return None
        names = tuple(
            plain(m["id"], limit=80) for m in listed if isinstance(m, dict) and isinstance(m.get("id"), str)
        )
        return LocalServer(f"http://127.0.0.1:{port}/v1", usual, names)
    except (OSError, http.client.HTTPException, ValueError, AttributeError, RecursionError):
        return None
    finally:
        connection.close()
