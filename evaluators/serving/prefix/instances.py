"""Seeded instances: batches that are there from the beginning, and calls that keep coming, of prompts that share
prefixes.

``SATURATION`` is where a workload and an engine meet: calls a second of which the rule ``share-of-prefix``, as
published, keeps nine of ten in time, of 80. Online that is the rate at which they arrive, of a batch their number over
its deadline. Loads are shares of it, so that a load means the same everywhere.
"""

from __future__ import annotations

from dataclasses import replace

from evaluators.serving import workloads
from evaluators.serving.core.calls import Request
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine, Scenario
from evaluators.serving.episode.problem import Problem
from evaluators.serving.episode.specs import Spec
from evaluators.serving.episode.workload import UNTIL, engine, from_trace, instance, objective
from evaluators.serving.prefix import batches
from evaluators.serving.trace import PREFIX_BLOCK, Trace
from evaluators.task import Instance

DECISION_SECONDS = 0.001
"""Processor time of a decision, s."""
TTFT = {"chat": 3.0, "synthetic": 2.0, "tools": 1.0}
FASTER = {"h100": 0.4}
TBT = 0.5
"""Limits online, s, that of the first token times so much where the card is faster. Chunks are the engine's, so that
only a call that loses its place waits long between tokens."""
NEVER = 3600.0
"""The limit between tokens in a batch, s: there is none."""
LONGEST = 8192
"""Tokens of prompt and output together, of Mooncake's."""
BATCHES = ("documents", "samples", "tree")
ONLINE = {"chat": "mooncake-conversation", "synthetic": "mooncake-synthetic", "tools": "tools"}

CACHE = {
    "documents": 12_000, "samples": 10_000, "tree": 12_000, "tools": 24_000, "chat": 80_000, "synthetic": 80_000,
}  # fmt: skip
"""Tokens of cache that a workload has. They are a part of the card's: 80 calls in it stand for the thousands that would
fill all of it."""
ENGINES: dict[str, tuple[str, str, int]] = {
    "qwen3-a100": ("qwen3-32b", "a100", 1),
    "qwen3-h100": ("qwen3-32b", "h100", 1),
    "qwen3-l40s": ("qwen3-32b", "l40s", 2),
    "llama2-l40s": ("llama-2-7b", "l40s", 1),
    "llama70-l40s": ("llama-3.1-70b", "l40s", 4),
    "llama2-a100": ("llama-2-7b", "a100", 1),
    "llama3-l40s": ("llama-3.1-8b", "l40s", 1),
    "mistral-a100": ("mistral-7b", "a100", 1),
    "llama2-h100": ("llama-2-7b", "h100", 1),
    "llama3-h100": ("llama-3.1-8b", "h100", 1),
}
"""Model, card, cards."""
SATURATION: dict[tuple[str, str], float] = {
    ("chat", "llama2-a100"): 2.52, ("chat", "llama2-h100"): 6.2, ("chat", "llama3-h100"): 9.55,
    ("chat", "llama3-l40s"): 2.84, ("chat", "mistral-a100"): 2.93, ("documents", "llama2-l40s"): 3.59,
    ("documents", "llama70-l40s"): 1.69, ("documents", "qwen3-a100"): 2.23, ("documents", "qwen3-h100"): 5.13,
    ("documents", "qwen3-l40s"): 2.22, ("samples", "llama2-l40s"): 2.02, ("samples", "llama70-l40s"): 1.06,
    ("samples", "qwen3-a100"): 1.37, ("samples", "qwen3-h100"): 2.82, ("samples", "qwen3-l40s"): 1.28,
    ("synthetic", "llama2-h100"): 6.51, ("synthetic", "llama3-h100"): 8.87, ("synthetic", "llama3-l40s"): 4.89,
    ("synthetic", "mistral-a100"): 5.17, ("tools", "llama2-a100"): 8.52, ("tools", "llama2-h100"): 17.2,
    ("tools", "llama3-h100"): 26.6, ("tools", "llama3-l40s"): 8.05, ("tools", "mistral-a100"): 12.5,
    ("tree", "llama2-l40s"): 2.37, ("tree", "llama70-l40s"): 1.25, ("tree", "qwen3-h100"): 3.54,
    ("tree", "qwen3-l40s"): 1.57,
}  # fmt: skip


def make(spec: Spec) -> Instance:
    """The instance of a specification."""
    model, card, cards = ENGINES[spec.engine]
    whole = engine(model, card, cards, LONGEST)
    trace, span = _trace(ONLINE.get(spec.workload, spec.workload), spec.calls, spec.seed)
    served_by = replace(whole, blocks=CACHE[spec.workload] // whole.block, span=span // whole.block)
    rate = SATURATION[spec.workload, spec.engine] * spec.load / 100
    if spec.workload in BATCHES:
        trace = replace(trace, arrivals=(0.0,) * len(trace))
        limits = objective(len(trace) / rate, NEVER)
    else:
        trace = trace.at_rate(rate)
        limits = objective(TTFT[spec.workload] * FASTER.get(card, 1.0), TBT)
    return instance(spec.id, spec.group, problem(served_by, from_trace(trace), (limits,)), DECISION_SECONDS)


def _trace(name: str, calls: int, seed: int) -> tuple[Trace, int]:
    """The calls of a workload, and tokens that a prefix id stands for."""
    if name in batches.SHAPES:
        return batches.generate(name, calls, seed), batches.SPAN
    return workloads.generate(name, calls, seed, rate=1.0, variation=1.0, longest=LONGEST), PREFIX_BLOCK


def problem(served_by: Engine, calls: tuple[Request, ...], objectives: tuple[Objective, ...]) -> Problem:
    """One engine with a prefix cache serves calls. Those that all come at once are a batch, whose limit of the first
    token is the deadline of everything, and the end. The log has room for some decisions a call (one where it begins,
    one where an end or an arrival lets none begin); once it is used up the queue is taken as it stands."""
    batch = calls[0].arrival == calls[-1].arrival
    until = objectives[0].ttft if batch else UNTIL
    return Problem(Scenario((served_by,), calls, until=until), objectives, 12 * len(calls) + 100)
