"""What reducing a forward pass to its readings costs in ``discover record``, next to the same in numpy.

    python benchmarks/recorder_reading.py [--span 256] [--vocabulary 126464] [--rounds 3]

Logits by chance, of the size that LLaDA gives, on one thread of the processor; needs PyTorch. Prints processor time a
pass, and the ratio to :func:`evaluators.diffusion.reading.read`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from evaluators.diffusion.early_exit.recorder.decoding import Reader
from evaluators.diffusion.reading import read
from evaluators.diffusion.tokens import MASK


def seconds(look: Callable[[Any], object], passes: list[Any]) -> float:
    """Processor time of a pass; the first one, which has no drift, is not counted."""
    look(passes[0])
    start = time.process_time()
    for logits in passes[1:]:
        look(logits)
    return (time.process_time() - start) / (len(passes) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--span", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=126_464)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    drawn = [torch.randn(chosen.span, chosen.vocabulary).to(torch.bfloat16) for _ in range(chosen.rounds + 1)]
    ours = seconds(Reader(MASK).look, drawn)
    before: Any = None

    def in_numpy(logits: Any) -> None:
        nonlocal before
        _, before = read(logits.float().numpy(), before)

    theirs = seconds(in_numpy, drawn)
    print(f"a pass of {chosen.span} positions and {chosen.vocabulary} tokens: {ours:.2f} s of processor time")
    print(f"numpy takes {theirs / ours:.1f} times as long")


if __name__ == "__main__":
    main()
