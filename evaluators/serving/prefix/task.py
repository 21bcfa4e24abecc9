"""The task ``serving-prefix``: which of the calls that wait begins next, where prompts share prefixes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evaluators.serving.core.calls import Request
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode.referee import Referee
from evaluators.serving.episode.task import ServingTask
from evaluators.serving.episode.workload import instance
from evaluators.serving.prefix.instances import DECISION_SECONDS, make, problem
from evaluators.serving.prefix.simulator import SHOWN, Ordering, simulate
from evaluators.serving.prefix.splits import part
from evaluators.serving.trace import PREFIX_BLOCK
from evaluators.splits import Splits
from evaluators.task import Baseline, Instance, Interface, Value

HERE = Path(__file__).parent


def _tokens(name: str, description: str, low: int = 0) -> Value:
    return Value(name, "array", "int64", description, unit="tokens", low=low, length="n")


def _one(name: str, description: str, unit: str = "tokens", low: int | None = 0) -> Value:
    return Value(name, "scalar", "int64", description, unit=unit, low=low)


INTERFACE = Interface(
    function="order",
    summary=(
        "An engine that serves a language model keeps prefixes of prompts in its cache as long as there is room. "
        "Return a number for each call that waits: the highest begins next. Many calls within their limits win."
    ),
    arguments=(
        _tokens("left", "tokens of each call that are to be computed if it begins now", low=1),
        _tokens("length", "tokens of each call in all", low=1),
        _tokens("cached", "tokens at the beginning of each call that are in the cache: length - left"),
        _tokens("coming", "tokens behind those that calls which have begun are computing: soon in the cache"),
        Value("sharing", "array", "int64", "how many of the waiting calls have the common prefix of each, itself "
              "among them", unit="calls", low=1, length="n"),
        _tokens("common", "tokens of the prefix that each shares with calls that have come, cached or not; 0: none"),
        Value("waited", "array", "float64", "time since each call arrived", unit="s", low=0, length="n"),
        Value("slack", "array", "float64", "time until its next token is due, in a batch until the deadline of all; "
              "below 0 it is late", unit="s", length="n"),
        _one("room", "tokens of the next iteration that are left for calls that begin", low=1),
        _one("decoding", "calls that generate, a token each in an iteration", "calls"),
        _one("held", "tokens in the cache of the calls that generate"),
        _one("free", "tokens for which the cache has free blocks, those of prefixes that no call uses among them, less "
             "what calls that have begun still need"),
        _one("capacity", "tokens that the cache holds in all", low=1),
        _one("online", "1 where calls keep coming, each with a limit of its own; 0 in a batch, where all are there and "
             "one deadline holds for all", "flag"),
        Value("time", "scalar", "float64", "time since the simulation began", unit="s", low=0),
    ),
    returns=Value("order", "array", "float64", "the call with the highest number begins next", length="n"),
    facts=(
        "Calls begin from the highest number to the lowest, of equal ones in the order of the queue (as they arrived), "
        "while the next iteration has room (512 tokens, of which those that generate take one each) and the whole "
        "prompt fits into the cache; the first that does not fit waits, and with it those behind it.",
        "A call that has begun goes on until it ends; the order decides nothing about it any more.",
        "A prefix stays in the cache while a call uses it, and then until its blocks are needed: the one that was used "
        "longest ago goes first. A call that finds its prefix there computes only what is left.",
        "Calls that begin together do not find what the other computes; one that begins after it does (coming).",
        "A prefix that several running calls share is held once, so that more calls run at the same time.",
        "common: of a call's prefixes the one with the most tokens saved a call if it was computed once for all calls "
        "that have come so far, ended ones as well; sharing: how many of those that wait have it.",
        f"Shown are the first {SHOWN} calls of the queue, where at least two wait and one could begin.",
        "Online a call counts when its first token comes in time (slack); in a batch when it has ended by the "
        "deadline: what is not done by then is worth nothing, and short calls count as much as long ones.",
        "How long a call will generate is not known. A call that cannot be in time any more is worth nothing: it may "
        "come last.",
        "When the calls that generate find no free cache, the call that began last gives up its place and waits again.",
        "The arrays are read-only: compute new ones. The reply must be finite.",
        "The score is the share of calls within their limits in percent, at loads below and above what can be served.",
    ),
)  # fmt: skip


class ServingPrefix(ServingTask):
    """The task bound to its options."""

    name = "serving-prefix"
    summary = (
        "which call begins next on a simulated GPU whose cache keeps shared prefixes of prompts, in batches and "
        "online; calls within their limits, in percent of the offered load"
    )
    version = "1"
    interface = INTERFACE
    seeds = ("batchllm", "shortest-first")
    decision_limit = DECISION_SECONDS
    home = HERE
    splits = Splits(
        "serving-prefix", HERE / "data" / "manifest.json", lambda name: tuple(map(make, part(name)))
    )
    referee = Referee(lambda problem, _: Ordering(problem))
    reference = Baseline(
        "clairvoyant",
        "reference",
        "knows output lengths and iteration times, takes the best of twelve orders in hindsight and improves it "
        "(evaluators.serving.prefix.clairvoyant)",
    )
    simulate = staticmethod(simulate)

    def own(
        self, id_: str, engine: Engine, requests: tuple[Request, ...], objectives: tuple[Objective, ...]
    ) -> Instance:
        served_by = replace(engine, span=PREFIX_BLOCK // engine.block)
        return instance(id_, "mine", problem(served_by, requests, objectives), DECISION_SECONDS)
