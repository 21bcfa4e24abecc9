"""Holds the serving timing model to its targets: each figure is printed beside its target, exit code 1 if one misses.

    python benchmarks/serving_validate.py

Dense tables against Vidur's held-out rows, attention against the tables of its shapes, whole iterations against
interpolation in AIConfigurator's tables, and three real vLLM runs of 300 requests, on which nothing was fitted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from serving_fit import small_time, vidur, vidur_knots
from serving_replay import Request, replay
from serving_speed import Chunked
from serving_tables import GRID, Array, all_reduce, attention, columns, product

from evaluators.serving.cards import CARDS
from evaluators.serving.core import calls
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.simulation import Engine, Scenario, played
from evaluators.serving.models import MODELS, Model
from evaluators.serving.timing import Cache, Timing, kv_cache, timing, widths
from evaluators.serving.timing import Engine as Host

MIXES = 500


class Figure(NamedTuple):
    """A figure and the most its size may be; None where nothing is aimed at."""

    name: str
    value: float
    target: float | None = None

    def line(self) -> str:
        aim = "" if self.target is None else f"   at most {100 * self.target:g} %"
        miss = "   MISSED" if self.target is not None and abs(self.value) > self.target else ""
        return f"{self.name:68} {100 * self.value:+7.1f} %{aim}{miss}"


def mean_error(predicted: Array, true: Array) -> float:
    return float(np.abs(predicted / true - 1).mean())


def dense() -> Iterator[Figure]:
    """Gate 1: the table between its knots."""
    for name in ("a100", "h100"):
        for tp in widths("llama-2-7b", name):
            tokens, table = vidur(name, tp)
            held = ~vidur_knots(tokens)
            shipped = (
                np.array(timing("llama-2-7b", name, tp).dense)[tokens.astype(int)]
                / MODELS["llama-2-7b"].layers
            )
            error = mean_error(shipped[held], table["layer"][held])
            yield Figure(f"dense, Llama-2-7B, {tp} × {name}, {held.sum()} held-out rows", error, 0.05)


def shapes() -> Iterator[tuple[Model, str, int]]:
    """Every model, card and width whose attention is in the tables."""
    for model in MODELS.values():
        for name in ("a100", "h100"):
            for tp in widths(model.name, name):
                heads, keys = model.local_heads(tp)
                if keys <= 8 and heads not in (28, 14):
                    yield model, name, tp


def table_attention() -> Iterator[Figure]:
    """Gate 2 on A100 and H100: the mean over shapes, and the worst."""
    for name in ("a100", "h100"):
        decode, prefill, timed = [], [], []
        for model, card, tp in shapes():
            if card != name:
                continue
            shipped = timing(model.name, name, tp)
            d, p = (attention(name, kind, *model.local_heads(tp)) for kind in ("gen", "ctx"))
            used = (d.batch <= 256) & (d.length >= 128) & (d.batch * d.length <= 1 << 20)
            fixed, each, kv = shipped.decode
            predicted = (fixed + each * d.batch + kv * d.batch * d.length)[used] / model.layers
            decode.append(mean_error(predicted, d.time[used]))
            timed.append(np.abs(predicted - d.time[used]).sum() / d.time[used].sum())
            used = (p.length >= 16) & (p.batch * p.length <= 16384)
            fixed, chunk, token, pair, _ = shipped.prefill
            tokens = p.batch * p.length
            predicted = (fixed + chunk * p.batch + token * tokens + pair * tokens * p.length / 2)[
                used
            ] / model.layers
            prefill.append(mean_error(predicted, p.time[used]))
            timed.append(np.abs(predicted - p.time[used]).sum() / p.time[used].sum())
        yield Figure(
            f"attention of decodes, {name}, mean of {len(decode)} shapes", float(np.mean(decode)), 0.12
        )
        yield Figure(f"attention of decodes, {name}, worst shape", max(decode))
        yield Figure(
            f"attention of chunks, {name}, mean of {len(prefill)} shapes", float(np.mean(prefill)), 0.12
        )
        yield Figure(f"attention of chunks, {name}, worst shape", max(prefill))
        yield Figure(f"attention by time, {name}, mean", float(np.mean(timed)), 0.10)


def profiled_attention() -> Iterator[Figure]:
    """Gate 2 on RTX PRO 6000, mixed iterations included; and what an additive model would say."""
    shipped, layers = timing("llama-3.1-8b", "rtx-pro-6000"), MODELS["llama-3.1-8b"].layers
    bare = attention_only(shipped)
    table = columns("llmservingsim/attention_llama31_8b_tp1.csv")
    data = (table[c] for c in ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"))
    chunk, before, n, each, time = data
    for name, engine in (("", bare), (" if it were additive", bare.additive())):
        predicted = np.array(
            [
                engine.iteration(int(d), int(d * k), [(int(c), int(x))] if c else ()) * 1e6 / layers
                for c, x, d, k in zip(chunk, before, n, each, strict=True)
            ]
        )
        usual = (chunk >= 256) & (n >= 16) & (n <= 128) & (each >= 512) & (each <= 4096)
        fits = n * each <= 250_000
        for kind, rows in (
            ("decodes", chunk == 0),
            ("chunks", (n == 0) & (chunk > 0)),
            ("both", (n > 0) & (chunk > 0)),
            ("both, usual", usual),
        ):
            if not name or "both" in kind:
                target = None if name else 0.12
                error = mean_error(predicted[rows], time[rows])
                yield Figure(f"attention of {kind}{name}, RTX PRO 6000, {rows.sum()} rows", error, target)
        if not name:
            off = np.abs(predicted - time)[fits].sum() / time[fits].sum()
            yield Figure("attention by time, RTX PRO 6000, up to 250,000 KV tokens", off, 0.10)


def attention_only(whole: Timing) -> Timing:
    """A timing from which everything but attention is taken."""
    nothing = (0.0,) * len(whole.dense)
    return replace(whole, dense=nothing, experts=nothing, links=nothing, engine=Host(0.0, 0.0))


class Interpolation:
    """A layer by interpolation in AIConfigurator's tables: products, attention, all-reduce; small operators as ours.
    A chunk behind a cache takes its share of the square, which is that tool's own rule."""

    def __init__(self, model: Model, name: str, tp: int) -> None:
        self.model, self.card, self.tp = model, CARDS[name], tp
        self.linear = small_time(self.card, model, tp) + sum(
            product(self.card, n, k) for n, k in model.products(tp)
        )
        self.chunks, self.decodes = (self._over(name, kind) for kind in ("ctx", "gen"))

    def _over(self, name: str, kind: str) -> RegularGridInterpolator:
        found = attention(name, kind, *self.model.local_heads(self.tp))
        times = dict(zip(zip(found.batch, found.length, strict=True), found.time, strict=True))
        batches = [b for b in sorted(set(found.batch)) if b <= (1 if kind == "ctx" else 128)]
        lengths = [s for s in sorted(set(found.length)) if all((b, s) in times for b in batches)]
        grid = np.log(
            [[times[b, s] for s in lengths] for b in (batches if len(batches) > 1 else batches * 2)]
        )
        axis = np.log(batches) if len(batches) > 1 else np.array([0.0, 1.0])
        return RegularGridInterpolator((axis, np.log(lengths)), grid, bounds_error=False, fill_value=None)

    def layer(self, decodes: int, kv: float, chunks: list[tuple[int, int]]) -> float:
        tokens = decodes + sum(c for c, _ in chunks)
        total = float(np.interp(tokens, GRID, self.linear))
        if self.tp > 1:
            total += 2 * float(all_reduce(self.card, self.tp, np.array([tokens * self.model.hidden]))[0])
        for c, before in chunks:
            whole = np.exp(self.chunks((0.0, np.log(c + before))))
            total += float(whole) * (1 - (before / (c + before)) ** 2)
        if decodes:
            total += float(np.exp(self.decodes((np.log(decodes), np.log(kv / decodes)))))
        return total


