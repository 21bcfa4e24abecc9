"""Resource limits of the child: memory, files, processes, and a backstop for processor time."""

from __future__ import annotations

import os
import resource

CPU_SECONDS = 3600
FILES = 16


def address_space() -> int:
    """The bytes of address space that this process has now."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")


def limits(memory: int) -> list[tuple[int, int]]:
    """Pairs for :func:`apply`: ``memory`` bytes on top of what the zygote has already."""
    return [
        (resource.RLIMIT_AS, address_space() + memory),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ]


def apply(pairs: list[tuple[int, int]]) -> None:
    """Set them, soft and hard, never above the present hard limit. Raises OSError."""
    for kind, value in pairs:
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
