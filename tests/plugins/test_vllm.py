"""A winner of ``serving-priority`` orders the requests of a real vLLM (``make test-vllm`` installs it)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from test_every_task import idle

from db.ledger import Ledger
from discovery import plugins
from evaluators.registry import load

PYTHON = os.environ.get("VLLM_PYTHON", "")
LENGTHS = [100, 10, 60, 5, 30]
MODEL = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 256, "head_dim": 32,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False,
    "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32", "initializer_range": 0.02,
}  # fmt: skip
"""A model without weights: vLLM draws them."""
DRIVER = """
import json, sys
from vllm import EngineArgs, LLMEngine, SamplingParams

def main():
    folder, scheduler, policy, lengths = sys.argv[1], sys.argv[2] or None, sys.argv[3], json.loads(sys.argv[4])
    engine = LLMEngine.from_engine_args(EngineArgs(
        model=folder, skip_tokenizer_init=True, load_format="dummy", dtype="float32", max_model_len=256, max_num_seqs=1,
        enforce_eager=True, enable_prefix_caching=False, scheduler_cls=scheduler, scheduling_policy=policy,
    ))
    from {package}.vllm_client import priority
    wanted = SamplingParams(max_tokens=2, ignore_eos=True, detokenize=False)
    for length in lengths:
        number = priority(length, 2) if policy == "priority" else 0
        engine.add_request(str(length), {"prompt_token_ids": [3] * length}, wanted, priority=number)
    ended = []
    while engine.has_unfinished_requests():
        ended += [int(found.request_id.split("-")[0]) for found in engine.step() if found.finished]
    print("ended", json.dumps(ended))

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the exported package can be imported."""
    if not PYTHON:
        pytest.skip("vLLM takes 3 GB: `make test-vllm` installs it in a folder of its own and tests with it")
    folder = tmp_path_factory.mktemp("vllm")
    task = load("serving-priority")
    with Ledger.open(folder / "l.sqlite") as ledger:
        made = plugins.export(ledger, idle(ledger, task, "shortest-prompt"), folder / "p", wheel=True)
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps(MODEL))
    name = made.provenance["package"]["module"]
    (folder / "driver.py").write_text(DRIVER.replace("{package}", name))
    (folder / "name").write_text(name)
    assert made.wheel is not None
    install = [PYTHON, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(folder / "site")]
    subprocess.run([*install, str(made.wheel)], check=True)
    return folder


def order(package: Path, scheduler: str, policy: str) -> list[int]:
    """The lengths of the prompts in the order in which they ended."""
    ended = subprocess.run(
        [PYTHON, "driver.py", "model", scheduler, policy, json.dumps(LENGTHS)],
        cwd=package, capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, "PYTHONPATH": str(package / "site"), "VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("ended")]
    found: list[int] = json.loads(line.partition(" ")[2])
    return found


def test_the_scheduler_serves_in_the_order_of_the_winner(package: Path) -> None:
    name = (package / "name").read_text()
    assert order(package, "", "fcfs") == LENGTHS, "vLLM's own order"
    assert order(package, f"{name}.vllm_scheduler.RankedScheduler", "fcfs") == sorted(LENGTHS)


def test_priorities_give_the_same_order_to_vllms_own_policy(package: Path) -> None:
    assert order(package, "", "priority") == sorted(LENGTHS)


def test_a_server_with_another_queue_does_not_start(package: Path) -> None:
    name = (package / "name").read_text()
    with pytest.raises(AssertionError, match="scheduling policy fcfs"):
        order(package, f"{name}.vllm_scheduler.RankedScheduler", "priority")
