"""How long one iteration of a serving engine takes, from a few fitted constants.

    iteration = dense[tokens] + experts[tokens] + links[tokens]            what does not depend on the context
              + attention                                                  of decodes and of chunks, see below
              + engine.fixed + engine.sequence · sequences                 logits, sampling, the host's own work

An iteration without prefill pays ``decode``, which is linear in the number of sequences and in the KV tokens they read:
consecutive decode iterations grow by a constant and have a closed form. An iteration that also prefills runs another
kernel, and the two do not add up: ``mixed`` holds its own coefficients. Everything is computed from running totals and
the chunks themselves. Seconds and tokens throughout; all layers and one card of a tensor-parallel group.

Constants ship in ``data/timing.json``, made by ``benchmarks/serving_fit.py``; each entry says where it comes from and
whether it is measured or derived.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from evaluators.serving.cards import card
from evaluators.serving.models import model
from evaluators.task import TaskError

TABLE = Path(__file__).parent / "data" / "timing.json"


class Decode(NamedTuple):
    """Attention of an iteration that only decodes: fixed + sequence · sequences + kv · KV tokens read."""

    fixed: float
    sequence: float
    kv: float


class Prefill(NamedTuple):
    """Attention of chunks: fixed an iteration, and for a chunk of c tokens behind x tokens in the cache
    chunk + token · c + pair · c · (x + c / 2) + context · x."""

    fixed: float
    chunk: float
    token: float
    pair: float
    context: float


class Mixed(NamedTuple):
    """What decodes add to an iteration that also prefills.

    sequence · n + kv · KV + spread · n · (longest chunk) + crowd · max(0, KV - crowd_from) for n sequences that read
    KV tokens: each query head reads the cache for itself (``kv``; beyond ``crowd_from`` tokens no longer out of the
    chip's own cache, ``crowd``), and the kernel's grid is as wide as the longest chunk for everyone (``spread``).
    Attention takes at least Prefill.fixed + serial · KV / n: a sequence is read by one multiprocessor a head."""

    sequence: float
    kv: float
    spread: float
    crowd: float
    crowd_from: float
    serial: float


class Engine(NamedTuple):
    """Logits, sampling and host work: seconds an iteration, and for each sequence in it, chunks counted."""

    fixed: float
    sequence: float


TABLES = ("dense", "experts", "links")
PARTS: dict[str, Any] = {"decode": Decode, "prefill": Prefill, "mixed": Mixed, "engine": Engine}
COEFFICIENTS = (*TABLES, *(f"{part}.{name}" for part, kind in PARTS.items() for name in kind._fields))
"""Names of all that a timing consists of: tables by tokens, and numbers such as ``decode.kv``."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The iteration times of one model on one kind of card. ``dense``, ``experts`` and ``links`` are seconds by the
    number of tokens in the iteration (index 0 … the largest tabulated; beyond it the last slope goes on)."""

    dense: tuple[float, ...]
    experts: tuple[float, ...]
    links: tuple[float, ...]
    decode: Decode
    prefill: Prefill
    mixed: Mixed
    engine: Engine
    source: str
    """Where the constants come from; begins with "measured" or "derived"."""

    def linear(self, tokens: int) -> float:
        """Seconds of everything that depends on the number of tokens alone."""
        last = len(self.dense) - 1
        if tokens <= last:
            return self.dense[tokens] + self.experts[tokens] + self.links[tokens]
        return self.linear(last) + (tokens - last) * (self.linear(last) - self.linear(last - 1))

    def iteration(self, decodes: int, decode_kv: int, chunks: Sequence[tuple[int, int]]) -> float:
        """Seconds of one iteration, in O(chunks).

        ``decodes`` sequences make one token each and read ``decode_kv`` KV tokens together, the new ones
        counted; each chunk is (tokens, tokens of its sequence in the cache before). At least one token in all.
        """
        engine = self.engine.fixed + self.engine.sequence * (decodes + len(chunks))
        if not chunks:
            fixed, sequence, kv = self.decode
            return self.linear(decodes) + fixed + sequence * decodes + kv * decode_kv + engine
        fixed, chunk, token, pair, context = self.prefill
        attention, tokens, longest = fixed + chunk * len(chunks), decodes, 0
        for count, before in chunks:
            tokens += count
            longest = max(longest, count)
            attention += token * count + pair * count * (before + 0.5 * count) + context * before
        if decodes:
            mixed = self.mixed
            attention += (mixed.sequence + mixed.spread * longest) * decodes + mixed.kv * decode_kv
            attention += mixed.crowd * max(0.0, decode_kv - mixed.crowd_from)
            attention = max(attention, fixed + mixed.serial * decode_kv / decodes)
        return self.linear(tokens) + attention + engine

    def stretch(self, decodes: int, decode_kv: int) -> tuple[float, float]:
        """(first, growth) of consecutive iterations that only decode the same sequences: iteration i takes
        first + i · growth seconds, k of them k · first + growth · k · (k - 1) / 2. ``decode_kv`` as in the first."""
        return self.iteration(decodes, decode_kv, ()), self.decode.kv * decodes

    def additive(self) -> Timing:
        """The same without any penalty: decodes cost beside prefill what they cost alone."""
        return replace(self, mixed=Mixed(self.decode.sequence, self.decode.kv, 0.0, 0.0, 0.0, 0.0))

    def scaled(self, factors: Mapping[str, float]) -> Timing:
        """The same with some of :data:`COEFFICIENTS` multiplied, to see what an order of policies depends on."""
        moved: dict[str, Any] = {n: tuple(factors.get(n, 1.0) * v for v in getattr(self, n)) for n in TABLES}
        return replace(self, **moved, **{part: self._moved(part, factors) for part in PARTS})

    def _moved(self, part: str, factors: Mapping[str, float]) -> Any:
        numbers = getattr(self, part)._asdict()
        return PARTS[part](**{n: factors.get(f"{part}.{n}", 1.0) * value for n, value in numbers.items()})


class Cache(NamedTuple):
    """The KV cache of one card: ``blocks`` of ``tokens`` tokens each, ``bytes`` a token. The count is pinned with the
    timing, never computed on the way: a few per cent of it decide whether an engine is overloaded."""

    blocks: int
    tokens: int
    bytes: int


def widths(model_name: str, card_name: str) -> tuple[int, ...]:
    """The tensor-parallel widths for which there are constants. Raises TaskError for unknown names."""
    return tuple(int(tp) for tp in _table()["entries"][model(model_name).name].get(card(card_name).name, {}))


def timing(model_name: str, card_name: str, tp: int = 1) -> Timing:
    """The timing of a model on ``tp`` cards. Raises TaskError for unknown names and for what does not fit."""
    entry = _entry(model_name, card_name, tp)
    grid = entry.get("tokens") or _table()["tokens"]
    fixed, sequence = _table()["host"]
    head = entry["head"]
    dense = spread_out(grid, entry["dense"])
    flat = (0.0,) * len(dense)
    return Timing(
        dense=dense,
        experts=spread_out(grid, entry["experts"]) if "experts" in entry else flat,
        links=spread_out(grid, entry["links"]) if "links" in entry else flat,
        decode=Decode(*entry["decode"]),
        prefill=Prefill(*entry["prefill"]),
        mixed=Mixed(*entry["mixed"]),
        engine=Engine(head[0] + fixed, head[1] + sequence),
        source=entry["source"],
    )


def kv_cache(model_name: str, card_name: str, tp: int = 1) -> Cache:
    """The KV cache of one of ``tp`` cards. Raises TaskError as :func:`timing` does."""
    entry = _entry(model_name, card_name, tp)
    return Cache(entry["blocks"], _table()["block"], model(model_name).kv_bytes(tp))


def spread_out(knots: Sequence[int], values: Sequence[float]) -> tuple[float, ...]:
    """A dense table with entries 0 … knots[-1], linear between the knots; below the first knot its value holds
    (an iteration of one token loads all weights), and entry 0 is 0."""
    table = [0.0] + [values[0]] * knots[0]
    for (low, start), (high, end) in pairwise(zip(knots, values, strict=True)):
        step = (end - start) / (high - low)
        table.extend(start + step * i for i in range(1, high - low + 1))
    return tuple(table)


def _entry(model_name: str, card_name: str, tp: int) -> dict[str, Any]:
    known = widths(model_name, card_name)
    if tp not in known:
        fits = f"tensor-parallel width {' or '.join(map(str, known))}" if known else "another card"
        raise TaskError(f"there is no timing for {model_name} on {tp} × {card_name}; choose {fits}")
    entry: dict[str, Any] = _table()["entries"][model_name][card_name][str(tp)]
    return entry


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found
