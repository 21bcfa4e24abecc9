"""The decoding tasks as a user meets them: through the command line, in the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.early_exit.recordings import Recorded, write
from evaluators.diffusion.early_exit.trajectory import Trajectory
from evaluators.registry import load

SIGNATURE = "masked, probability, margin, standing, entropy, drift, before, run, ending, place, step, total"
SPAN = SHAPES["small"].scale.span


def discover(folder: Path, *words: str, ends: int = 0) -> dict[str, Any]:
    """The JSON of a command in an empty folder; of one that fails, what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "discovery.cli", *words, "--json"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == ends, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else {"said": done.stderr}


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    rows = [{"family": "copy", "prompt": word} for word in ("hello", "world", "about", "notes", "paper")]
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def scored(folder: Path, code: str, *, ends: int = 0) -> dict[str, Any]:
    (folder / "candidate.py").write_text(code)
    words = ("score", "candidate.py", "--task", "diffusion", "--instances", "mine.jsonl")
    return discover(folder, *words, ends=ends)


def test_a_policy_that_unmasks_nothing_is_full_decoding(mine: Path) -> None:
    found = scored(mine, f"def commit({SIGNATURE}):\n    return masked & False\n")
    assert found["outcome"] == "scored" and found["score"] == 1.0
    assert found["figures"]["passes in which nothing masked was chosen"] == 5 * (SPAN - 1)
    assert {i["reference_kind"] for i in found["instances"]} == {"baseline"}


def test_what_is_chosen_twice_is_counted_and_changes_nothing(mine: Path) -> None:
    found = scored(mine, f"def commit({SIGNATURE}):\n    return place <= step / total\n")
    assert found["outcome"] == "scored"
    assert found["figures"]["chosen positions that were not masked"] > 100


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return masked[:-1]", f"expected {SPAN} values of type bool"),
        ("return probability", f"expected {SPAN} values of type bool"),
        ("return [0, 40]", f"expected {SPAN} values of type bool"),
        ("return None", f"expected {SPAN} values of type bool"),
        ("masked[0] = False\n    return masked", "read-only"),
        ("return 1 / (total - total)", "division"),
    ],
)
def test_what_is_no_choice_is_refused_with_a_reason(mine: Path, body: str, said: str) -> None:
    found = scored(mine, f"def commit({SIGNATURE}):\n    {body}\n", ends=1)
    assert said in (found.get("reason") or found["said"]), found


def test_stopping_at_once_is_rejected_for_what_it_loses(tmp_path: Path) -> None:
    rows = [
        {"family": "sort", "prompt": prompt}
        for prompt in ("402718", "915534", "102938", "675849", "554433", "908172")
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = scored(tmp_path, f"def commit({SIGNATURE}):\n    return masked\n", ends=1)
    assert "of the quality of full decoding" in found["reason"] and found["outcome"] == "rejected"
    assert found["score"] is None


def test_recordings_of_the_users_own_are_scored(tmp_path: Path) -> None:
    task = load("diffusion-exit")
    shown = [Trajectory.from_bytes(i.payload) for i in task.instances("search").instances[:6]]
    graded = [
        Trajectory(
            t.readings, t.best.astype(np.int32), t.fixed, t.margins, -1, np.empty(0, np.uint8),
            np.linspace(0.5, 1.0, t.passes, dtype=np.float32),
        )
        for t in shown
    ]  # fmt: skip
    write(tmp_path / "mine.npz", [Recorded(f"text-{k}", "mine", t) for k, t in enumerate(graded)])
    words = ("--task", "diffusion-exit", "--instances", "mine.npz")
    full = discover(tmp_path, "score", "baseline:trivial", *words)
    assert (full["score"], full["instances"][0]["value"]) == (1.0, 1)
    lost = discover(tmp_path, "score", "baseline:fixed-step", *words, ends=1)
    assert lost["outcome"] == "rejected" and "96%" in lost["reason"]
    (tmp_path / "mine.npz").write_bytes((tmp_path / "mine.npz").read_bytes()[:700])
    said = discover(tmp_path, "score", "baseline:trivial", *words, ends=2)["said"]
    assert "mine.npz" in said and "discover record" in said


def test_the_candidates_numbers_are_in_reach_of_nothing_else(mine: Path) -> None:
    """Globals of one text do not reach the next: each has a module of its own."""
    code = f"SEEN = []\n\n\ndef commit({SIGNATURE}):\n    SEEN.append(step)\n    return masked & (len(SEEN) != step)\n"
    found = scored(mine, code)
    assert found["figures"]["passes in which nothing masked was chosen"] == 5 * (SPAN - 1)
