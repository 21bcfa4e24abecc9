"""The raw system calls of the lock-down, by ctypes; every failure is an OSError."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 1, 24, 38, 39
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4

_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] * 7


def syscall(number: int, *arguments: int) -> int:
    """One system call with up to six integer arguments (addresses included). Raises OSError."""
    result: int = _syscall(number, *arguments, *[0] * (6 - len(arguments)))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def prctl(option: int, *arguments: int) -> int:
    result: int = _prctl(option, *arguments, *[0] * (4 - len(arguments)))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def libc(name: str, *arguments: bytes | int | None) -> int:
    """A libc function that answers -1 on failure, for the rare calls of start-up. Raises OSError."""
    result: int = getattr(_libc, name)(*arguments)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def drop_capabilities() -> None:
    """Give up every capability, the bounding and the ambient set: root keeps its uid and nothing else."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break
    try:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError:
        pass
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    capset = _libc.capset
    capset.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    if capset(ctypes.addressof(header), ctypes.addressof(nothing)) == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
