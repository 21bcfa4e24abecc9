"""Namespaces for the zygote, where the host permits them: network, IPC, names and an empty file tree.

No namespace of process ids: the host reads the child's clock by its pid.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from discovery.sandbox import kernel

_MOUNT, _UTS, _IPC, _USER, _NET = 0x0002_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x4000_0000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE, _MS_RDONLY, _MS_REMOUNT = (
    2,
    4,
    8,
    16384,
    1 << 18,
    1,
    32,
)
_MNT_DETACH = 2


def enter(*, keep_files: bool = False) -> tuple[tuple[str, ...], str]:
    """Leave the host's namespaces as far as possible, but for the file tree where ``keep_files``; the names of what was
    left, and why not more was. Never raises."""
    flags = _NET | _IPC | _UTS | _MOUNT
    entered: tuple[str, ...] = ("net", "ipc", "uts")
    uid, gid = os.geteuid(), os.getegid()
    try:
        kernel.libc("unshare", flags)
    except OSError:
        try:
            kernel.libc("unshare", flags | _USER)
        except OSError as error:
            return (), error.strerror or "refused"
        entered = ("user", *entered)
        try:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        except OSError:
            pass
    if keep_files:
        return entered, "the files of libraries are needed"
    try:
        _empty_root()
    except OSError as error:
        return entered, error.strerror or "refused"
    return (*entered, "mount"), ""


def _empty_root() -> None:
    kernel.libc("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    kernel.libc("mount", b"none", b"/tmp", b"tmpfs", flags, b"size=4k,mode=555")
    os.chdir("/tmp")
    kernel.libc("mount", b"none", b"/tmp", b"tmpfs", flags | _MS_REMOUNT | _MS_RDONLY, b"size=4k,mode=555")
    number = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
    dot = ctypes.create_string_buffer(b".")
    kernel.syscall(number, ctypes.addressof(dot), ctypes.addressof(dot))
    kernel.libc("umount2", b".", _MNT_DETACH)
    os.chdir("/")
