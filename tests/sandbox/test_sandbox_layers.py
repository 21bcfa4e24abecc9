"""Each required layer carries weight of its own: an attack that bites when that layer alone is off, and not with it.

What each does here: rlimits bound memory; Landlock refuses every file, since the seccomp list lets plain reading
through to it; seccomp refuses sockets and all else. ``no_new_privs`` is different: without it the kernel refuses
Landlock and seccomp to a process without privilege, so what bites is all that these two hold.
"""

from __future__ import annotations

import dataclasses

import pytest
from sandbox_samples import ADAPTER, BARE, MEMORY, solve

from discovery.sandbox.base import CandidateFailure, SandboxUnavailable
from discovery.sandbox.host import ZygoteSandbox

BIG = f"def f(v): return [len(bytearray({MEMORY + (64 << 20)})) > 0]"
READ = "import posix\ndef f(v): return [len(posix.read(posix.open('/proc/version', 0), 5))]"
SOCKET = "import _socket\ndef f(v): return [_socket.socket(2, 2).fileno() > 0]"
ATTACK = {
    "rlimits": (BIG, 1, "MemoryError"),
    "landlock": (READ, 5, "PermissionError"),
    "seccomp": (SOCKET, 1, "forbidden system call"),
    "no_new_privs": (READ, 5, "PermissionError"),
}


@pytest.mark.parametrize("layer", ATTACK)
def test_the_attack_bites_without_this_layer_only(sandbox: ZygoteSandbox, layer: str) -> None:
    code, beacon, reason = ATTACK[layer]
    with pytest.raises(CandidateFailure, match=reason):
        solve(sandbox, code, 1)
    with ZygoteSandbox(
        ADAPTER, memory=MEMORY, layers=dataclasses.replace(BARE, **{layer: False}), unsafe=True
    ) as weak:
        assert not weak.isolated
        assert solve(weak, code, 1) == [beacon]
        others = {name: row for name, row in ATTACK.items() if name not in (layer, "no_new_privs")}
        for name, (other, _, other_reason) in others.items():
            if layer == "no_new_privs" and name != "rlimits":
                assert name in weak.report.missing()
                continue
            with pytest.raises(CandidateFailure, match=other_reason):
                solve(weak, other, 1)


@pytest.mark.parametrize("layer", ATTACK)
def test_a_layer_that_is_off_is_refused(layer: str) -> None:
    with pytest.raises(SandboxUnavailable, match=layer):
        ZygoteSandbox(ADAPTER, memory=MEMORY, layers=dataclasses.replace(BARE, **{layer: False}))
