"""What this machine can isolate, in words: each layer, each tier, and the extras, with what a gap means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from discovery.sandbox.base import SandboxUnavailable
from discovery.sandbox.process import REQUIRED
from discovery.sandbox.selftest import LAYERS, LayerReport, probe

_ABI = (
    (3, "changing a file's length"),
    (4, "TCP"),
    (5, "control of devices"),
    (6, "signals and abstract sockets"),
)
"""From which version on Landlock sees what, beside files (1)."""
_NAMESPACES = {
    "net": "no network, not even the machine's own",
    "mount": "an empty file tree",
    "ipc": "no shared memory of others",
    "uts": "a name of its own",
}
_CGROUPS = Path("/sys/fs/cgroup")


class Finding(NamedTuple):
    """``ok`` is None for what is only told; False where a run would not start."""

    name: str
    ok: bool | None
    detail: str


def findings() -> Iterator[Finding]:
    """Everything about isolation on this machine, proved by child processes that try what is forbidden."""
    try:
        strict, library = probe(), probe(tier="library")
    except SandboxUnavailable as error:
        yield Finding("sandbox", False, f"{error}; see README.md, “Machines that cannot isolate”")
        return
    complaint = strict.complaint()
    yield Finding("sandbox", not complaint, complaint or "isolates candidates")
    for layer in REQUIRED:
        yield Finding(f"sandbox: {layer}", strict.held[layer], _layer(layer, strict))
    if not complaint:
        yield Finding(
            "sandbox: strict tier", True, f"{len(strict.tried)} forbidden things tried, all refused"
        )
        refused = (
            library.complaint() or f"{len(library.tried)} forbidden things tried, all refused; imports work"
        )
        yield Finding("sandbox: library tier", None if library.complaint() else True, refused)
    yield Finding("sandbox: landlock abi", None, abi(strict.landlock_abi))
    for name, gives in _NAMESPACES.items():
        yield Finding(f"sandbox: {name} namespace", None, _namespace(name, gives, strict))
    yield Finding("sandbox: cgroups", None, cgroups(_text("/proc/self/cgroup"), _CGROUPS))


def _layer(layer: str, report: LayerReport) -> str:
    keeps, advice = LAYERS[layer]
    if report.held[layer]:
        return f"holds: {keeps}"
    allowed = [b.removeprefix(f"{layer}: ") for b in report.breaches if b.startswith(f"{layer}: ")]
    return f"does not hold ({', '.join(allowed[:3]) or 'missing'}); it keeps: {keeps}. {advice}"


def abi(version: int) -> str:
    """What Landlock of this ``version`` does not see, and what sees it instead."""
    missing = [f"{what} (from {since})" for since, what in _ABI if version < since]
    if not version:
        return "no Landlock in this kernel, or a container keeps it away"
    return f"{version}: " + (
        f"does not see {', '.join(missing)}; seccomp refuses these" if missing else "sees enough"
    )


def _namespace(name: str, gives: str, report: LayerReport) -> str:
    allowed = [b for b in report.breaches if b.startswith(f"namespaces: {name}")]
    if allowed:
        return f"entered, but it does not hold ({allowed[0]})"
    if name in report.namespaces:
        return f"entered: {gives}"
    return (
        f"not entered ({report.refused}); an extra, the required layers hold without it. It needs user namespaces "
        "(Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0; Docker: a profile that permits unshare)"
    )


def cgroups(membership: str, root: Path) -> str:
    """Whether the machine can bound the memory of all processes together; the sandbox bounds each child by itself.

    ``membership``: the text of /proc/self/cgroup. ``root``: where the hierarchy is mounted."""
    each = (
        "the limit of memory is one a child, so --workers times the task's limit is what candidates can use"
    )
    own = re.search(r"^0::/(.*)$", membership, re.M)
    if own and (root / "cgroup.controllers").exists():
        writable = os.access(root / own[1], os.W_OK)
        how = "can be written" if writable else "cannot be written by this user"
        return f"version 2, {how}; not needed: {each}. A bound for all: systemd-run --user --scope -p MemoryMax=4G"
    return f"{'version 1' if ':memory:' in membership else 'none'}; not needed: {each}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
