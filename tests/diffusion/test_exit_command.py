"""``discover record`` and ``discover score --instances`` in processes of their own, as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from exit_checkpoints import own_code

from evaluators.diffusion.early_exit import recordings
from evaluators.diffusion.quality import retention

KINDS = (("sums", "6", "number"), ("words", "down yes no up", "chrf"))
QUESTIONS = [
    {
        "id": f"{family}-{k}",
        "family": family,
        "prompt": f"{k} {'up' if k % 2 else 'no'} 1",
        "answer": answer,
        "metric": metric,
    }
    for family, answer, metric in KINDS
    for k in range(6)
]
STOP = """
def stop(masked, probability, margin, standing, entropy, drift, before, run, ending, place, step, total):
    return step == {step}
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_code(tmp_path_factory.mktemp("models") / "dream", "Dream")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "HF_HOME": str(folder / "hf"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "discovery.cli", *words], cwd=folder, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    process = start(folder, *words)
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


def command(checkpoint: Path, length: int = 16) -> list[str]:
    return ["record", "--task", "diffusion-exit", "--checkpoint", str(checkpoint), "--data", "q.jsonl", "--out",
            "r.npz", "--gen-length", str(length), "--dtype", "float32", "--trust-remote-code", "--json"]  # fmt: skip


def questions(folder: Path, made: list[dict[str, Any]] = QUESTIONS) -> None:
    (folder / "q.jsonl").write_text("".join(json.dumps(q) + "\n" for q in made))


def test_record_then_score(checkpoint: Path, tmp_path: Path) -> None:
    questions(tmp_path)
    code, out, err = run(tmp_path, *command(checkpoint))
    assert code == 0, err
    told = json.loads(out)
    assert (told["texts"], told["asked"], told["file"]) == (12, 12, "r.npz")
    found = recordings.load(tmp_path / "r.npz")
    full = [float(r.trajectory.quality[-1]) for r in found]
    assert told["figures"]["quality of full decoding"] == pytest.approx(100 * sum(full) / 12)
    (tmp_path / "late.py").write_text(STOP.format(step=4))
    code, out, err = run(
        tmp_path, "score", "late.py", "--task", "diffusion-exit", "--instances", "r.npz", "--json"
    )
    kept = retention([r.family for r in found], [float(r.trajectory.quality[3]) for r in found], full)
    assert code == (0 if kept.breach is None else 1), err  # a random model's early texts may well be worse
    assert json.loads(out)["outcome"] == ("scored" if kept.breach is None else "rejected")
    scored = json.loads(out)["instances"]
    assert [i["id"] for i in scored] == [q["id"] for q in QUESTIONS]
    assert [i["score"] for i in scored] == [4.0] * 12
    assert [i["reference"] for i in scored] == pytest.approx(full)
    assert [i["value"] for i in scored] == pytest.approx([float(r.trajectory.quality[3]) for r in found])
    code, out, err = run(tmp_path, *command(checkpoint), "--limit", "5")
    assert code == 2 and out == "" and "holds 12 texts, which is more than --limit 5" in err.splitlines()[-1]


def test_an_interruption_keeps_the_texts_and_the_next_run_goes_on(checkpoint: Path, tmp_path: Path) -> None:
    many = [{**q, "id": f"{k}", "prompt": "1 " * 8} for k, q in enumerate(QUESTIONS * 40)]
    questions(tmp_path, many)
    process = start(tmp_path, *command(checkpoint, 48))
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("2 of"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=900)
    assert process.returncode == 130, err
    told = json.loads(out)
    assert 2 <= told["texts"] < told["asked"] == 480 and "goes on" in err
    assert len(recordings.load(tmp_path / "r.npz")) == told["texts"]
    code, out, err = run(tmp_path, *command(checkpoint, 48), "--limit", str(told["texts"] + 1))
    assert code == 0 and f"going on after {told['texts']}" in err
    assert json.loads(out)["texts"] == told["texts"] + 1


def test_mistakes_end_in_one_sentence(checkpoint: Path, tmp_path: Path) -> None:
    questions(tmp_path, [{**QUESTIONS[0], "metric": "bleu"}])
    code, out, err = run(tmp_path, *command(checkpoint))
    assert code == 2 and out == "" and "q.jsonl, line 1" in err and err.count("\n") == 1
    questions(tmp_path)
    code, out, err = run(tmp_path, *command(checkpoint, 64))
    assert code == 2 and out == "" and "64 positions" in err.splitlines()[-1] and "Traceback" not in err
    assert not (tmp_path / "r.npz").exists()
