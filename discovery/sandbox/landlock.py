"""Landlock: a ruleset which denies every file, TCP port, outside signal and abstract socket that the kernel's version
of it can deny. It has no rule at all in the strict tier, and rules for reading libraries in the library tier."""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from discovery.sandbox import kernel

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_VERSION = 1


def abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    try:
        return kernel.syscall(CREATE_RULESET, 0, 0, _VERSION)
    except OSError:
        return 0


def attributes(version: int) -> bytes:
    """The struct landlock_ruleset_attr that handles all that ``version`` knows; empty for version 0."""
    if version < 1:
        return b""
    bits = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    body = struct.pack("<Q", (1 << bits) - 1)
    if version >= 4:
        body += struct.pack("<Q", 0b11)
    if version >= 6:
        body += struct.pack("<Q", 0b11)
    return body


def ruleset(body: bytes) -> int:
    """A descriptor of the ruleset with attributes ``body``. Raises OSError."""
    buffer = ctypes.create_string_buffer(body, len(body))
    return kernel.syscall(CREATE_RULESET, ctypes.addressof(buffer), len(body), 0)


def allow_reading(descriptor: int, path: str) -> None:
    """Let the ruleset pass reading, not executing, of the file at ``path`` or of all below the folder there. Raises
    OSError."""
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        folder = stat.S_ISDIR(os.fstat(opened).st_mode)
        body = struct.pack("<Qi", _READ_FILE | (_READ_DIR if folder else 0), opened)
        buffer = ctypes.create_string_buffer(body, len(body))
        kernel.syscall(ADD_RULE, descriptor, _PATH_BENEATH, ctypes.addressof(buffer), 0)
    finally:
        os.close(opened)


def restrict(descriptor: int) -> None:
    """Put this process under the ruleset for good; needs no_new_privs. Raises OSError."""
    kernel.syscall(RESTRICT_SELF, descriptor, 0)
