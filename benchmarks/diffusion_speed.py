"""What evaluations of the decoding tasks cost, in the sandbox, on one worker: python benchmarks/diffusion_speed.py

Prints processor time of this process (model, simulator, referee, pipe) and of its children, per set, and the most
memory of either. `top-k` with k = 4 takes exactly eight forward passes a text of the small denoiser, and `trivial`
never stops.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from discovery.execution.base import StageJob
from discovery.execution.make import make_executor
from discovery.seeds import baseline_code
from evaluators.diffusion import decoding
from evaluators.diffusion.denoiser.model import shipped
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.registry import load


def spent() -> tuple[float, float]:
    """Processor time of this process and of its ended children, s."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime


def evaluation(
    name: str, baseline: str, split: str, parameters: dict[str, float], *, inside: bool = False
) -> None:
    """One baseline on one split."""
    task = load(name)
    instances = task.gate(0) if split == "look" else task.instances(split)
    decoding.seen.cache_clear()
    before, wall = spent(), time.monotonic()
    executor = make_executor(task, "local", 1)
    try:
        job = StageJob(baseline_code(task, baseline), instances, parameters, inside=inside, part=True)
        result = executor.submit(job).result()
    finally:
        executor.close()
    own, children = (b - a for a, b in zip(before, spent(), strict=True))
    passes = sum(i.size / s for i, s in zip(instances, result.scores, strict=True)) / max(1, len(instances))
    where = "beside the candidate" if inside else "outside"
    print(
        f"{name:15} {baseline:18} {split:7} {where:20} {len(instances):5} texts, {passes:5.1f} passes each: "
        f"{result.outcome}, {own:6.1f} s here + {children:5.1f} s in children, {time.monotonic() - wall:6.1f} s "
        f"wall, {sum(result.cpu):5.2f} s the candidate's"
    )


def main() -> None:
    for name, shape in SHAPES.items():
        tokens = np.ones((1, shape.length), np.int64)
        shipped(name).logits(tokens)
        start = time.thread_time()
        for _ in range(100):
            shipped(name).logits(tokens)
        print(
            f"{name}: a forward pass of one text {10 * (time.thread_time() - start):.2f} ms of processor time"
        )
    evaluation("diffusion", "top-k", "search", {"k": 4})
    evaluation("diffusion", "top-k", "search", {"k": 4}, inside=True)
    evaluation("diffusion", "trivial", "search", {})
    evaluation("diffusion", "top-k", "look", {"k": 4})
    evaluation("diffusion-exit", "sched-linear", "search", {"high": 20.0, "low": 10.0})
    evaluation("diffusion-exit", "sched-linear", "search", {"high": 20.0, "low": 10.0}, inside=True)
    evaluation("diffusion-exit", "trivial", "search", {})
    evaluation("diffusion-exit", "least-probability", "look", {})
    most = [
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    print(f"most memory: {most[0]:.0f} MB here, {most[1]:.0f} MB in a child")


if __name__ == "__main__":
    main()