def iterations() -> Iterator[Figure]:
    """Gate 3: whole iterations without logits and host, additive as the tables are, of random mixes."""
    random = np.random.default_rng(6)
    for name, card, tp in (
        ("llama-3.1-8b", "a100", 1),
        ("llama-3.1-8b", "h100", 1),
        ("llama-3.1-70b", "a100", 4),
        ("llama-3.1-70b", "h100", 8),
    ):
        model, true, ours = MODELS[name], [], []
        table = Interpolation(model, card, tp)
        shipped = replace(timing(name, card, tp).additive(), engine=Host(0.0, 0.0))
        for _ in range(MIXES):
            decodes = int(np.exp(random.uniform(0, np.log(128)))) if random.random() < 0.9 else 0
            kv = int(decodes * np.exp(random.uniform(np.log(128), np.log(4096))))
            count = int(random.integers(0, 3)) if decodes else 1
            chunks = [
                (int(np.exp(random.uniform(np.log(64), np.log(2048)))), int(random.integers(0, 6)) * 1024)
                for _ in range(count)
            ]
            true.append(model.layers * table.layer(decodes, kv, chunks))
            ours.append(shipped.iteration(decodes, kv, chunks))
        t, o = np.array(true), np.array(ours)
        yield Figure(f"iterations, {name}, {tp} × {card}, {MIXES} random mixes", mean_error(o, t), 0.10)
        yield Figure("    bias", float((o / t - 1).mean()), 0.03)
        yield Figure("    nine in ten are within", float(np.quantile(np.abs(o / t - 1), 0.9)))


