"""Where exported autoschedulers are used: a command that takes a program file and writes C."""

from __future__ import annotations

from pathlib import Path

from evaluators.task import HostAdapter

USAGE = """\
`python -m {{ package }}.write_c FILE [-o OUT.c] [--size N=500 ...] [--threads]` writes the C of a loop program as this
scheduler orders it; `--example` shows a program file. Every transform is proved legal first. The package
`discover-heuristics[polyhedral]` has to be installed beside it; no compiler is needed.
"""
HOSTS = (
    HostAdapter(
        host="discover",
        file="write_c.py",
        template=Path(__file__).parent / "write_c.py.j2",
        usage=USAGE,
        requires=("discover-heuristics[polyhedral]",),
    ),
)
