"""Train a denoiser: ``python -m evaluators.diffusion.denoiser.training small`` (extra ``train``).

The loss is that of LLaDA (Nie et al. 2025): a uniformly drawn number of positions of the span is masked, and the
cross entropy of the masked ones is averaged. Every step's texts and masks follow from the seed and the step's
number, so that a run that was stopped goes on from its checkpoint as if it had not been. Matrices of the layers are
updated by Muon (orthogonalised momentum, Jordan et al. 2024), the others by AdamW; both rates rise for a while,
then fall linearly to zero.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluators.diffusion.denoiser.shapes import EPSILON, SHAPES, SHARPNESS, Shape
from evaluators.diffusion.denoiser.training_texts import texts
from evaluators.diffusion.tokens import MASK

WARM_UP = 200
MATRIX_RATE, OTHER_RATE = 0.02, 3e-3
HEIGHTS = (1.0, 0.5, 0.35, 0.35, 0.35)
"""The highest rates of each stretch of training relative to those of the first."""


class Denoiser(nn.Module):
    """Tokens (batch, length) to logits (batch, length, vocabulary)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.weights = nn.ParameterDict()
        generator = torch.Generator().manual_seed(shape.seed)
        for name, (rows, columns) in shape.arrays().items():
            values = torch.randn(rows, columns, generator=generator)
            last = name.endswith(("out", "down", "head"))
            factor = 0.0 if last else 0.5 if name in ("tokens", "places") else columns**-0.5
            self.weights[name.replace(".", "_")] = nn.Parameter(values * factor)
        angles = torch.from_numpy(shape.angles())
        self.register_buffer("turns", torch.stack([angles.cos(), angles.sin()]), persistent=False)

    def weight(self, name: str) -> Tensor:
        return self.weights[name.replace(".", "_")]

    def turned(self, x: Tensor) -> Tensor:
        """Queries or keys (batch, heads, length, width of a head), turned by their places."""
        cos, sin = self.get_buffer("turns").to(x.dtype)
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length = tokens.shape
        heads = self.shape.heads
        x = self.weight("tokens")[tokens] + self.weight("places")
        for k in range(self.shape.layers):
            h = functional.linear(_norm(x), self.weight(f"{k}.qkv"))
            q, key, value = h.view(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
            q, key = self.turned(_norm(q)), self.turned(_norm(key))
            mixed = functional.scaled_dot_product_attention(
                q, key, value, scale=SHARPNESS * q.shape[-1] ** -0.5
            )
            x = x + functional.linear(
                mixed.transpose(1, 2).reshape(batch, length, -1), self.weight(f"{k}.out")
            )
            h = functional.relu(functional.linear(_norm(x), self.weight(f"{k}.up"))).square()
            x = x + functional.linear(h, self.weight(f"{k}.down"))
        return functional.linear(_norm(x), self.weight("head"))


def _norm(x: Tensor) -> Tensor:
    return functional.rms_norm(x, x.shape[-1:], eps=EPSILON)


def loss_of(model: nn.Module, tokens: np.ndarray, mask: np.ndarray) -> Tensor:
    target, hidden = torch.from_numpy(tokens), torch.from_numpy(mask)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(target.masked_fill(hidden, MASK))
    each = functional.cross_entropy(logits[hidden].float(), target[hidden], reduction="none")
    weights = (1.0 / hidden.sum(1, keepdim=True)).expand_as(hidden)[hidden]
    return (each * weights).sum() / len(tokens)


def train(shape: Shape, folder: Path, minutes_between: float = 2.0) -> Path:
    """Train to the end, from the checkpoint in ``folder`` when there is one; gives the file of weights."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, curve = folder / f"{shape.name}.checkpoint.pt", folder / f"{shape.name}.csv"
    torch.manual_seed(shape.seed)
    model = Denoiser(shape)
    matrices = [p for n, p in model.weights.items() if n[0].isdigit()]
    others = [p for n, p in model.weights.items() if not n[0].isdigit()]
    optimisers = (
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.0, momentum=0.95),
        torch.optim.AdamW(others, lr=OTHER_RATE, weight_decay=0.0, betas=(0.9, 0.98)),
    )
    schedulers = [torch.optim.lr_scheduler.LambdaLR(o, lambda s: _rate(s, shape)) for o in optimisers]
    first, rows = 0, []
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["shape"] != repr(shape):
            raise SystemExit(
                f"{checkpoint} is of another training ({state['shape']}); remove it to begin anew"
            )
        model.load_state_dict(state["model"])
        for o, s, saved in zip(optimisers, schedulers, state["optimisers"], strict=True):
            o.load_state_dict(saved["optimiser"])
            s.load_state_dict(saved["scheduler"])
        first, rows = state["step"], state["rows"]
    saved_at = time.monotonic()
    spent = float(rows[-1][2]) if rows else 0.0
    started = time.process_time()
    sums = 0.0
    for step in range(first, shape.steps):
        loss = loss_of(model, *texts(shape, step))
        for o in optimisers:
            o.zero_grad()
        loss.backward()
        for o, s in zip(optimisers, schedulers, strict=True):
            o.step()
            s.step()
        sums += loss.item()
        if (step + 1) % 50 == 0:
            rows.append([step + 1, round(sums / 50, 4), round(spent + time.process_time() - started, 1)])
            sums = 0.0
            sys.stderr.write(f"step {step + 1} of {shape.steps}: loss {rows[-1][1]}, {rows[-1][2]} s\n")
            if time.monotonic() - saved_at > 60 * minutes_between or step + 1 == shape.steps:
                state = {
                    "shape": repr(shape),
                    "step": step + 1,
                    "rows": rows,
                    "model": model.state_dict(),
                    "optimisers": [
                        {"optimiser": o.state_dict(), "scheduler": s.state_dict()}
                        for o, s in zip(optimisers, schedulers, strict=True)
                    ],
                }
                torch.save(state, checkpoint.with_suffix(".new"))
                checkpoint.with_suffix(".new").replace(checkpoint)
                with curve.open("w", newline="", encoding="utf-8") as stream:
                    csv.writer(stream).writerows([["step", "loss", "seconds"], *rows])
                saved_at = time.monotonic()
    return save(model, folder / f"{shape.name}.npz")


def save(model: Denoiser, path: Path) -> Path:
    """Write the weights as float16."""
    arrays = {n: model.weight(n).detach().numpy().astype(np.float16) for n in model.shape.arrays()}
    with path.open("wb") as stream:
        np.savez(stream, **arrays)
    return path


def _rate(step: int, shape: Shape) -> float:
    """The rates of a step relative to the highest: they fall linearly to zero in each stretch, and rise at first."""
    now = shape.stretch(step)
    done = (step - sum(shape.stretches[:now])) / max(1, shape.stretches[now])
    return min((step + 1) / WARM_UP, HEIGHTS[now] * (1 - done))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a denoiser, or go on from its checkpoint.")
    parser.add_argument("name", choices=sorted(SHAPES))
    parser.add_argument("--folder", type=Path, default=Path("denoisers"))
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    sys.stdout.write(f"{train(SHAPES[chosen.name], chosen.folder)}\n")


if __name__ == "__main__":
    main()
