"""Fits the constants of evaluators/serving/data/timing.json to measured tables (see serving_tables.py).

    python benchmarks/serving_fit.py            prints the fit errors and writes the file

What is measured: matrix products, experts, attention and all-reduce on A100 and H100 (AIConfigurator), all operators
of Llama-2-7B but attention (Vidur, same cards), all operators of Llama-3.1-8B on RTX PRO 6000 (LLMServingSim).
What is derived: everything else. A product of another shape or card takes its roof (the slower of arithmetic and
memory) times the ratio measured on the nearest card; attention scales with heads, bandwidth and peak.
"""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import product as every
from typing import Any

import numpy as np
from serving_attention import MEASURED, PROFILED, attention_of
from serving_data import rows
from serving_tables import (
    GRID,
    Array,
    all_reduce,
    columns,
    experts_roof,
    experts_time,
    product,
    product_roof,
    relative_fit,
)

from evaluators.serving.cards import CARDS, GIB, Card
from evaluators.serving.models import BYTES, MODELS, Model
from evaluators.serving.timing import TABLE

BLOCK = 16
HOST = (5e-4, 0.0)
"""Seconds an iteration and a sequence that the accelerator waits for the host: an assumption (asynchronous
scheduling), fitted to nothing; serving_validate.py prints what it does."""
TOKENS = np.array(GRID, float)
SOURCES = [
    {
        "name": "AIConfigurator",
        "url": "https://github.com/ai-dynamo/aiconfigurator",
        "commit": "095f58a",
        "licence": "Apache-2.0",
        "of": "vLLM 0.14 kernels on A100, vLLM 0.19 kernels on H100, bf16",
    },
    {
        "name": "Vidur",
        "url": "https://github.com/microsoft/vidur",
        "commit": "7d47513",
        "licence": "MIT",
        "of": "operators of Llama-2-7B without attention on A100 and H100",
    },
    {
        "name": "LLMServingSim",
        "url": "https://github.com/casys-kaist/LLMServingSim",
        "commit": "5daddb2",
        "licence": "MIT",
        "of": "vLLM 0.19 kernels of Llama-3.1-8B on RTX PRO 6000",
    },
]


# Matrix products and what is around them.


@cache
def profile() -> dict[str, tuple[Array, Array]]:
    """LLMServingSim's operators outside attention: name → (tokens or sequences, seconds)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, size in (("dense", "tokens"), ("per_sequence", "sequences")):
        for row in rows(f"llmservingsim/{name}_llama31_8b_tp1.csv"):
            found.setdefault(row["layer"], []).append((float(row[size]), float(row["time_us"]) / 1e6))
    return {
        name: (np.array(sorted(points)).T[0], np.array(sorted(points)).T[1]) for name, points in found.items()
    }


@cache
def profile_ratio() -> Array:
    """Measured over roof of the products on RTX PRO 6000 at GRID, the mean over the four shapes of its profile (beyond
    2,048 tokens the last ratio holds)."""
    card, logs = CARDS["rtx-pro-6000"], []
    names = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
    for name, (n, k) in zip(names, PROFILED.products(1), strict=True):
        tokens, time = profile()[name]
        logs.append(np.interp(GRID, tokens, np.log(time / product_roof(card, tokens, n, k))))
    return np.exp(np.mean(logs, axis=0))


def product_time(card: Card, n: float, k: float) -> Array:
    """Seconds of a product at GRID on any card."""
    source = CARDS[MEASURED[card.name]]
    roof = product_roof(card, TOKENS, n, k)
    if source.name == "rtx-pro-6000":
        return profile_ratio() * roof
    return product(source, n, k) / product_roof(source, TOKENS, n, k) * roof


def moved(model: Model, tp: int, tokens: Array) -> Array:
    """Bytes a layer reads and writes outside products and attention: two norms with residual, rotation, activation."""
    queries, keys = model.local_heads(tp)
    width = (model.experts.top * model.experts.width if model.experts else model.width) / tp
    return BYTES * tokens * (2 * 4 * model.hidden + 2 * (queries + 2 * keys) * model.head + 3 * width)


@cache
def small_operators(name: str) -> tuple[float, float]:
    """(seconds a layer, seconds a byte) of the operators that are not products, on a measured card."""
    if name == "rtx-pro-6000":
        model = PROFILED
        tokens = profile()["layernorm"][0]
        time = 2 * profile()["layernorm"][1] + profile()["rotary_emb"][1] + profile()["act_fn"][1]
    else:
        model = MODELS["llama-2-7b"]
        tokens, table = vidur(name, 1)
        time = table["small"]
    (fixed, slope), _ = relative_fit(np.c_[np.ones(len(tokens)), moved(model, 1, tokens)], time)
    return float(fixed), float(slope)


def small_time(card: Card, model: Model, tp: int) -> Array:
    """Seconds of one layer's small operators at GRID."""
    source = CARDS[MEASURED[card.name]]
    fixed, slope = small_operators(source.name)
    return fixed + slope * source.bandwidth / card.bandwidth * moved(model, tp, TOKENS)


