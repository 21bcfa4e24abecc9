"""The task ``serving``: how full the next iteration of an engine may get, and with whose prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from evaluators.registry import bind
from evaluators.serving.batching import catalogue, reader, referee, splits
from evaluators.serving.batching.instances import objective
from evaluators.serving.batching.problem import DECISION_SECONDS
from evaluators.serving.batching.simulator import simulate
from evaluators.serving.cards import CARDS
from evaluators.serving.models import MODELS
from evaluators.serving.timing import widths
from evaluators.task import (
    Baseline,
    Direction,
    InstanceSet,
    Interface,
    Option,
    ShippedScore,
    Split,
    TaskError,
    Value,
)

HERE = Path(__file__).parent


def _tokens(name: str, description: str, low: int) -> Value:
    return Value(name, "array", "int64", description, unit="tokens", low=low, length="n")


def _seconds(name: str, description: str, low: float | None = None) -> Value:
    return Value(name, "array", "float64", description, unit="s", low=low, length="n")


INTERFACE = Interface(
    function="fill",
    summary=(
        "An engine that serves a language model is about to start an iteration, in which every call that generates "
        "makes one token. Return for each call of the queue how many tokens the iteration may hold while tokens of its "
        "prompt are added. Many calls within their limits win."
    ),
    arguments=(
        _tokens("left", "tokens of each call that are still to be computed before its next token", low=1),
        _tokens("length", "tokens of each call in all, computed ones included", low=1),
        _tokens("computed", "tokens of each call that are computed; above 0 it has begun and holds a place", low=0),
        _seconds("waited", "time since each call arrived", low=0),
        _seconds("slack", "time until the next token of each call is due; below 0 it is late"),
        Value("decoding", "scalar", "int64", "calls that generate, a token each now", unit="tokens", low=0),
        Value("held", "scalar", "int64", "tokens in the cache of the calls that generate", unit="tokens", low=0),
        Value("free", "scalar", "int64", "tokens for which the cache has free blocks", unit="tokens", low=0),
        Value("capacity", "scalar", "int64", "tokens that the cache holds in all", unit="tokens", low=1),
        Value("places", "scalar", "int64", "calls that may still begin", unit="calls", low=0),
        Value("tbt", "scalar", "float64", "the shortest limit between tokens of those that generate", unit="s", low=0),
        Value("last_tokens", "scalar", "int64", "tokens of the last iteration, those of prompts and of calls that "
              "generated", unit="tokens", low=0),
        Value("last_seconds", "scalar", "float64", "how long the last iteration took", unit="s", low=0),
        Value("time", "scalar", "float64", "time since the simulation began", unit="s", low=0),
    ),
    returns=Value(
        "fill", "array", "float64", "tokens that the iteration may hold while this call is added", unit="tokens",
        length="n",
    ),
    facts=(
        "Calls are taken from the highest number to the lowest, of equal ones in the order of the queue. Each gets "
        "tokens until the iteration holds as many as its number says or nothing of its prompt is left.",
        "The iteration holds `decoding` tokens before the first call is taken, so a call with a number of at most that "
        "gets nothing now.",
        "The queue: calls that have begun in the order in which they did, then those that have not, as they arrived.",
        "Every reply is legal: what the budget of 4,608 tokens, the free cache or the places do not allow is cut off.",
        "A call within its limits has its first token in time (slack) and never waits longer than its limit for the "
        "next; an iteration that takes longer than that limit spoils every call that generates in it.",
        "An iteration takes a fixed time, longer with more tokens, with more calls that generate and with more held.",
        "A call that cannot be in time any more still has to be served, but it is worth nothing: it may come last.",
        "When the calls that generate find no free cache, the call that began last gives up its place and computes "
        "everything again; so it does where nothing generates and calls that have begun hold all of the cache.",
        "Sarathi-Serve returns one number for all, its chunk. Subtracting something for a call puts it behind others.",
        "When the engine has stood still for 20 s though calls wait, the policy is asked no more: they count as late.",
        "The arrays are read-only: compute new ones. The reply must be finite.",
        "The score is the share of calls within their limits in percent, at loads below and above what can be served.",
    ),
)  # fmt: skip


class Serving:
    """The task bound to its options: a policy task (:class:`evaluators.policy.PolicyTask`)."""

    name: str = "serving"
    summary: str = (
        "continuous batching with chunked prefill on a simulated GPU: whose prompts fill the next iteration, and how "
        "far; calls within their TTFT and TBT limits, in percent of the offered load"
    )
    direction: Direction = "maximize"
    unit: str = "%"
    measured: bool = False
    version: str = "1"
    interface: Interface = INTERFACE
    seeds: tuple[str, ...] = ("sarathi", "shortest-first")
    options: tuple[Option, ...] = (
        Option("gpu", "a100", "the card for your own traces", tuple(CARDS)),
        Option("model", "llama-2-7b", "the model for your own traces, on as few cards as hold it", tuple(MODELS)),
        Option("ttft", "1.0", "limit of the time to the first token for your own traces, s"),
        Option("tbt", "0.05", "limit of the time between two tokens for your own traces, s"),
    )  # fmt: skip
    adapter: Path = HERE / "simulator.py"
    memory: int = 192 * 2**20
    decision_limit: float = DECISION_SECONDS
    gate_blocks: int = splits.LOOK_BLOCKS

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)
        self._objective = objective(self._limit("ttft"), self._limit("tbt"))

    def _limit(self, name: str) -> float:
        given = self.settings[name]
        try:
            value = float(given) if given.isascii() and "_" not in given else math.nan
        except ValueError:
            value = math.nan
        if not 0.001 <= value <= 3600:
            raise TaskError(
                f"option {name}={given!r} of task {self.name!r} is not a number of seconds, 0.001 to 3600"
            )
        return value

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines()

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        """What is chosen for the user's own traces changes none of them."""
        return catalogue.shipped_scores(self.version, {o.name: o.default for o in self.options})

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged."""
        if split not in ("screen", "search", "gate", "final"):
            raise TaskError(
                f"task {self.name!r} has no split {split!r}; expected screen, search, gate or final"
            )
        return _assemble(split, splits.parts(split))

    def gate(self, block: int) -> InstanceSet:
        if not 0 <= block < self.gate_blocks:
            raise TaskError(
                f"task {self.name!r} has no gate block {block}; expected 0 to {self.gate_blocks - 1}"
            )
        return _assemble(f"gate-{block}", (f"look-{block}",))

    def read(self, path: Path) -> InstanceSet:
        """The user's own trace, for the card, the model and the limits of the options."""
        model, card = self.settings["model"], self.settings["gpu"]
        fitting = widths(model, card)
        if not fitting:
            raise TaskError(f"there is no timing for {model} on {card}; choose another card")
        return reader.read(path, model, card, min(fitting), self._objective)

    simulate = staticmethod(simulate)
    judge = staticmethod(referee.judge)
    figures = staticmethod(referee.figures)
    replayed_figures = staticmethod(referee.replayed_figures)


@cache
def _assemble(name: str, parts: tuple[str, ...]) -> InstanceSet:
    return InstanceSet(name, tuple(i for part in parts for i in splits.load(part)))
