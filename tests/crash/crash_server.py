"""A scripted model in a process of its own, which writes down the seed of every request before it answers.

    python crash_server.py LOG

Replies are drawn by the content of the prompt: rules with a number to tune, plain ones, broken and unreadable ones."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from toy.loop import density, rule

from discovery.mock_llm import MockServer

SPACE = 'SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}'


def reply(messages: Sequence[Mapping[str, Any]]) -> str:
    draw = hashlib.sha256(repr([m.get("content") for m in messages]).encode()).digest()
    power = 0.1 + draw[1] / 256
    code = [
        rule("return weights / volumes ** power", keywords=f"power={power!r}", head=SPACE),
        rule(f"return weights / volumes ** power - {draw[2]}", keywords=f"power={power!r}", head=SPACE),
        density(power),
        rule(f"return [1 / 0, {draw[2]}]"),
        "words only",
    ][(0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 4, 4)[draw[0] % 16]]
    return f"```python\n{code}\n```"


def main() -> None:
    with MockServer(delay=0.02, reply=reply) as server, open(sys.argv[1], "a") as log:

        class Seeds(list[Any]):
            def append(self, logged: Any) -> None:
                if "seed" in logged.body:
                    log.write(f"{logged.body['seed']}\n")
                    log.flush()

        server.requests = Seeds()
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
