"""The seccomp allow-list as a BPF program, for x86_64 and aarch64.

What kind of access is decided here, which files by Landlock: ``openat`` passes for plain reading only and Landlock
then refuses every path. Calls that ordinary libraries try in passing answer an errno, so that the candidate sees a
Python error; anything else kills the process (SIGSYS).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import TYPE_CHECKING

from discovery.sandbox import kernel

if TYPE_CHECKING:  # it does not come into the zygote
    from evaluators.task import Tier

ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
ERRNO = 0x0005_0000
ARCHES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
X32 = 0x4000_0000

ALLOWED = (
    "read", "write", "mmap", "munmap", "mprotect", "brk", "mremap", "madvise", "futex", "close", "openat",
    "exit", "exit_group", "clock_gettime", "clock_getres", "gettimeofday", "time", "getpid", "gettid",
    "sched_yield", "rt_sigreturn", "restart_syscall",
)  # fmt: skip
"""All that an honest computation needs; mmap, mprotect and openat with conditions."""
NO_ACCESS = (
    "open", "stat", "lstat", "newfstatat", "fstat", "statx", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getcwd", "getdents64", "ioctl", "fcntl", "lseek", "dup", "dup2", "dup3",
    "pipe2", "uname", "sysinfo", "pread64",
)  # fmt: skip
LIBRARY = ("stat", "lstat", "newfstatat", "fstat", "lseek", "getdents64", "pread64")
"""What an import needs besides: let through in the library tier. Landlock decides which files can be read; it does not
see who asks for a file's status."""
NOT_PERMITTED = (
    "clone", "clone3", "getrandom", "rt_sigaction", "rt_sigprocmask", "nanosleep", "clock_nanosleep",
    "poll", "ppoll", "getuid", "geteuid", "getgid", "getegid", "getppid", "prlimit64", "getrlimit",
    "getrusage", "sched_getaffinity", "sched_setaffinity", "set_robust_list", "rseq", "sigaltstack",
    "mbind", "get_mempolicy", "membarrier", "getcpu",
)  # fmt: skip

_X86 = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
    "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
    "rt_sigreturn": 15, "ioctl": 16, "pread64": 17, "access": 21, "sched_yield": 24, "mremap": 25, "madvise": 28,
    "dup": 32, "dup2": 33, "nanosleep": 35, "getpid": 39, "socket": 41, "clone": 56, "fork": 57, "vfork": 58,
    "execve": 59, "exit": 60, "kill": 62, "uname": 63, "fcntl": 72, "getcwd": 79, "readlink": 89, "gettimeofday": 96,
    "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "ptrace": 101, "getuid": 102, "getgid": 104, "geteuid": 107,
    "getegid": 108, "getppid": 110, "sigaltstack": 131, "prctl": 157, "gettid": 186, "time": 201, "futex": 202,
    "sched_setaffinity": 203, "sched_getaffinity": 204, "getdents64": 217, "restart_syscall": 219,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "mbind": 237,
    "get_mempolicy": 239, "openat": 257, "newfstatat": 262, "readlinkat": 267, "faccessat": 269, "ppoll": 271,
    "set_robust_list": 273, "dup3": 292, "pipe2": 293, "prlimit64": 302, "getcpu": 309,
    "process_vm_readv": 310, "getrandom": 318, "memfd_create": 319, "bpf": 321, "membarrier": 324, "statx": 332,
    "rseq": 334, "io_uring_setup": 425, "clone3": 435, "faccessat2": 439,
}  # fmt: skip
_ARM = {
    "getcwd": 17, "dup": 23, "dup3": 24, "fcntl": 25, "ioctl": 29, "faccessat": 48, "openat": 56, "close": 57,
    "pipe2": 59, "getdents64": 61, "lseek": 62, "read": 63, "write": 64, "pread64": 67, "ppoll": 73, "readlinkat": 78,
    "newfstatat": 79, "fstat": 80, "exit": 93, "exit_group": 94, "futex": 98, "set_robust_list": 99,
    "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "ptrace": 117,
    "sched_setaffinity": 122, "sched_getaffinity": 123, "sched_yield": 124, "restart_syscall": 128, "kill": 129,
    "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "uname": 160,
    "getrlimit": 163, "getrusage": 165, "prctl": 167, "getcpu": 168, "gettimeofday": 169, "getpid": 172,
    "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178, "sysinfo": 179,
    "socket": 198, "brk": 214, "munmap": 215, "mremap": 216, "clone": 220, "execve": 221, "mmap": 222,
    "mprotect": 226, "madvise": 233, "mbind": 235, "get_mempolicy": 236, "prlimit64": 261,
    "process_vm_readv": 270, "getrandom": 278, "memfd_create": 279, "bpf": 280, "membarrier": 283, "statx": 291,
    "rseq": 293, "io_uring_setup": 425, "clone3": 435, "faccessat2": 439,
}  # fmt: skip
TABLES = {"x86_64": _X86, "aarch64": _ARM}

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_NUMBER, _ARCH = 0, 4
_PROT_WRITE, _PROT_EXEC, _MAP_ANONYMOUS = 2, 4, 0x20
_READING = (
    os.O_CLOEXEC | os.O_DIRECTORY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | 0o100000 | 0o400000
    if hasattr(os, "O_CLOEXEC")
    else 0
)
"""Flags of openat that only read; 0o100000 and 0o400000 are O_LARGEFILE on the two machines. O_PATH is not among
them, since Landlock does not see it."""


