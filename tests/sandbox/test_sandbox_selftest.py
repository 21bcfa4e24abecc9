"""The self-test notices a layer that is there and does not hold."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from attacks.weakenings import Edit, weak_copy
from sandbox_samples import ADAPTER, BARE, MEMORY, solve

from discovery.sandbox import landlock, process, seccomp
from discovery.sandbox.base import Layers, SandboxUnavailable
from discovery.sandbox.host import ZygoteSandbox
from discovery.sandbox.process import REQUIRED
from discovery.sandbox.selftest import LayerReport, probe

ALLOW_ALL = struct.pack("<HBBI", 0x06, 0, 0, seccomp.ALLOW)
REFUSE_ALL = struct.pack("<HBBI", 0x06, 0, 0, seccomp.ERRNO | 1)


def _kill_turned(action: int) -> bytes:
    """The real program with one word changed: what would be killed is let through."""
    code = seccomp.program()
    return code.replace(
        struct.pack("<HBBI", 0x06, 0, 0, seccomp.KILL), struct.pack("<HBBI", 0x06, 0, 0, action)
    )


def _one_jump_short() -> bytes:
    """Every jump one short, the mistake that let everything through in a prototype."""
    code, out = seccomp.program(), b""
    for at in range(0, len(code), 8):
        op, yes, no, k = struct.unpack("<HBBI", code[at : at + 8])
        out += struct.pack("<HBBI", op, max(0, yes - 1), max(0, no - 1), k)
    return out


BROKEN = {"all": ALLOW_ALL, "kill": _kill_turned(seccomp.ALLOW), "short": _one_jump_short()}


@pytest.mark.parametrize("code", BROKEN.values(), ids=BROKEN)
def test_a_filter_that_lets_through_is_noticed(monkeypatch: pytest.MonkeyPatch, code: bytes) -> None:
    monkeypatch.setattr(seccomp, "program", lambda **_: code)
    with pytest.raises(SandboxUnavailable, match="seccomp"):
        ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE)


def test_a_filter_that_refuses_honest_work_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "program", lambda **_: REFUSE_ALL)
    with pytest.raises(SandboxUnavailable):
        ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE)


def test_a_landlock_that_handles_nothing_useful_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "attributes", lambda _: struct.pack("<Q", 1 << 9))
    with pytest.raises(SandboxUnavailable, match="landlock: open a file"):
        ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE)


@pytest.mark.parametrize("layers", [BARE, Layers()], ids=["bare", "namespaces"])
def test_a_machine_without_landlock(monkeypatch: pytest.MonkeyPatch, layers: Layers) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(SandboxUnavailable, match=r"lacks landlock.*Linux 5\.13"):
        ZygoteSandbox(ADAPTER, memory=MEMORY, layers=layers)
    with ZygoteSandbox(ADAPTER, memory=MEMORY, layers=layers, unsafe=True) as weak:
        assert not weak.isolated
        assert weak.report.missing() == ["landlock"]
        assert solve(weak, "def f(v): return v", 3) == [3]


@pytest.mark.parametrize("layers", [BARE, Layers()], ids=["bare", "namespaces"])
def test_the_full_self_test_passes_here(layers: Layers) -> None:
    report = probe(layers)
    assert isinstance(report, LayerReport)
    assert report.missing() == []
    assert report.breaches == ()
    assert report.complaint() == ""
    assert report.honest
    assert len(report.tried) >= 20
    stored = report.to_json()
    assert stored["landlock_abi"] == landlock.abi() and all(stored[name] is True for name in REQUIRED)


def test_the_full_self_test_names_each_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "program", lambda **_: ALLOW_ALL)
    report = probe(BARE)
    assert report.missing() == ["seccomp"]
    named = {breach.removeprefix("seccomp: ").partition(" (")[0] for breach in report.breaches}
    assert {
        "fork",
        "socket",
        "exec",
        "signal the zygote",
        "ptrace",
        "executable memory",
        "memfd",
        "prctl",
    } <= named


def test_namespaces_that_hold_nothing_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entering = "self._entered, refused = namespaces.enter(keep_files=self._library)"
    edit = Edit("discovery/sandbox/zygote.py", entering, 'self._entered, refused = ("net", "mount"), ""')
    monkeypatch.setattr(process, "ROOT", weak_copy([edit], tmp_path))
    report = probe()
    assert report.missing() == []
    assert report.breaches == ("namespaces: net: the machine's own network", "namespaces: mount: a file tree")


def test_a_foreign_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "machine", lambda: "riscv64")
    with pytest.raises(SandboxUnavailable, match="x86_64 or aarch64"):
        ZygoteSandbox(ADAPTER, memory=MEMORY, unsafe=True)


def test_a_broken_adapter_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("adapter") / "adapter.py"
    path.write_text("import json.nothing")
    with pytest.raises(SandboxUnavailable, match=r"No module named 'json\.nothing'"):
        ZygoteSandbox(path, memory=MEMORY)