def vidur(name: str, tp: int) -> tuple[Array, dict[str, Array]]:
    """(tokens, {"layer", "small"}): seconds of one layer of Llama-2-7B in Vidur's table: all operators but attention,
    and those of them that are not products; medians of repeated points."""
    table = columns(f"vidur/mlp_{name}_llama2_7b.csv")
    products = ("attn_pre_proj_ms", "attn_post_proj_ms", "mlp_up_proj_ms", "mlp_down_proj_ms")
    small = ("input_layernorm_ms", "attn_rope_ms", "post_attention_layernorm_ms", "mlp_act_ms", "add_ms")
    chosen = table["num_tensor_parallel_workers"] == tp
    tokens = table["num_tokens"][chosen]
    counts = np.unique(tokens)

    def total(names: tuple[str, ...]) -> Array:
        time = np.sum([table[name][chosen] for name in names], axis=0) / 1e3
        return np.array([np.median(time[tokens == count]) for count in counts])

    return counts, {"layer": total(products + small), "small": total(small)}


# Entries.


def entry(model: Model, card: Card, tp: int) -> dict[str, Any]:
    """All constants of one model on ``tp`` cards."""
    decode, prefill, mixed, errors = attention_of(card, model, tp)
    layer = sum(product_time(card, n, k) for n, k in model.products(tp)) + small_time(card, model, tp)
    found: dict[str, Any] = {
        "source": source(model, card, tp),
        "dense": model.layers * layer,
        "head": head(card, model, tp),
        "decode": decode,
        "prefill": prefill,
        "mixed": mixed,
        "blocks": blocks(model, card, tp),
    }
    if errors:
        found["fit"] = errors
    if model.experts:
        near = CARDS["a100" if card.name == "a100" else "h100"]
        ratio = experts_time(near, model.experts, model.hidden, tp) / experts_roof(
            near, model.experts, model.hidden, tp, TOKENS
        )
        roof = experts_roof(card, model.experts, model.hidden, tp, TOKENS)
        found["experts"] = model.layers * ratio * roof
    if tp > 1:
        found["links"] = 2 * model.layers * reduce_time(card, model, tp)
    if model.name == "llama-2-7b" and card.name in ("a100", "h100"):
        tokens, table = vidur(card.name, tp)
        measure(found, tokens[vidur_knots(tokens)], model.layers * table["layer"][vidur_knots(tokens)])
    elif model is PROFILED and card.name == "rtx-pro-6000" and tp == 1:
        measure(found, *profile_dense())
    return found


def measure(found: dict[str, Any], tokens: Array, dense: Array) -> None:
    """Puts a measured table in the place of the derived one, which continues it where it ends."""
    derived = np.interp(tokens[-1], GRID, found["dense"])
    beyond = tokens[-1] < TOKENS
    knots = np.concatenate([tokens, TOKENS[beyond]])
    continued = np.concatenate([dense, found["dense"][beyond] * dense[-1] / derived])
    if "links" in found:
        found["links"] = np.interp(knots, GRID, found["links"])
    found |= {"tokens": knots.astype(int).tolist(), "dense": continued}


def vidur_knots(tokens: Array) -> Array:
    """Which of Vidur's numbers of tokens are knots: 1, 8 to 64 by 8, then multiples of 64."""
    return (tokens == 1) | ((tokens <= 64) & (tokens % 8 == 0)) | (tokens % 64 == 0)


def profile_dense() -> tuple[Array, Array]:
    """(tokens, seconds) of everything but attention of Llama-3.1-8B on RTX PRO 6000, as profiled."""
    layer = (
        "layernorm",
        "layernorm",
        "qkv_proj",
        "rotary_emb",
        "o_proj",
        "gate_up_proj",
        "act_fn",
        "down_proj",
    )
    tokens = profile()["layernorm"][0]
    once = profile()["embedding"][1] + profile()["final_layernorm"][1]
    total = once + PROFILED.layers * sum(profile()[name][1] for name in layer)
    used = (tokens <= 16) & (np.log2(tokens) % 1 == 0) | (tokens >= 32) & (tokens % 32 == 0)
    return tokens[used], total[used]


