"""Fits of attention for serving_fit.py: decode, prefill, and what the two do to each other in one iteration.

A100 and H100 have tables of either kind alone (AIConfigurator); RTX PRO 6000 has a profile of Llama-3.1-8B with both
in one iteration (LLMServingSim). Its penalty is that of FlashAttention 2, which serves A100, L40S and RTX PRO 6000:
only where every sequence asks one token does that kernel let the query heads of a group share the cache and split long
ones among multiprocessors. So beside prefill each query head of a decode reads the cache for itself, in a tile of which
one row is used: arithmetic sets the pace, and the coefficients are carried to A100 by the cost of a token pair.
FlashAttention 3 (H100, H200) packs the heads of a group there, too; no penalty is assumed.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.optimize import least_squares
from serving_tables import Array, attention, columns, relative_fit, shapes

from evaluators.serving.cards import CARDS, Card
from evaluators.serving.models import MODELS, Model
from evaluators.serving.timing import Decode, Mixed, Prefill

MEASURED = {
    "a100": "a100",
    "h100": "h100",
    "h200": "h100",
    "l40s": "rtx-pro-6000",
    "rtx-pro-6000": "rtx-pro-6000",
}
"""Card → the card whose measurements it takes."""
PROFILED = MODELS["llama-3.1-8b"]

Fit = tuple[Array, float]
"""Coefficients of one layer in seconds, and the mean relative error."""


def decode_fit(name: str, heads: int, kv_heads: int) -> Fit:
    """Decode(fixed, sequence, kv) on A100 or H100. The table has no shape with more than eight KV heads: their bytes
    are read at the rate found with eight."""
    if kv_heads > 8:
        (fixed, sequence, kv), error = decode_fit(name, heads, 8)
        return np.array([fixed, sequence, kv * kv_heads / 8]), error
    return _between(name, "gen", heads, kv_heads)


def prefill_fit(name: str, heads: int, kv_heads: int) -> Fit:
    """Prefill(fixed, chunk, token, pair) on A100 or H100; the tables have no chunks behind a cache."""
    return _between(name, "ctx", heads, kv_heads)


def _between(name: str, kind: str, heads: int, kv_heads: int) -> Fit:
    """The fit of a shape, or between those of the next fewer and next more heads with as many KV heads."""
    known = [h for h, k in shapes(name, kind) if k == kv_heads]
    low, high = max(h for h in known if h <= heads), min(h for h in known if h >= heads)
    share = (heads - low) / (high - low) if high > low else 0.0
    (a, a_error), (b, b_error) = (_table_fit(name, kind, h, kv_heads) for h in (low, high))
    return a + share * (b - a), a_error + share * (b_error - a_error)


@cache
def _table_fit(name: str, kind: str, heads: int, kv_heads: int) -> Fit:
    found = attention(name, kind, heads, kv_heads)
    batch, tokens = found.batch, found.batch * found.length
    if kind == "gen":
        used = (batch <= 256) & (found.length >= 128) & (tokens <= 1 << 20)
        features = np.c_[np.ones(len(batch)), batch, tokens]
    else:
        used = (found.length >= 16) & (tokens <= 16384)
        features = np.c_[np.ones(len(batch)), batch, tokens, tokens * found.length / 2]
    fitted, errors = relative_fit(features[used], found.time[used])
    return fitted, float(np.abs(errors).mean())


@cache
def profile_fit() -> tuple[Array, Array, Array, dict[str, float]]:
    """(decode 3, prefill 5, mixed 6, errors) of one layer of Llama-3.1-8B on RTX PRO 6000."""
    table = columns("llmservingsim/attention_llama31_8b_tp1.csv")
    chunk, before, n, each, time = (
        table[c] for c in ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us")
    )
    alone, kv = chunk == 0, n * each
    decode, decode_errors = relative_fit(np.c_[np.ones(alone.sum()), n[alone], kv[alone]], time[alone])
    start = np.array([5.0, 0.03, 5e-5, 0.015, 0.55, 4e-3, 9e-4, 4e-3, 0.0226, 2e5])

    # One row in eighty has chunks alone: without more weight they would not count.
    weight = np.where(n == 0, 8.0, 1.0)

    def predicted(x: Array) -> Array:
        fixed, token, pair, context, sequence, read, spread, crowd, serial, crowd_from = np.abs(x)
        total = fixed + token * chunk + pair * chunk * (before + chunk / 2) + context * before
        total += sequence * n + read * kv + spread * n * chunk + crowd * np.maximum(0, kv - crowd_from)
        return np.maximum(total, fixed + serial * each)

    def residuals(x: Array) -> Array:
        return (weight * np.log(predicted(x) / time))[~alone]

    found = np.abs(least_squares(residuals, start, x_scale=start, loss="soft_l1", f_scale=0.1).x)
    relative = np.abs(predicted(found) / time - 1)
    mixed, pure = ~alone & (n > 0), ~alone & (n == 0)
    usual = mixed & (chunk >= 256) & (n >= 16) & (n <= 128) & (each >= 512) & (each <= 4096)
    errors = {
        "decode": float(np.abs(decode_errors).mean()),
        "prefill": float(relative[pure].mean()),
        "mixed": float(relative[mixed].mean()),
        "mixed, usual": float(relative[usual].mean()),
    }
    *seconds, crowd_from = found
    fixed, token, pair, context, sequence, read, spread, crowd, serial = np.array(seconds) / 1e6
    prefill = np.array([fixed, 0.0, token, pair, context])
    return decode / 1e6, prefill, np.array([sequence, read, spread, crowd, crowd_from, serial]), errors


def attention_of(card: Card, model: Model, tp: int) -> tuple[Decode, Prefill, Mixed, dict[str, float]]:
    """Attention of all layers on any card, and the fit errors where it is measured."""
    source = CARDS[MEASURED[card.name]]
    made = _scaled_profile if source.name == "rtx-pro-6000" else _from_tables
    decode, prefill, mixed, errors = made(card, source, *model.local_heads(tp))
    measured = card is source and (made is _from_tables or (model is PROFILED and tp == 1))
    layers = model.layers
    whole = Mixed(*(layers * mixed))._replace(crowd_from=float(mixed[4]))
    return Decode(*(layers * decode)), Prefill(*(layers * prefill)), whole, errors if measured else {}


def _from_tables(
    card: Card, source: Card, heads: int, kv_heads: int
) -> tuple[Array, Array, Array, dict[str, float]]:
    faster, wider = source.flops / card.flops, source.bandwidth / card.bandwidth
    decode, decode_error = decode_fit(source.name, heads, kv_heads)
    decode = decode * [1, wider, wider]
    prefill, prefill_error = prefill_fit(source.name, heads, kv_heads)
    # The cache before a chunk is read once.
    prefill = np.array([*(prefill * [1, 1, faster, faster]), decode[2]])
    errors = {"decode": decode_error, "prefill": prefill_error}
    if source.name == "h100":
        return decode, prefill, np.array([decode[1], decode[2], 0.0, 0.0, 0.0, 0.0]), errors
    # Arithmetic of a tile, by token pairs of all query heads (``slower``) or of one; crowded, memory is read for each.
    profiled = profile_fit()
    queries, keys = heads / PROFILED.heads, kv_heads / PROFILED.kv_heads
    slower = prefill[3] / profiled[1][3]
    crowded = queries * CARDS["rtx-pro-6000"].bandwidth / card.bandwidth
    mixed = profiled[2] * [slower, slower, slower, crowded, 1 / keys, slower / queries]
    return decode, prefill, at_least(mixed, decode), errors


def at_least(mixed: Array, decode: Array) -> Array:
    """With few query heads a KV head, memory is the limit in either kernel."""
    return np.array([*np.maximum(mixed[:2], decode[1:]), *mixed[2:]])


def _scaled_profile(
    card: Card, source: Card, heads: int, kv_heads: int
) -> tuple[Array, Array, Array, dict[str, float]]:
    faster, wider = source.flops / card.flops, source.bandwidth / card.bandwidth
    queries, keys = heads / PROFILED.heads, kv_heads / PROFILED.kv_heads
    decode, prefill, mixed, errors = profile_fit()
    each = queries * faster
    mixed = mixed * [each, each, each, each, 1 / keys, faster]
    decode = decode * [1, queries * wider, keys * wider]
    return decode, prefill * [1, 1, each, each, each], at_least(mixed, decode), errors
