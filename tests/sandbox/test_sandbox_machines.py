"""Machines that lack a layer: a sentence that says what to do, exit code 3, nothing lost, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from machines import MACHINES, on

from discovery.sandbox import landlock
from discovery.sandbox.machine import abi, cgroups

LACKS = {
    "old kernel": ("landlock", "it needs Linux 5.13 or newer"),
    "container without landlock": ("landlock", "a container that lets it through"),
    "kernel without seccomp": ("seccomp", "it needs a kernel with seccomp filters"),
    "container without seccomp": ("seccomp", "a container that lets them through"),
    "container without prctl": ("no_new_privs", "choose a container profile that permits it"),
}
DEFAULT = "old kernel"
RULE = "def schedule(processing_times, due_dates):\n    return list(range(len(due_dates)))\n"


def checks(printed: str) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(printed)["checks"]}


@pytest.mark.parametrize(
    "machine", [m if m == DEFAULT else pytest.param(m, marks=pytest.mark.campaign) for m in LACKS]
)
def test_a_machine_that_lacks_a_layer(machine: str, tmp_path: Path) -> None:
    layer, advice = LACKS[machine]
    (tmp_path / "rule.py").write_text(RULE)
    score, run, runs, doctor = on(
        machine, tmp_path, "score rule.py --task smtt --json", "run --task smtt --samples 4", "runs --json",
        "doctor --json",
    )  # fmt: skip
    for code, printed, told in (score, run):
        assert (code, printed) == (3, "")
        sentence = told.splitlines()[-1]
        assert "Traceback" not in told and told.count("discover: ") == 1
        assert (
            sentence.startswith("discover: the sandbox lacks ") and layer in sentence and advice in sentence
        )
        assert "--unsafe-no-sandbox goes on without it and marks every result" in sentence
    assert runs[0] == 0 and json.loads(runs[1])["runs"] == [], "a run that cannot start leaves nothing behind"
    assert doctor[0] == 3
    found = checks(doctor[1])
    assert found["sandbox"]["ok"] is False and advice in found["sandbox"]["detail"]
    assert found[f"sandbox: {layer}"]["ok"] is False
    assert found["sandbox: rlimits"]["ok"] is True


def test_a_machine_without_namespaces_lacks_nothing(tmp_path: Path) -> None:
    (tmp_path / "rule.py").write_text(RULE)
    score, doctor = on(
        "no namespaces", tmp_path, "score rule.py --task smtt --split screen --json", "doctor --json"
    )
    assert score[0] == 0 and json.loads(score[1])["outcome"] == "scored"
    assert doctor[0] == 0
    found = checks(doctor[1])
    assert found["sandbox"]["ok"] is True
    for name in ("net", "mount", "ipc", "uts"):
        check = found[f"sandbox: {name} namespace"]
        assert check["ok"] is None
        assert check["detail"].startswith(
            "not entered (Operation not permitted); an extra, the required layers hold"
        )


@pytest.mark.campaign
def test_a_run_that_cannot_go_on_stays_as_it_was(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "discovery.cli", "run", "--task", "smtt", "--samples", "400"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    started = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    runs: list[dict[str, Any]] = []
    while not runs or not runs[0]["samples"]:
        assert started.poll() is None
        time.sleep(1)
        ((_, printed, _),) = on("no namespaces", tmp_path, "runs --json")
        runs = json.loads(printed)["runs"] if printed else []
    started.kill()
    started.wait()
    show = f"show {runs[0]['run']} --digest"
    (before,) = on("no namespaces", tmp_path, show)
    resumed, after = on("old kernel", tmp_path, f"resume {runs[0]['run']}", show)
    assert resumed[0] == 3 and "the sandbox lacks landlock" in resumed[2]
    assert before[0] == 0 and after == before


def test_every_machine_is_tried() -> None:
    assert set(MACHINES) == {*LACKS, "no namespaces"}


def test_what_a_version_of_landlock_means() -> None:
    assert "no Landlock" in abi(0)
    assert abi(3).startswith(
        "3: does not see TCP (from 4), control of devices (from 5), signals and abstract sockets"
    )
    assert abi(max(6, landlock.abi())).endswith("sees enough")


def test_what_cgroups_mean(tmp_path: Path) -> None:
    assert cgroups("", tmp_path).startswith("none; not needed: the limit of memory is one a child")
    assert cgroups("4:memory:/x\n0::/\n", tmp_path).startswith("version 1;")
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "mine").mkdir()
    assert cgroups("0::/mine\n", tmp_path).startswith("version 2, can be written;")
    assert cgroups("0::/gone\n", tmp_path).startswith("version 2, cannot be written by this user;")
