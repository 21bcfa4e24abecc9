"""The task ``serving`` in use: own traces through the command line, and what is wrong with them in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from discovery.cli.main import main
from evaluators.registry import load
from evaluators.serving.episode.problem import decode
from evaluators.serving.timing import kv_cache
from evaluators.task import TaskError

OURS = "arrived_at,num_prefill_tokens,num_decode_tokens\n0,900,20\n0.25,300,30\n0.75,1200,5\n"
AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,900,20\n2023-11-16 18:17:04.47,300,30\n"
)
MOONCAKE = "".join(
    json.dumps({"timestamp": 500 * k, "input_length": 900 + k, "output_length": 20, "hash_ids": [7, 8]})
    + "\n"
    for k in range(3)
)


def score(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    with pytest.raises(SystemExit, match="0"):
        main(["score", *words, "--task", "serving", "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_an_own_trace_is_scored_on_the_card_and_the_model_of_the_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trace.csv").write_text(OURS)
    words = ("--option", "gpu=h100", "--option", "model=llama-3.1-8b", "--option", "tbt=0.01")
    found = score(capsys, "baseline:sarathi", "--instances", "trace.csv", *words)
    (row,) = found["instances"]
    assert (row["id"], row["reference"], row["reference_kind"]) == ("trace", 8 / 3, "bound")
    assert found["outcome"] == "scored" and found["isolated"] and found["direction"] == "maximize"
    assert (
        found["score"] == 100 * row["value"] / row["reference"]
        and found["baseline"]["score"] >= found["score"]
    )
    figures = found["figures"]
    assert {"goodput", "offered load", "TTFT p50", "TTFT p99", "TBT p99", "throughput", "preemptions"} <= set(
        figures
    )
    assert 0 < figures["TTFT p50"] < 0.1 and figures["never ended"] == 0


@pytest.mark.parametrize(
    ("name", "text", "calls", "rate"), [("a.csv", AZURE, 2, 2), ("m.jsonl", MOONCAKE, 3, 2)]
)
def test_public_traces_are_read(tmp_path: Path, name: str, text: str, calls: int, rate: float) -> None:
    path = tmp_path / name
    path.write_text(text)
    (only,) = load("serving").read(path).instances
    assert (only.size, only.reference) == (calls, rate)
    assert next((r.prompt, r.output) for r in decode(only.payload).scenario.requests) == (900, 20)


def test_long_prompts_make_the_budget_longer(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,90000,20\n")
    (only,) = load("serving", {"model": "llama-3.1-70b"}).read(path).instances
    engine = decode(only.payload).engine
    assert engine.budget == 90512 and engine.blocks == kv_cache("llama-3.1-70b", "a100", 4).blocks


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("arrived_at,num_prefill_tokens\n0,9\n", "line 1: no column 'num_decode_tokens'"),
        (
            OURS + "0.5,9,3\n",
            "line 5: the request arrives 0.25 s before the one above it; sort the file by arrival",
        ),
        (
            OURS + "1,0,3\n",
            "line 5: num_prefill_tokens is 0.0; expected a whole number of tokens, 1 to 1000000",
        ),
        (OURS + "1,9,9e99\n", "line 5: num_decode_tokens is 9e\\+99; expected a whole number of tokens"),
        (
            OURS + "1,117000,700\n",
            "request 'line-5' has 117700 tokens, more than the 117648 .* of llama-2-7b on 1 × a100",
        ),
        (OURS + "9999,9,3\n", "nothing arrives for 9998 s; split the trace at gaps above 3600 s"),
        (OURS + "1,9,3\n" * 20_000, "holds 20003 requests; a trace of this task has at most 20000: split it"),
    ],
)
def test_what_is_wrong_with_a_trace_is_told(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(TaskError, match=reason) as refused:
        load("serving").read(path)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)


@pytest.mark.campaign
def test_a_run_ends_and_verify_replays_its_event_logs(tmp_path: Path) -> None:
    def discover(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "discovery.cli", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    ended = discover(
        "run", "--task", "serving", "--samples", "4", "--batch", "2", "--no-tune", "--json", "-q"
    )
    assert ended.returncode in (0, 1), ended.stderr
    told = json.loads(ended.stdout)
    seed = load("serving").shipped_scores()["sarathi"].published["search"]
    assert told["samples"] == 4 and told["best"]["score"] >= seed - 1e-9
    verified = discover("verify", told["run"], "--json", "-q")
    assert verified.returncode == 0 and json.loads(verified.stdout)["ok"], verified.stdout + verified.stderr