def head(card: Card, model: Model, tp: int) -> Array:
    """(fixed, a sequence) seconds of logits and sampling."""
    count, logits = profile()["lm_head"]
    sampling = profile()["sampler"][1]
    if not (model is PROFILED and card.name == "rtx-pro-6000" and tp == 1):
        count = TOKENS[TOKENS <= 256]
        logits = product_time(card, model.vocabulary / tp, model.hidden)[: len(count)]
        sampling = np.interp(count, profile()["sampler"][0], sampling)
    return relative_fit(np.c_[np.ones(len(count)), count], logits + sampling)[0]


def reduce_time(card: Card, model: Model, tp: int) -> Array:
    """Seconds of one all-reduce at GRID: measured over NVLink, assumed over PCIe (through the memory of
    the host: 20 µs, and every byte crosses twice at 0.8 of the link)."""
    numbers = TOKENS * model.hidden
    if card.nvlink:
        return all_reduce(CARDS[MEASURED[card.name]], tp, numbers)
    return 20e-6 + 2 * (tp - 1) / tp * numbers * BYTES / (0.4 * card.pcie)


def blocks(model: Model, card: Card, tp: int) -> int:
    """KV blocks of one card: 0.9 of its memory, less the weights and 2 GiB for activations and graphs."""
    room = 0.9 * card.memory - model.weight_bytes(tp) - 2 * GIB
    return math.floor(room / (BLOCK * model.kv_bytes(tp)))


def source(model: Model, card: Card, tp: int) -> str:
    """What is measured of an entry and what is derived, in a sentence."""
    if card.name == "rtx-pro-6000":
        if model is PROFILED and tp == 1:
            return "measured: LLMServingSim's profile of vLLM 0.19"
        return "derived: Llama-3.1-8B's profile on this card, scaled by shape" + "; all-reduce assumed" * (
            tp > 1
        )
    if card.name == "l40s":
        return "derived: RTX PRO 6000's ratios to its peak and bandwidth" + "; all-reduce assumed" * (tp > 1)
    if card.name == "h200":
        return "derived: H100's ratios to its peak and bandwidth"
    penalty = "mixed penalty from RTX PRO 6000" if card.name == "a100" else "no mixed penalty"
    if model.name == "llama-2-7b":
        return f"measured: Vidur (all but attention), AIConfigurator (prefill); derived: decode attention, {penalty}"
    return f"measured: AIConfigurator; derived: small operators from Vidur's Llama-2-7B, {penalty}"


def possible(model: Model, card: Card, tp: int) -> bool:
    """Whether an engine of this width is worth having: it divides the heads, holds the weights and some 30,000 tokens,
    and a small model is not spread over more than two cards."""
    if (
        model.heads % tp
        or (model.experts and model.experts.width % (tp * 64))
        or tp > (8 if card.nvlink else 4)
    ):
        return False
    return (tp <= 2 or model.weight_bytes() > 40e9) and blocks(model, card, tp) * BLOCK > 30_000


def plain(value: Any) -> Any:
    """Numbers to five digits, arrays as lists, for the file."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, np.ndarray | tuple | list):
        return [plain(v) for v in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def main() -> None:
    entries: dict[str, Any] = {}
    for model, card, tp in every(MODELS.values(), CARDS.values(), (1, 2, 4, 8)):
        if possible(model, card, tp):
            made = plain(entry(model, card, tp))
            entries.setdefault(model.name, {}).setdefault(card.name, {})[str(tp)] = made
            errors = ", ".join(f"{name} {100 * value:.1f} %" for name, value in made.get("fit", {}).items())
            print(f"{model.name:14} {tp} × {card.name:13} {made['blocks']:7} blocks  {errors}")
    head = {
        "date": "2026-11-25",
        "block": BLOCK,
        "host": list(HOST),
        "tokens": list(GRID),
        "sources": SOURCES,
    }
    lines = [f'"{key}": {json.dumps(value)}' for key, value in head.items()]
    inner = [
        f'"{m}": {{\n' + ",\n".join(f'"{c}": {json.dumps(widths)}' for c, widths in by_card.items()) + "}"
        for m, by_card in entries.items()
    ]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(
        "{" + ",\n".join(lines) + ',\n"entries": {\n' + ",\n".join(inner) + "}}\n", encoding="utf-8"
    )
    print(f"{TABLE.name}: {TABLE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
