"""The language models of the serving tasks: their shapes, what they weigh, and what they read for each token.

Shapes are those of the published configuration files (Hugging Face, ``config.json``). Weights and KV cache are bf16.
Tensor parallelism ``tp`` splits heads, feed-forward columns and vocabulary evenly; a KV head is repeated where there
are fewer than cards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from evaluators.task import TaskError

BYTES = 2
"""Bytes of a bf16 number."""


@dataclass(frozen=True)
class Experts:
    """The mixture of experts of each layer: ``top`` of ``count`` experts of width ``width`` see a token."""

    count: int
    top: int
    width: int


@dataclass(frozen=True)
class Model:
    """A decoder with gated feed-forward layers of ``width`` columns, or with ``experts`` instead."""

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head: int
    """Numbers a head."""
    width: int
    vocabulary: int
    experts: Experts | None = None

    def local_heads(self, tp: int) -> tuple[int, int]:
        """Query and KV heads on each of ``tp`` cards."""
        return self.heads // tp, max(1, self.kv_heads // tp)

    def products(self, tp: int) -> tuple[tuple[int, int], ...]:
        """The matrix products of one layer on one card, as (columns n, depth k); rows are the tokens. Those of the
        experts are not among them."""
        queries, keys = self.local_heads(tp)
        attention = (
            ((queries + 2 * keys) * self.head, self.hidden),
            (self.hidden, queries * self.head),
        )
        if self.experts:
            return (*attention, (self.experts.count, self.hidden))
        return (*attention, (2 * self.width // tp, self.hidden), (self.hidden, self.width // tp))

    def kv_bytes(self, tp: int = 1) -> int:
        """Bytes of KV cache that one token takes on one card."""
        return 2 * self.layers * self.local_heads(tp)[1] * self.head * BYTES

    def expert_bytes(self) -> int:
        """Bytes of one expert in all layers; 0 for a model without experts."""
        return 3 * self.hidden * self.experts.width * BYTES * self.layers if self.experts else 0

    def weight_bytes(self, tp: int = 1) -> int:
        """Bytes of weights on one card: layers, experts, and both embeddings."""
        layer = sum(n * k for n, k in self.products(tp)) * BYTES * self.layers
        experts = self.expert_bytes() * self.experts.count // tp if self.experts else 0
        return layer + experts + 2 * self.vocabulary * self.hidden * BYTES // tp


def experts_touched(experts: Experts, tokens: float, skew: float = 0.0) -> float:
    """How many different experts of a layer are expected to be loaded for ``tokens`` tokens.

    Expert i (1 the most popular) is drawn with probability proportional to i ** -skew for each of a token's ``top``
    choices; choices are taken as independent draws, which overstates repetition within a token a little.
    """
    popularity = [float(rank) ** -skew for rank in range(1, experts.count + 1)]
    total = sum(popularity)
    draws = tokens * experts.top
    return math.fsum(1.0 - (1.0 - weight / total) ** draws for weight in popularity)


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model("llama-2-7b", 32, 4096, 32, 32, 128, 11008, 32000),
        Model("llama-3.1-8b", 32, 4096, 32, 8, 128, 14336, 128256),
        Model("llama-3.1-70b", 80, 8192, 64, 8, 128, 28672, 128256),
        Model("mistral-7b", 32, 4096, 32, 8, 128, 14336, 32000),
        Model("qwen2.5-7b", 28, 3584, 28, 4, 128, 18944, 152064),
        Model("qwen3-32b", 64, 5120, 64, 8, 128, 25600, 151936),
        Model("qwen3-30b-a3b", 48, 2048, 32, 4, 128, 0, 151936, Experts(128, 8, 768)),
    )
}


def model(name: str) -> Model:
    """The model of this name. Raises TaskError that lists the names."""
    if name not in MODELS:
        raise TaskError(f"there is no model {name!r}; choose one of {', '.join(MODELS)}")
    return MODELS[name]
