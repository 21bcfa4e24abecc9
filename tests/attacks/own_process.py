"""A harness without a border, as it must not be: candidate, adapter, referee and report share one process, with the
host's memory and environment. Reads a JSON text (the code) a line and answers a JSON object a line."""

from __future__ import annotations

import atexit
import json
import os
import select
import sys

from attacks.instances import SET
from evaluators.smtt import adapter
from evaluators.smtt.task import Smtt
from evaluators.task import InvalidAnswer

WORDS = [f"REFERENCE-IN-MEMORY-{i}" for i in range(100)]
REFERENCE = "REFERENCE"
PATIENCE = 2.0


def harness(code: str) -> str:
    """The report on ``code``."""
    task, scores, answers = Smtt({}), [], []
    namespace: dict[str, object] = {"__name__": "candidate"}
    try:
        exec(compile(code, "<candidate>", "exec"), namespace)  # noqa: S102 - the mistake that is shown
        for instance in SET:
            payload = bytes(bytearray(instance.payload))
            object.__setattr__(instance, "payload", payload)
            answer = adapter.answer(namespace["schedule"], payload, {})  # type: ignore[arg-type]
            judgement = task.judge(instance, answer)
            scores.append(judgement.score)
            answers.append(answer.hex())
    except InvalidAnswer:
        return json.dumps({"outcome": "rejected", "scores": [], "answers": answers})
    except Exception:
        return json.dumps({"outcome": "error", "scores": [], "answers": answers})
    with open(os.devnull, "w") as log:
        log.write("scored")
    import json as report

    return report.dumps({"outcome": "scored", "scores": scores, "answers": answers})


def in_a_fork(code: str) -> bytes:
    """The last line that came back, empty when none did in time."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            os.write(write_end, harness(code).encode() + b"\n")
            atexit._run_exitfuncs()
        finally:
            os._exit(0)
    os.close(write_end)
    said = b""
    while select.select([read_end], [], [], PATIENCE)[0]:
        more = os.read(read_end, 65536)
        if not more:
            break
        said += more
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(read_end)
    return said.splitlines()[-1] if said else b""


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(in_a_fork(json.loads(line)) + b"\n")
        sys.stdout.buffer.flush()
