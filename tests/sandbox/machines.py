"""Machines that lack something, played by a filter of system calls that answers as such a kernel or container does.

    python machines.py MACHINE COMMANDS

puts the filter on, for good, and runs ``discover`` for each command of a JSON list. Prints, as a JSON list, the exit
code, what was printed and what was told of each."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from discovery.sandbox import kernel, seccomp
from discovery.sandbox.attempts import numbers

_PRCTL_OPTION = 16
MACHINES: dict[str, tuple[tuple[str, int, tuple[int, int] | None], ...]] = {
    "old kernel": (("landlock_create_ruleset", errno.ENOSYS, None),),
    "container without landlock": (("landlock_create_ruleset", errno.EPERM, None),),
    "kernel without seccomp": (("seccomp", errno.EINVAL, None),),
    "container without seccomp": (("seccomp", errno.EPERM, None),),
    "container without prctl": (("prctl", errno.EPERM, (_PRCTL_OPTION, kernel.PR_SET_NO_NEW_PRIVS)),),
    "no namespaces": (("unshare", errno.EPERM, None),),
}
"""What each refuses: call, error, and where only one value of one argument is meant, its place and that value."""


def play(machine: str) -> None:
    """Put the filter of ``machine`` on this process and all that come from it."""
    table = {
        **numbers(),
        "landlock_create_ruleset": 444,
        "seccomp": {"x86_64": 317, "aarch64": 277}[seccomp.machine()],
    }
    words = [struct.pack("<HBBI", 0x20, 0, 0, 0)]
    for call, error, only in MACHINES[machine]:
        refuse = struct.pack("<HBBI", 0x06, 0, 0, seccomp.ERRNO | error)
        if only is None:
            words += [struct.pack("<HBBI", 0x15, 0, 1, table[call]), refuse]
        else:
            at, value = only
            words += [
                struct.pack("<HBBI", 0x15, 0, 4, table[call]),
                struct.pack("<HBBI", 0x20, 0, 0, at),
                struct.pack("<HBBI", 0x15, 0, 1, value),
                refuse,
                struct.pack("<HBBI", 0x20, 0, 0, 0),
            ]
    words.append(struct.pack("<HBBI", 0x06, 0, 0, seccomp.ALLOW))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.Filter(b"".join(words)).install()


def discover(words: list[str]) -> tuple[int, str, str]:
    """One command in a child of its own: exit code, output, messages."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        pid = os.fork()
        if pid == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            from discovery.cli.main import main

            try:
                main(words)
            except SystemExit as end:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(int(end.code or 0))
        status = os.waitpid(pid, 0)[1]
        out.seek(0)
        err.seek(0)
        return os.waitstatus_to_exitcode(status), out.read(), err.read()


def on(machine: str, folder: Path, *commands: str) -> list[tuple[int, str, str]]:
    """Each of ``commands`` on ``machine``, in ``folder``."""
    done = subprocess.run(
        [sys.executable, __file__, machine, json.dumps([c.split() for c in commands])],
        cwd=folder, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return [tuple(row) for row in json.loads(done.stdout)]


if __name__ == "__main__":
    import discovery.cli.checks
    import discovery.cli.main
    import discovery.run
    import discovery.scoring  # noqa: F401 - once for all commands

    play(sys.argv[1])
    sys.stdout.write(json.dumps([discover(words) for words in json.loads(sys.argv[2])]))