def machine() -> str:
    return platform.machine()


class _Assembler:
    """Instructions with named jump targets, resolved at the end; a jump that does not fit is an error."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, str | None, str | None]] = []
        self._labels: dict[str, int] = {}

    def emit(self, code: int, k: int, then: str | None = None, otherwise: str | None = None) -> None:
        self._code.append((code, k, then, otherwise))

    def label(self, name: str) -> None:
        self._labels[name] = len(self._code)

    def assemble(self) -> bytes:
        words = []
        for at, (code, k, then, otherwise) in enumerate(self._code):
            jumps = [0 if name is None else self._labels[name] - at - 1 for name in (then, otherwise)]
            if not all(0 <= jump <= 255 for jump in jumps):
                raise ValueError(f"jump out of reach at instruction {at}: {jumps}")
            words.append(struct.pack("<HBBI", code, *jumps, k))
        return b"".join(words)


def program(target: str | None = None, tier: Tier = "strict") -> bytes:
    """The filter for machine ``target`` (default: this one). Raises KeyError for a machine without a table."""
    target = target or machine()
    table = TABLES[target]
    a = _Assembler()
    a.emit(_LOAD, _ARCH)
    a.emit(_EQUAL, ARCHES[target], None, "kill")
    a.emit(_LOAD, _NUMBER)
    if target == "x86_64":
        a.emit(_AT_LEAST, X32, "kill")
    conditional = {"mmap": "mapping", "mprotect": "protecting", "openat": "opening"}
    if tier == "library":
        conditional |= dict.fromkeys(LIBRARY, "allow")
    for names, goal in ((ALLOWED, "allow"), (NO_ACCESS, "no access"), (NOT_PERMITTED, "not permitted")):
        for name in names:
            if name in table:
                a.emit(_EQUAL, table[name], conditional.get(name, goal))
    a.label("kill")
    a.emit(_RETURN, KILL)
    a.label("mapping")
    if tier == "library":  # code of a file, which nobody can have written
        a.emit(_LOAD, 16 + 8 * 2)
        a.emit(_ANY_BIT, _PROT_EXEC, None, "allow")
        a.emit(_ANY_BIT, _PROT_WRITE, "no access")
        a.emit(_LOAD, 16 + 8 * 3)
        a.emit(_ANY_BIT, _MAP_ANONYMOUS, "no access", "allow")
    a.label("protecting")
    a.emit(_LOAD, 16 + 8 * 2)
    a.emit(_ANY_BIT, _PROT_EXEC, "no access", "allow")
    a.label("opening")
    a.emit(_LOAD, 16 + 8 * 2)
    a.emit(_ANY_BIT, ~_READING & 0xFFFF_FFFF, "no access", "allow")
    a.label("allow")
    a.emit(_RETURN, ALLOW)
    a.label("no access")
    a.emit(_RETURN, ERRNO | errno.EACCES)
    a.label("not permitted")
    a.emit(_RETURN, ERRNO | errno.EPERM)
    return a.assemble()


class Filter:
    """A program in memory, ready to be installed after a fork."""

    def __init__(self, code: bytes) -> None:
        self._number = _SECCOMP[machine()]
        self._code = ctypes.create_string_buffer(code, len(code))
        packed = struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(self._code))
        self._program = ctypes.create_string_buffer(packed, len(packed))

    def install(self) -> None:
        """For this process and for good; needs no_new_privs. Raises OSError."""
        kernel.syscall(self._number, 1, 0, ctypes.addressof(self._program))
