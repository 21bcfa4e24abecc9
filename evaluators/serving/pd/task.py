"""The task ``serving-pd``: which engines compute prompts alone and which generate, while the mix of calls drifts."""

from __future__ import annotations

from pathlib import Path

from evaluators.serving.episode.referee import Referee
from evaluators.serving.episode.task import ClusterTask
from evaluators.serving.pd.instances import DECISION_SECONDS, make, problem
from evaluators.serving.pd.simulator import HOOKS, Roles, simulate
from evaluators.serving.pd.splits import part
from evaluators.splits import Splits
from evaluators.task import Baseline, Interface, Value

HERE = Path(__file__).parent


def _each(name: str, dtype: str, description: str, unit: str, low: float | None = 0) -> Value:
    """An array with an entry for each instance."""
    return Value(name, "array", "int64" if dtype == "int" else "float64", description, unit, low, length="n")


STATE = (
    _each("prefill", "int", "1 for an instance that is for prefill alone, 0 for one that generates", ""),
    _each("queued", "int", "prompt tokens of each instance that are still to be computed", "tokens"),
    _each("waiting", "int", "calls of each instance whose prompts have not begun", "calls"),
    _each("running", "int", "calls that generate on each instance, are on their way to it or wait for room", "calls"),
    _each("online", "int", "calls that generate on each instance and are online", "calls"),
    _each("free", "int", "free cache of each, beside what it needs next and what waits for room there", "tokens"),
    _each("capacity", "int", "tokens that the cache of each instance holds in all", "tokens", 1),
    _each("speed", "float", "prompt tokens that each instance computes a second, doing nothing else", "tokens/s"),
    _each("late", "float", "how long the oldest online call of each has waited for its first token", "s"),
    _each("tpot", "float", "how long an iteration of the calls that generate there takes, without prompts", "s"),
    Value("ttft", "scalar", "float64", "within what time the first token of an online call is due", unit="s", low=0),
    Value("tbt", "scalar", "float64", "within what time each further token of an online call is due", unit="s", low=0),
    Value("time", "scalar", "float64", "time since the simulation began", unit="s", low=0),
)  # fmt: skip
KIND = Value("kind", "scalar", "int64", "1 for an online call, 0 for an offline one", low=0, high=1)
ROUTE = Interface(
    function="route",
    summary="A call has come. Return a number for each instance: the highest computes its prompt.",
    arguments=(
        Value("prompt", "scalar", "int64", "tokens of the call's prompt", unit="tokens", low=1),
        KIND,
        *STATE,
    ),
    returns=_each("rank", "float", "the highest number gets the call, of equal ones the first", "", None),
    facts=(
        "On an instance that is not for prefill alone the call goes on where its prompt was computed, and every chunk "
        "of the prompt makes the calls wait that generate there.",
    ),
    absent="a prompt goes to the instance for prefill alone that has computed its queue first.",
)  # fmt: skip
HAND = Interface(
    function="hand",
    summary=(
        "The prompt of a call has been computed on an instance for prefill alone. Return a number for each instance: "
        "the highest of those that generate, and of its own, takes it on."
    ),
    arguments=(
        Value("held", "scalar", "int64", "tokens that the call holds in the cache", unit="tokens", low=1),
        KIND,
        Value("at", "scalar", "int64", "number of the instance where it is", low=0),
        *STATE,
    ),
    returns=_each("rank", "float", "the highest number gets the call, of equal ones the first", "", None),
    facts=(
        "Its cache goes over the network; where there is no room the call waits for it, and holds its cache meanwhile.",
        "On its own instance it generates beside prompts, and waits for every chunk of them.",
    ),
    absent="the instance that generates and has the most free cache takes it on.",
)  # fmt: skip
INTERFACE = Interface(
    function="roles",
    summary=(
        "Engines that serve the same language model: some compute prompts alone and hand calls over, the others "
        "generate. Asked twice a second. Return a number for each instance: above 0 it is for prefill alone. Many "
        "calls within their limits win."
    ),
    arguments=STATE,
    returns=_each("role", "float", "above 0: for prefill alone; else it generates", "", None),
    facts=(
        "The mix drifts: for a while calls have long prompts and short outputs, then short prompts and long outputs.",
        "An iteration holds up to 1,024 tokens: one for each call that generates, the rest of prompts. A full one "
        "mostly takes longer than the limit between tokens allows, so calls that generate beside prompts are late.",
        "An instance that turns to prefill keeps its generating calls, and each of them waits for its chunks.",
        "An instance that turns to generate first computes the prompts that it has; those calls go on there.",
        "A call holds its prompt and all that it has generated, and nobody knows how long its output gets. When the "
        "calls that generate find no free cache, the one that began last computes everything again, in the way of all.",
        "Offline calls have limits of many seconds, count as much as others, and lose their places to online ones.",
        "Where all are above 0 the lowest generates. Where none is, every instance computes its own prompts.",
        "The arrays are read-only: compute new ones. The reply must be finite.",
        "The score is the share of calls within their limits in percent, at loads below and above what can be served.",
    ),
    hooks=(ROUTE, HAND),
)  # fmt: skip


class ServingPd(ClusterTask):
    """The task bound to its options."""

    name = "serving-pd"
    summary = (
        "the roles of simulated engines, prefill or decode, while the mix of online and offline calls drifts; calls "
        "within their TTFT and TBT limits, in percent of the offered load"
    )
    version = "1"
    interface = INTERFACE
    seeds = ("pressure", "xllm")
    decision_limit = DECISION_SECONDS
    home = HERE
    splits = Splits("serving-pd", HERE / "data" / "manifest.json", lambda name: tuple(map(make, part(name))))
    referee = Referee(Roles, HOOKS)
    reference = Baseline(
        "clairvoyant",
        "reference",
        "knows which calls will come, their outputs and iteration times, and takes the best of several orders in "
        "hindsight (evaluators.serving.pd.clairvoyant)",
    )
    simulate = staticmethod(simulate)
    problem = staticmethod(problem)
