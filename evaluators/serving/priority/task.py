"""The task ``serving-priority``: the order in which an engine serves the calls that wait."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from evaluators.serving.core.calls import Request
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode.referee import Referee
from evaluators.serving.episode.task import ServingTask
from evaluators.serving.episode.workload import instance
from evaluators.serving.priority.hosts import HOSTS
from evaluators.serving.priority.instances import DECISION_SECONDS, TTFT, make, problem
from evaluators.serving.priority.simulator import Ranking, simulate
from evaluators.serving.priority.splits import part
from evaluators.splits import Splits
from evaluators.task import Baseline, Instance, Interface, Option, Value

HERE = Path(__file__).parent


def _each(
    name: str, dtype: Literal["int64", "float64"], description: str, unit: str, low: float | None = 0
) -> Value:
    return Value(name, "array", dtype, description, unit, low, length="n")


INTERFACE = Interface(
    function="rank",
    summary=(
        "Calls wait for an engine that serves a language model. Return a number for each: the highest is served first. "
        "Many calls within their limits win."
    ),
    arguments=(
        _each("age", "float64", "time since each call arrived", "s"),
        _each("prompt", "int64", "tokens of its prompt", "tokens", 1),
        _each("generated", "int64", "tokens that it generated before it lost its cache; 0: it is new", "tokens"),
        _each("most", "int64", "tokens that it may generate at most, as its sender wants (max_tokens)", "tokens", 1),
        _each("priority", "int64", "its class: 0 (urgent), 1 or 2 (can wait)", ""),
        _each("preemptions", "int64", "how often it lost its cache", ""),
    ),
    returns=_each("rank", "float64", "the highest is served first, of equal ones the first of the queue", "", None),
    facts=(
        f"The first token of a call is due after {TTFT[0]:g} s in class 0, {TTFT[1]:g} s in class 1 and {TTFT[2]:g} s "
        "in class 2; each counts alike.",
        "A call that cannot be in time any more still has to be served, but it is worth nothing: it may come last.",
        "An iteration makes a token for each call that generates, and computes 512 tokens in all, the rest of them of "
        "prompts: first of calls that have begun, then of waiting ones in your order. A prompt of 2,000 tokens takes "
        "four iterations and more.",
        "A call begins when the free cache holds its whole prompt; the one that is next waits as long, and all behind "
        "it do. Then it holds its prompt and all that it has generated until it ends. When no cache is free, the call "
        "that began last loses its own, waits again, and computes everything anew.",
        "Nobody knows how long an output gets. Of `most`, half of the senders write a power of two somewhat above it, "
        "the others the largest there is.",
        "You see what vLLM knows of a request, and nothing of the engine: a winner runs there as a scheduler.",
        "You are asked when several calls wait and one of them could begin. The queue: those that lost their cache, "
        "then as they came.",
        "Subtracting something for a call puts it behind others; cards differ, so seconds a token differ.",
        "The arrays are read-only: compute new ones. The reply must be finite.",
        "The score is the share of calls within their limits in percent, at loads at which not all can be in time.",
    ),
)  # fmt: skip


class ServingPriority(ServingTask):
    """The task bound to its options."""

    name = "serving-priority"
    summary = (
        "the order in which a simulated engine serves waiting calls of three classes, by what vLLM knows of a request; "
        "calls within their TTFT and TBT limits, in percent of the offered load"
    )
    version = "1"
    interface = INTERFACE
    seeds = ("deadline-drop", "shortest-prompt")
    options = (
        *ServingTask.options[:2],
        Option("ttft", "1.0", "limit of the time to the first token for your own traces, s"),
        Option("tbt", "0.5", "limit of the time between two tokens for your own traces, s"),
    )
    decision_limit = DECISION_SECONDS
    home = HERE
    hosts = HOSTS
    splits = Splits(
        "serving-priority", HERE / "data" / "manifest.json", lambda name: tuple(map(make, part(name)))
    )
    referee = Referee(lambda _, __: Ranking())
    reference = Baseline(
        "clairvoyant",
        "reference",
        "knows output lengths and how long a prompt takes, and takes the best of several orders in hindsight "
        "(evaluators.serving.priority.clairvoyant)",
    )
    simulate = staticmethod(simulate)

    def own(
        self, id_: str, engine: Engine, requests: tuple[Request, ...], objectives: tuple[Objective, ...]
    ) -> Instance:
        return instance(id_, "mine", problem(engine, requests, objectives), DECISION_SECONDS)
