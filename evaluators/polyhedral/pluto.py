"""Pluto as a reference policy: its ``polycc`` on the program as written, and what it makes compiled by gcc.

Source: Bondhugula, Hartono, Ramanujam & Sadayappan, "A practical automatic polyhedral parallelizer and locality
optimizer" (2008).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from evaluators.polyhedral import codegen
from evaluators.polyhedral.codegen import MOST_TEXT
from evaluators.polyhedral.program import Program
from evaluators.task import TaskError

SECONDS = 60
"""Processor time of one program; wall time is three times that."""
LIMITED = f'ulimit -t {SECONDS}; ulimit -v 4000000; ulimit -f 100000; exec "$@"'
PLAIN = """\
void kernel(const long N, double *restrict A_)
{
  double (*restrict A)[N] = (double (*)[N])A_;
  long i, j;
#pragma scop
  for (i = 0; i < N; i++) {
    for (j = 0; j < N; j++) {
      A[i][j] = A[i][j] * 2.0;
    }
  }
#pragma endscop
}
"""
"""What every Pluto can do: where it fails on this, the command is at fault and not the program."""


class Refused(Exception):
    """Pluto makes nothing of a program; the text says why."""


def source(program: Program) -> str:
    """The program as Pluto reads it: iterators declared before, the loops between its pragmas."""
    lines = codegen.reference(program).splitlines()
    first = (
        next(k for k, line in enumerate(lines) if line.startswith("void kernel")) + 2 + len(program.arrays)
    )
    loops = [
        re.sub(r"for \(long (\w+) = (.*); \+\+\1\)", r"for (\1 = \2; \1++)", line) for line in lines[first:-1]
    ]
    iterators = ", ".join(dict.fromkeys(n.iterator for n in program.loops))
    declared = [f"  long {iterators};"] if iterators else []
    return "\n".join([*lines[:first], *declared, "#pragma scop", *loops, "#pragma endscop", "}"]) + "\n"


@lru_cache(maxsize=512)
def transformed(text: str, command: str, threads: int = 1) -> str:
    """The C that ``polycc`` makes of a text. Raises Refused, and TaskError where the command is of no use at all."""
    return _run(text, usable(command), threads)


@lru_cache(maxsize=8)
def usable(command: str) -> str:
    """The path of a ``polycc`` that works. Raises TaskError, naming the option."""
    where = f"option pluto={command!r} of task 'polyhedral'"
    path = shutil.which(command)
    if path is None:
        raise TaskError(
            f"{where}: there is no such command on this machine; install Pluto, or leave the option out"
        )
    try:
        _run(PLAIN, path, 1)
    except Refused as error:
        raise TaskError(f"{where}: the command does not work even on a plain loop ({error})") from None
    return path


def _run(text: str, path: str, threads: int) -> str:
    """One run in a folder of its own, since polycc leaves files where it runs."""
    with tempfile.TemporaryDirectory(prefix="discover-pluto-") as name:
        folder = Path(name)
        (folder / "program.c").write_text(text, encoding="ascii")
        parallel = ["--parallel"] if threads > 1 else []
        _limited([path, "--tile", *parallel, "program.c", "-o", "tiled.c"], folder)
        try:
            with (folder / "tiled.c").open("rb") as file:
                made = file.read(MOST_TEXT + 1).decode("ascii")
        except OSError:
            raise Refused("it has written no file") from None
        except UnicodeDecodeError:
            raise Refused("what it has written is no C") from None
    if len(made) > MOST_TEXT:
        raise Refused(f"what it has written is longer than {MOST_TEXT} characters")
    return made


def _limited(command: Sequence[str], folder: Path) -> None:
    """Run a command to its end, within limits. Raises Refused."""
    environment = {n: os.environ[n] for n in ("PATH", "HOME", "LD_LIBRARY_PATH") if n in os.environ}
    with (folder / "said").open("w+b") as said:
        process = subprocess.Popen(
            ["/bin/sh", "-c", LIMITED, "sh", *command], cwd=folder, env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(3 * SECONDS)
        except subprocess.TimeoutExpired:
            raise Refused(f"it was stopped after {3 * SECONDS} s") from None
        finally:
            with suppress(ProcessLookupError):  # whatever it has started ends with it
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        words = " ".join(said.read(2000).decode("ascii", "replace").split())[-200:]
    if status:
        raise Refused(f"it ended with status {status}" + (f": {words}" if words else ""))
