"""Every task exports, verifies, and has packages whose golden tests hold: from its interface alone."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from review_samples import run_record
from toy.loop import Scripted, Toy, by_slot, density

from db.ledger import Ledger
from db.records import EntryKey, NewEntry
from discovery import plugins
from discovery.candidate import check
from discovery.evaluation import Evaluation
from discovery.execution.make import make_executor
from discovery.plugins.verifying import verify_package
from discovery.seeds import baseline_code
from evaluators.registry import load
from evaluators.task import Task

JOBS = "job,processing_time,due_date\na,5,9\nb,3,4\nc,7,20\nd,3,4\n"


def idle(ledger: Ledger, task: Task, seed: str = "") -> str:
    """A run of one seed alone, the first where none is named, truly scored on search."""
    seed = seed or task.seeds[0]
    candidate = check(baseline_code(task, seed), task.interface)
    executor = make_executor(task, "local", 2)
    try:
        found = Evaluation(task, executor, ledger).search(candidate, None)
    finally:
        executor.close()
    settings = {**run_record().settings, "seeds": [[seed, candidate.hash]]}
    record = replace(
        run_record(),
        task=task.name,
        options=dict(task.settings),
        settings=settings,
        evaluator_version=task.version,
    )
    ledger.create_run(record)
    entry = NewEntry(-1, "seed", "create", "scored", candidate.hash, score=found.score, m=found.m)
    ledger.store_seed_entries(record.id, [entry], EntryKey(-1, "seed"))
    return record.id


def run(
    folder: Path, *words: str, text: str = "", beside: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Python with the package on its path, and what is ``beside`` it."""
    path = os.pathsep.join(map(str, [folder / "src", *([beside] if beside else [])]))
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, "PYTHONPATH": path},
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "lr-schedule",
        "memory-alloc",
        "online-bin-packing",
        "smtt-index",
        "tsp-construct",
        pytest.param("cache-eviction", marks=pytest.mark.campaign),
        "diffusion-exit",
        pytest.param("diffusion", marks=pytest.mark.campaign),
        pytest.param("memory-map", marks=pytest.mark.campaign),
        pytest.param("serving", marks=pytest.mark.campaign),
        pytest.param("serving-admission", marks=pytest.mark.campaign),
        pytest.param("serving-prefix", marks=pytest.mark.campaign),
        "serving-priority",
        pytest.param("serving-pd", marks=pytest.mark.campaign),
        pytest.param("serving-routing", marks=pytest.mark.campaign),
        "polyhedral",
    ],
)
def test_a_built_in_task(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "polyhedral":  # on four small programs: the search split would compile and time 13
        pytest.importorskip("islpy")
        if shutil.which("gcc") is None:
            pytest.skip("gcc is not installed")
        few = load(name).instances("screen")
        monkeypatch.setattr(type(load(name)), "instances", lambda _, split: replace(few, name=split))
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        made = plugins.export(ledger, idle(ledger, load(name)), tmp_path / "p", wheel=True)
    module = made.provenance["package"]["module"]
    least = (
        0 if load(name).interface.objects else 1 if name == "diffusion-exit" else 4
    )  # nine arrays are a large call
    assert made.calls >= least and (least or made.calls == 0), "no file holds objects"
    assert made.wheel_bytes < 200_000 and made.wheel is not None
    ended = run(tmp_path / "p", "-B", "-m", "unittest", f"{module}.test_golden")
    assert ended.returncode == 0, ended.stderr
    assert verify_package(made.wheel).ok
    if name == "smtt-index":  # the command builds the sequence from priorities as the adapter does
        ended = run(tmp_path / "p", "-B", "-m", module, "-", "--json", text=JOBS)
        assert [j["job"] for j in json.loads(ended.stdout)["jobs"]] == ["b", "d", "a", "c"]
    else:
        assert not (tmp_path / "p" / "src" / module / "__main__.py").exists()
    if name == "serving-priority":  # urgent and short ones first; the scheduler itself is in test_vllm
        numbers = "[c.priority(*r, c.STARTED) for r in ((900, 9, 0), (900, 9, 2), (100, 9, 0))]"
        ended = run(tmp_path / "p", "-B", "-c", f"from {module} import vllm_client as c; print({numbers})")
        urgent, patient, short = json.loads(ended.stdout)
        assert short < urgent < patient
        assert (tmp_path / "p" / "src" / module / "vllm_scheduler.py").exists()
        assert (
            f"--scheduler-cls {module}.vllm_scheduler.RankedScheduler"
            in (tmp_path / "p" / "README.md").read_text()
        )
    if name == "polyhedral":
        extras = made.provenance["package"]["extras"]
        assert extras == {"discover": ["discover-heuristics[polyhedral]"]}
        writes_c(tmp_path / "p", module)


def writes_c(folder: Path, module: str) -> None:
    """The command's C of y := y + A x computes it; more of it is in tests/polyhedral/test_polyhedral_plugin.py."""
    workbench = Path(__file__).parents[2]
    example = run(folder, "-B", "-m", f"{module}.write_c", "--example", beside=workbench).stdout
    (folder / "example.poly").write_text(example)
    words = "-m", f"{module}.write_c", "example.poly", "-o", "example.c"
    ended = run(folder, "-B", *words, beside=workbench)
    assert ended.returncode == 0 and (ended.stdout, ended.stderr) == ("", "")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "example.c", "-o", "e.so"], cwd=folder, check=True)
    draw, n = np.random.default_rng(1), 41
    a, x, y = draw.random((n, n)), draw.random(n), draw.random(n)
    wanted = y + a @ x
    ctypes.CDLL(str(folder / "e.so")).kernel(
        ctypes.c_long(n), *(ctypes.c_void_p(array.ctypes.data) for array in (a, x, y))
    )
    np.testing.assert_allclose(y, wanted, rtol=1e-12)


def test_a_third_partys_task_that_maximises(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.propose(Scripted(by_slot([density(0.7), density(1.0)])))
    run_id = toy.start(samples=4, tune=False).run
    with toy.ledger() as ledger:
        made = plugins.export(ledger, run_id, tmp_path / "p")
        again = plugins.export(ledger, run_id, tmp_path / "q")
    assert made.digest == again.digest and made.calls >= 3
    (call,) = (tmp_path / "p").glob("src/*/_call.py")
    text = call.read_text()
    assert "capacity: int," in text and "-> list[float]:" in text
    ended = run(tmp_path / "p", "-B", "-m", "unittest", f"{made.provenance['package']['module']}.test_golden")
    assert ended.returncode == 0, ended.stderr
    assert "more is better" in (tmp_path / "p" / "README.md").read_text()
    found = verify_package(tmp_path / "p")
    assert found.ok and len(found.scores) >= 1
    # the task's package is gone: one sentence
    from evaluators import registry
    from evaluators.task import TaskError

    monkeypatch.setattr(registry, "entry_points", lambda **_: ())
    with pytest.raises(TaskError, match="unknown task 'knapsack'"):
        verify_package(tmp_path / "p")
