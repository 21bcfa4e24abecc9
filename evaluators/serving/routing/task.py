"""The task ``serving-routing``: which engine gets a call, and which calls go on elsewhere."""

from __future__ import annotations

from pathlib import Path

from evaluators.serving.episode.referee import Referee
from evaluators.serving.episode.task import ClusterTask
from evaluators.serving.routing.instances import DECISION_SECONDS, make, problem
from evaluators.serving.routing.simulator import HOOKS, Routing, simulate
from evaluators.serving.routing.splits import part
from evaluators.splits import Splits
from evaluators.task import Baseline, Interface, Value

HERE = Path(__file__).parent


def _each(name: str, dtype: str, description: str, unit: str, low: float | None = 0, of: str = "n") -> Value:
    """An array with an entry for each instance, or for each call."""
    return Value(name, "array", "int64" if dtype == "int" else "float64", description, unit, low, length=of)


STATE = (
    _each("queued", "int", "prompt tokens of each instance that are still to be computed", "tokens"),
    _each("waiting", "int", "calls of each instance that have not begun", "calls"),
    _each("running", "int", "calls of each instance that have begun or are on their way to it", "calls"),
    _each("high", "int", "calls of each instance with a high priority, waiting ones included", "calls"),
    _each("free", "int", "tokens for which each instance has free cache, beside what it needs next", "tokens"),
    _each("capacity", "int", "tokens that the cache of each instance holds in all", "tokens", 1),
    _each("speed", "float", "prompt tokens that each instance computes a second, doing nothing else", "tokens/s"),
    _each("pace", "float", "how long the last iteration of each instance took", "s"),
    Value("time", "scalar", "float64", "time since the simulation began", unit="s", low=0),
)  # fmt: skip
MIGRATE = Interface(
    function="migrate",
    summary=(
        "Asked once a second. Return for each call that generates the number of the instance where it should go on; "
        "its own to let it stay."
    ),
    arguments=(
        _each("at", "int", "number of the instance where each call is", "", of="c"),
        _each("held", "int", "tokens that each call holds in the cache", "tokens", 1, of="c"),
        _each("generated", "int", "tokens that each call has generated", "tokens", 1, of="c"),
        _each("priorities", "int", "1 for a call with a high priority, 0 for another", "", of="c"),
        _each("head", "int", "tokens of the first waiting call of each instance; 0 where none waits", "tokens"),
        *STATE,
    ),
    returns=_each("to", "int", "number of the instance where each call should be", "", None, of="c"),
    facts=(
        "Calls that are on their way already are not among them.",
        "A call goes on generating while its cache is copied, and stops for the last tokens alone.",
        "In the order of the calls, at most two leave an instance in a round, and only where there are a place and "
        "free cache; the others stay. A number that is no instance means that the call stays.",
    ),
    absent="every call ends where it began.",
)  # fmt: skip
INTERFACE = Interface(
    function="route",
    summary=(
        "A call has come to a cluster of engines that serve the same language model. Return a number for each "
        "instance: the highest gets the call. Many calls within their limits win."
    ),
    arguments=(
        Value("prompt", "scalar", "int64", "tokens of the call's prompt", unit="tokens", low=1),
        Value("priority", "scalar", "int64", "1 for a call with a high priority, 0 for another", low=0, high=1),
        Value("ttft", "scalar", "float64", "within what time its first token is due", unit="s", low=0),
        Value("tbt", "scalar", "float64", "within what time each further token is due", unit="s", low=0),
        *STATE,
    ),
    returns=_each("rank", "float", "the highest number gets the call, of equal ones the first", "", None),
    facts=(
        "An instance serves its queue as the calls came: an iteration makes a token for each call that generates and "
        "computes up to 512 tokens in all, the rest of them of prompts.",
        "The first call of a queue begins when the free cache holds its whole prompt; those behind it wait as long. It "
        "then holds its prompt and all that it has generated, and nobody knows how much that will be.",
        "When the calls that generate find no free cache, the call that began last gives up its place and computes "
        "everything again, which takes longer than any limit between tokens allows.",
        "An iteration takes longer with more tokens, with more calls that generate and with more held; cards differ.",
        "Calls come in bursts.",
        "A call that cannot be in time any more still has to be served, but it is worth nothing.",
        "Llumnix takes the instance with the most (free - queued) for each of its calls.",
        "The arrays are read-only: compute new ones. The reply must be finite.",
        "The score is the share of calls within their limits in percent, at loads below and above what can be served.",
    ),
    hooks=(MIGRATE,),
)  # fmt: skip


class ServingRouting(ClusterTask):
    """The task bound to its options."""

    name = "serving-routing"
    summary = (
        "routing to several simulated engines, and live migration between them: which one serves a call; calls within "
        "their TTFT and TBT limits, in percent of the offered load"
    )
    version = "1"
    interface = INTERFACE
    seeds = ("freest", "llumnix")
    decision_limit = DECISION_SECONDS
    home = HERE
    splits = Splits(
        "serving-routing", HERE / "data" / "manifest.json", lambda name: tuple(map(make, part(name)))
    )
    referee = Referee(Routing, HOOKS)
    reference = Baseline(
        "clairvoyant",
        "reference",
        "knows output lengths and iteration times, and takes the best of several orders in hindsight "
        "(evaluators.serving.routing.clairvoyant)",
    )
    simulate = staticmethod(simulate)
    problem = staticmethod(problem)
