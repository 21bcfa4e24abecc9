"""The BPF program, run by a small interpreter for both machines and every number: nothing passes that is not listed."""

from __future__ import annotations

import os
import struct

import pytest

from discovery.sandbox import seccomp
from discovery.sandbox.seccomp import ALLOW, ALLOWED, ARCHES, KILL, LIBRARY, NO_ACCESS, NOT_PERMITTED, TABLES
from evaluators.task import Tier

REFUSED = {seccomp.ERRNO | 1, seccomp.ERRNO | 13}
TIERS: tuple[Tier, ...] = ("strict", "library")
CONDITIONAL = ("mmap", "mprotect", "openat")


def verdict(code: bytes, arch: int, number: int, *arguments: int) -> int:
    data = struct.pack("<IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    at = accumulator = 0
    while True:
        op, yes, no, k = struct.unpack_from("<HBBI", code, 8 * at)
        at += 1
        if op == 0x06:
            return int(k)
        if op == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
            continue
        held = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[op]
        at += yes if held else no


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("machine", TABLES)
def test_exactly_the_listed_calls(machine: str, tier: Tier) -> None:
    code, table, arch = seccomp.program(machine, tier), TABLES[machine], ARCHES[machine]
    names = {number: name for name, number in table.items()}
    for number in range(1024):
        name = names.get(number, "")
        found = verdict(code, arch, number)
        if name in ALLOWED or (tier == "library" and name in LIBRARY):
            assert found == ALLOW, name
        elif name in NO_ACCESS or name in NOT_PERMITTED:
            assert found in REFUSED, name
        else:
            assert found == KILL, (number, name)
        assert verdict(code, arch, number | 0x4000_0000) == KILL
        for other in set(ARCHES.values()) - {arch} | {0x4000_0003}:
            assert verdict(code, other, number) == KILL


@pytest.mark.parametrize("machine", TABLES)
def test_conditions(machine: str) -> None:
    code, table, arch = seccomp.program(machine), TABLES[machine], ARCHES[machine]
    for protection in range(8):
        for name in ("mmap", "mprotect"):
            found = verdict(code, arch, table[name], 0, 0, protection)
            assert (found == ALLOW) is not bool(protection & 4)
    reading = verdict(code, arch, table["openat"], 0, 0, os.O_RDONLY | os.O_CLOEXEC)
    assert reading == ALLOW
    temporary = os.O_TMPFILE & ~os.O_DIRECTORY
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND, temporary, os.O_PATH):
        assert verdict(code, arch, table["openat"], 0, 0, flag | os.O_CLOEXEC) in REFUSED


@pytest.mark.parametrize("machine", TABLES)
def test_the_library_tier_maps_code_of_files_only(machine: str) -> None:
    code, table, arch = seccomp.program(machine, "library"), TABLES[machine], ARCHES[machine]
    for protection in range(8):
        for anonymous in (0, 0x20):
            found = verdict(code, arch, table["mmap"], 0, 0, protection, 2 | anonymous)
            assert (found == ALLOW) is (not protection & 4 or (not protection & 2 and not anonymous))
        assert (verdict(code, arch, table["mprotect"], 0, 0, protection) == ALLOW) is not bool(protection & 4)


@pytest.mark.parametrize("machine", TABLES)
def test_the_dangerous_ones_have_a_number_and_are_killed(machine: str) -> None:
    code, table, arch = seccomp.program(machine), TABLES[machine], ARCHES[machine]
    dangerous = (
        "socket",
        "execve",
        "kill",
        "ptrace",
        "process_vm_readv",
        "memfd_create",
        "bpf",
        "io_uring_setup",
    )
    for name in (*dangerous, "prctl"):
        assert verdict(code, arch, table[name]) == KILL


def test_numbers_are_distinct() -> None:
    for table in TABLES.values():
        assert len(set(table.values())) == len(table)
        assert set(CONDITIONAL) <= set(table)
