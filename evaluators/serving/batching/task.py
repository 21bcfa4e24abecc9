"""The task ``serving``: how full the next iteration of an engine may get, and with whose prompts."""

from __future__ import annotations

from pathlib import Path

from evaluators.serving.batching.instances import DECISION_SECONDS, make, problem
from evaluators.serving.batching.simulator import Filling, simulate
from evaluators.serving.batching.splits import part
from evaluators.serving.core.calls import Request
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode.referee import Referee
from evaluators.serving.episode.task import ServingTask
from evaluators.serving.episode.workload import instance
from evaluators.splits import Splits
from evaluators.task import Baseline, Instance, Interface, Value

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


class Serving(ServingTask):
    """The task bound to its options."""

    name = "serving"
    summary = (
        "continuous batching with chunked prefill on a simulated GPU: whose prompts fill the next iteration, and how "
        "far; calls within their TTFT and TBT limits, in percent of the offered load"
    )
    version = "2"
    interface = INTERFACE
    seeds = ("sarathi", "shortest-first")
    decision_limit = DECISION_SECONDS
    home = HERE
    splits = Splits("serving", HERE / "data" / "manifest.json", lambda name: tuple(map(make, part(name))))
    referee = Referee(lambda problem, _: Filling(problem))
    reference = Baseline(
        "clairvoyant",
        "reference",
        "knows output lengths and iteration times, and takes the best of four orders in hindsight "
        "(evaluators.serving.batching.clairvoyant)",
    )
    simulate = staticmethod(simulate)

    def own(
        self, id_: str, engine: Engine, requests: tuple[Request, ...], objectives: tuple[Objective, ...]
    ) -> Instance:
        return instance(id_, "mine", problem(engine, requests, objectives), DECISION_SECONDS)
