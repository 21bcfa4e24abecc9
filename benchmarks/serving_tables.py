"""The measured tables behind the serving timing model: columns and interpolation, for the fit and for its validation.

Times in seconds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import nnls
from serving_data import ROOT, rows

sys.path.insert(0, str(ROOT))

from evaluators.serving.cards import Card
from evaluators.serving.models import BYTES, Experts, experts_touched

Array = npt.NDArray[np.float64]
GRID = (1, 2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 512, 768, 1024, 2048, 4096, 8192)
"""Numbers of tokens at which matrix products are tabulated on both cards."""
LAUNCH = 2e-6
SKEW = 1.01
"""Popularity of experts in the tables used ("power_law_1.01")."""


@cache
def columns(name: str) -> dict[str, Array]:
    """The numeric columns of a file."""
    found = rows(name)
    return {key: np.array([float(row[key]) for row in found]) for key in found[0] if key != "distribution"}


def roof(card: Card, flops: Array | float, moved: Array | float) -> Array:
    """The time no kernel goes below, plus a launch: the slower of arithmetic and memory."""
    return np.maximum(flops / card.flops, moved / card.bandwidth) + LAUNCH


def product_roof(card: Card, m: Array | float, n: float, k: float) -> Array:
    """The roof of an m × k by k × n product."""
    return roof(card, 2.0 * m * n * k, BYTES * (m * k + n * k + m * n))


@cache
def _product_ratios(card: Card) -> RegularGridInterpolator:
    """log(measured / roof) over (m, log n, log k) of AIConfigurator's table."""
    table = columns(f"aiconfigurator/gemm_bf16_{card.name}.csv")
    sides = [side for side in sorted(set(table["n"])) if 256 <= side <= 16384] + [65536.0]
    depths = [side for side in sides if side <= 16384]
    shapes = zip(table["m"], table["n"], table["k"], strict=True)
    time = dict(zip(shapes, table["latency"] / 1e3, strict=True))
    cube = np.array(
        [
            [[np.log(time[m, n, k] / product_roof(card, m, n, k)) for k in depths] for n in sides]
            for m in map(float, GRID)
        ]
    )
    return RegularGridInterpolator((GRID, np.log(sides), np.log(depths)), cube)


def product(card: Card, n: float, k: float) -> Array:
    """Seconds of an m × k by k × n product at the tokens of GRID, by interpolation; sides beyond the table keep the
    efficiency of its edge."""
    at = (np.log(np.clip(n, 256, 65536)), np.log(np.clip(k, 256, 16384)))
    points = np.array([(m, *at) for m in GRID])
    return np.exp(_product_ratios(card)(points)) * product_roof(card, np.array(GRID, float), n, k)


def experts_roof(card: Card, experts: Experts, hidden: int, tp: int, tokens: Array) -> Array:
    """The roof of one layer of experts: those touched are read once."""
    width = experts.width / tp
    touched = np.array([experts_touched(experts, t, SKEW) for t in tokens])
    flops = 6.0 * tokens * experts.top * hidden * width
    return roof(card, flops, BYTES * 3.0 * hidden * width * touched)


def experts_time(card: Card, experts: Experts, hidden: int, tp: int) -> Array:
    """Seconds of one layer of experts at the tokens of GRID, by interpolation in AIConfigurator's table."""
    name = f"aiconfigurator/moe_bf16_{card.name}.csv"
    wanted = (hidden, experts.width, experts.top, experts.count, tp)
    keys = ("hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size")
    found = sorted(
        (float(row["num_tokens"]), float(row["latency"]) / 1e3)
        for row in rows(name)
        if tuple(int(row[key]) for key in keys) == wanted and row["distribution"] == f"power_law_{SKEW}"
    )
    tokens, time = np.array(found).T
    return np.exp(np.interp(np.log(GRID), np.log(tokens), np.log(time)))


def all_reduce(card: Card, tp: int, numbers: Array) -> Array:
    """Seconds of an all-reduce of so many bf16 numbers among ``tp`` cards, by interpolation."""
    table = columns(f"aiconfigurator/allreduce_{card.name}.csv")
    chosen = table["num_gpus"] == tp
    size, time = table["message_size"][chosen], table["latency"][chosen] / 1e3
    return np.exp(np.interp(np.log(numbers), np.log(size), np.log(time)))


@dataclass(frozen=True)
class Attention:
    """Rows of an attention table of one shape: ``batch`` sequences of ``length`` tokens (new ones, or in the cache)."""

    batch: Array
    length: Array
    time: Array


@cache
def shapes(card_name: str, kind: str) -> list[tuple[int, int]]:
    """(heads, KV heads) that an attention table of AIConfigurator has."""
    table = columns(f"aiconfigurator/attention_{kind}_bf16_{card_name}.csv")
    found = set(zip(table["num_heads"], table["num_key_value_heads"], strict=True))
    return sorted((int(heads), int(keys)) for heads, keys in found)


@cache
def attention(card_name: str, kind: str, heads: int, kv_heads: int) -> Attention:
    """AIConfigurator's rows of one shape, ``kind`` "ctx" (prefill) or "gen" (decode)."""
    table = columns(f"aiconfigurator/attention_{kind}_bf16_{card_name}.csv")
    chosen = (table["num_heads"] == heads) & (table["num_key_value_heads"] == kv_heads)
    length = table["isl"] if kind == "ctx" else table["step"] + 1
    points: dict[tuple[float, float], list[float]] = {}
    for b, s, t in zip(table["batch_size"][chosen], length[chosen], table["latency"][chosen], strict=True):
        points.setdefault((float(b), float(s)), []).append(float(t) / 1e3)
    batch, length = np.array(sorted(points)).reshape(-1, 2).T
    return Attention(batch, length, np.array([np.median(points[p]) for p in sorted(points)]))


def relative_fit(features: Array, time: Array) -> tuple[Array, Array]:
    """Non-negative coefficients with small relative errors (towards least absolute ones), and those errors."""
    weight = 1 / time
    fitted, errors = np.zeros(features.shape[1]), np.zeros(len(time))
    for _ in range(20):
        fitted, _ = nnls(features * weight[:, None], time * weight)
        errors = features @ fitted / time - 1
        weight = 1 / (time * np.sqrt(np.abs(errors) + 0.02))
    return fitted, errors