def run(file: str, engines: list[Timing], blocks: Cache, gated: bool) -> Iterator[Figure]:
    """Gate 4: a real run (128 sequences, 2,048 tokens an iteration) against the simulator under first come, first
    served; requests alternate between the engines. And the simulator against a plain replay."""
    table = columns(f"llmservingsim/real_vllm_{file}.csv")
    arrivals, prompts, outputs = (table[c] for c in ("arrived_at", "num_prefill_tokens", "num_decode_tokens"))
    first, end, drift = np.zeros(len(arrivals)), np.zeros(len(arrivals)), 0.0
    for number, engine in enumerate(engines):
        mine = range(number, len(arrivals), len(engines))
        work = [(float(arrivals[i]), int(prompts[i]), int(outputs[i])) for i in mine]
        described = Engine(Costs.of(engine), blocks.blocks, blocks.tokens, cap=128, budget=2048)
        requests = tuple(calls.Request(str(n), round(a * SECOND), p, o) for n, (a, p, o) in enumerate(work))
        outcome = played(Scenario((described,), requests), Chunked(2048))
        plain = [Request(*request) for request in work]
        replay(plain, engine)
        for i, call, request in zip(mine, outcome.calls, plain, strict=True):
            first[i], end[i] = call.first / SECOND, call.ended / SECOND
            drift = max(drift, abs(end[i] / request.end - 1))
    steps = np.maximum(1, outputs - 1)
    real = {
        "TTFT": table["ttft_s"],
        "TPOT": (table["e2e_s"] - table["ttft_s"]) / steps,
        "E2E": table["e2e_s"],
    }
    ours = {"TTFT": first - arrivals, "TPOT": (end - first) / steps, "E2E": end - arrivals}
    targets = {"TTFT": 0.12, "TPOT": 0.05, "E2E": 0.08}
    for name in ("TPOT", "E2E", "TTFT"):
        off = float(ours[name].mean() / real[name].mean() - 1)
        yield Figure(
            f"    mean {name}: {real[name].mean():.4f} s measured", off, targets[name] if gated else None
        )
    yield Figure("    largest difference of an end from a plain replay", drift, 0.01)


def runs() -> Iterator[Figure | str]:
    eight = timing("llama-3.1-8b", "rtx-pro-6000")
    yield "real run of Llama-3.1-8B on RTX PRO 6000"
    room = kv_cache("llama-3.1-8b", "rtx-pro-6000")
    yield from run("llama31_8b_tp1", [eight], room, True)
    yield "    the same without the host's assumed 0.5 ms"
    idle = Host(eight.engine.fixed - 5e-4, eight.engine.sequence)
    yield from run("llama31_8b_tp1", [replace(eight, engine=idle)], room, True)
    yield "    the same if attention were additive"
    yield from run("llama31_8b_tp1", [eight.additive()], room, False)
    yield "real run of Qwen3-32B on 2 × RTX PRO 6000 (timing derived, all-reduce assumed)"
    yield from run(
        "qwen3_32b_tp2",
        [timing("qwen3-32b", "rtx-pro-6000", 2)],
        kv_cache("qwen3-32b", "rtx-pro-6000", 2),
        False,
    )
    yield "real run of Qwen3-30B-A3B on 2 × RTX PRO 6000, experts shared (replayed as two engines on their own)"
    both = [timing("qwen3-30b-a3b", "rtx-pro-6000")] * 2
    yield from run("qwen3_30b_a3b_dp2ep", both, kv_cache("qwen3-30b-a3b", "rtx-pro-6000"), False)


def main() -> int:
    missed = 0
    for gate in (dense, table_attention, profiled_attention, iterations, runs):
        for figure in gate():
            if isinstance(figure, str):
                print(figure)
                continue
            print(figure.line())
            missed += figure.target is not None and abs(figure.value) > figure.target
    print(f"{missed} missed" if missed else "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
