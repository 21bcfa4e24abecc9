"""The task ``serving-admission``: how many of the calls that wait for an engine may begin."""

from __future__ import annotations

from pathlib import Path

from evaluators.serving.admission.instances import DECISION_SECONDS, make, problem
from evaluators.serving.admission.simulator import Admitting, simulate
from evaluators.serving.admission.splits import part
from evaluators.serving.core.calls import Request
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode.referee import Referee
from evaluators.serving.episode.task import ServingTask
from evaluators.serving.episode.workload import instance
from evaluators.splits import Splits
from evaluators.task import Baseline, Instance, Interface, Option, Value

HERE = Path(__file__).parent


def _tokens(name: str, description: str, length: str, low: int = 0) -> Value:
    return Value(name, "array", "int64", description, unit="tokens", low=low, length=length)


def _number(name: str, description: str, unit: str = "tokens", low: int = 0) -> Value:
    return Value(name, "scalar", "int64", description, unit=unit, low=low)


INTERFACE = Interface(
    function="admit",
    summary=(
        "An engine that serves a language model is short of cache. Return how many of the first waiting calls may "
        "begin now. Too few, and those that wait get their first token late; too many, and the cache overflows while "
        "they generate, so that calls lose what they have computed. Many calls within their limits win."
    ),
    arguments=(
        _tokens("length", "tokens of each waiting call that must be computed before its next token", "n", low=1),
        _tokens("done", "tokens that each of them generated before it lost its cache; 0: it is new", "n"),
        Value("slack", "array", "float64", "time until the next token of each of them is due; below 0: late", unit="s",
              length="n"),
        _tokens("held", "tokens of each running call in the cache; of its whole prompt while that is computed", "r",
                low=1),
        _tokens("generated", "tokens that each running call has generated", "r"),
        _tokens("past_prompts", "prompt of each of the last 200 calls that ended, the newest last", "h", low=1),
        _tokens("past_outputs", "tokens that each of those generated in all", "h", low=1),
        _number("waiting", "calls that wait; the arrays show the first 32", "calls", low=1),
        _number("pending", "tokens of running calls' prompts that are still to be computed"),
        _number("free", "tokens for which the cache has free blocks, pending ones not taken off"),
        _number("capacity", "tokens that the cache holds in all", low=1),
        _number("places", "calls that may still begin before 128 run", "calls", low=1),
        _number("longest", "tokens that a call may generate at most", low=1),
        Value("last_seconds", "scalar", "float64", "how long the last iteration took", unit="s", low=0),
        Value("time", "scalar", "float64", "time since the simulation began", unit="s", low=0),
    ),
    returns=Value("begin", "scalar", "int64", "how many of the waiting calls may begin, the first ones", unit="calls"),
    facts=(
        "Calls are served first come, first served: none can be skipped. Those that lost their cache come first.",
        "In each iteration every running call whose prompt is computed makes a token, which takes a token of cache; "
        "beside them the prompts are computed, 512 tokens an iteration in all.",
        "When no block is free for the next tokens, the call that began last loses its cache and its place. It waits "
        "again, and begins by computing its prompt and all that it had generated. The wait almost always spoils it.",
        "A call within its limits has its first token in time (slack) and never waits longer than its limit for the "
        "next.",
        "Nobody knows how long an output gets, up to `longest`. `past_outputs` are outputs of calls that ended; long "
        "ones end later, so they are missing at first. Prompt and output go together a little.",
        "The memory of what runs has a peak in the future: everything grows by a token an iteration until it ends.",
        "You are asked when calls wait and one could begin: when a call comes or ends, in each iteration while some "
        "begin, and after 32 iterations at the latest. A call that you let begin and that the iteration has no room "
        "for goes on waiting, and you are asked again.",
        "Every number is legal: what does not wait, does not fit or has no place does not begin; below 0 is 0.",
        "The mix of calls may change with time. `done` and `generated` count a call's tokens from its first.",
        "When the engine has stood still for 20 s though calls wait, the policy is asked no more: they count as late.",
        "The arrays are read-only: compute new ones. With nothing running, `held` and `generated` are empty.",
        "The score is the share of calls within their limits in percent, at loads below and above what can be served.",
    ),
)  # fmt: skip


class Admission(ServingTask):
    """The task bound to its options."""

    name = "serving-admission"
    summary = (
        "admission to a simulated engine that is short of cache: how many waiting calls may begin; calls within their "
        "TTFT and TBT limits, in percent of the offered load"
    )
    version = "1"
    interface = INTERFACE
    seeds = ("past-future", "aggressive")
    options = (
        *ServingTask.options[:2],
        Option("ttft", "10.0", "limit of the time to the first token for your own traces, s"),
        Option("tbt", "0.3", "limit of the time between two tokens for your own traces, s"),
    )
    decision_limit = DECISION_SECONDS
    home = HERE
    splits = Splits(
        "serving-admission", HERE / "data" / "manifest.json", lambda name: tuple(map(make, part(name)))
    )
    referee = Referee(lambda problem, _: Admitting(problem))
    reference = Baseline(
        "clairvoyant",
        "reference",
        "knows output lengths: a call begins when the cache holds all that run to their ends "
        "(evaluators.serving.admission.clairvoyant)",
    )
    simulate = staticmethod(simulate)

    def own(
        self, id_: str, engine: Engine, requests: tuple[Request, ...], objectives: tuple[Objective, ...]
    ) -> Instance:
        longest = 1 << (max(r.output for r in requests) - 1).bit_length()
        return instance(id_, "mine", problem(engine, requests, objectives, longest), DECISION_SECONDS)
