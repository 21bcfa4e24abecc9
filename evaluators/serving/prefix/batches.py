"""Seeded calls in groups that share a prefix: documents with several questions, prompts that are sampled several times,
tools that many calls describe alike.

No public trace of offline batches is known to us: every number here is an assumption, in the manner of BatchLLM's
workloads (Zheng et al. 2024, "BatchLLM: optimizing large batched LLM inference with global prefix sharing and
throughput-oriented token batching"). Lengths are drawn between the least and the most of a shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as numbers

import numpy as np

from evaluators import bits
from evaluators.serving.chance import gamma, uniform
from evaluators.serving.trace import Trace

SPAN = 128
"""Tokens that a prefix id stands for: eight blocks."""
Range = tuple[int, int]


@dataclass(frozen=True)
class Shape:
    """What the groups of a workload are like: calls of a group, tokens of its prefix, of what each call adds to it, and
    of its output, (least, most) each; ``common`` tokens are the beginning of all prompts."""

    sharers: Range
    prefix: Range
    own: Range
    output: Range
    common: int = 0


SHAPES: dict[str, Shape] = {
    "documents": Shape((2, 14), (1024, 5120), (40, 240), (16, 200)),
    "samples": Shape((3, 12), (512, 2048), (8, 64), (100, 500)),
    "tree": Shape((2, 12), (512, 3584), (60, 400), (20, 300), common=768),
    "tools": Shape((2, 16), (1024, 4096), (50, 500), (30, 200)),
}


def generate(name: str, count: int, seed: int) -> Trace:
    """``count`` requests of a shape in an order by chance; gaps between arrivals are exponential with mean 1 s."""
    shape = SHAPES[name]
    stream = bits.stream(seed, sorted(SHAPES).index(name))
    groups = _groups(shape, count, stream)
    own, output, place = (uniform(bits.stream(stream, n), count) for n in (2, 3, 4))
    fresh = numbers(shape.common // SPAN)
    starts: dict[int, list[int]] = {}
    prompts, prefixes = [], []
    for (group, prefix), u in zip(groups, own.tolist(), strict=True):
        shared = (shape.common + prefix) // SPAN
        if group not in starts:
            starts[group] = [*range(shape.common // SPAN)]
            starts[group] += [next(fresh) for _ in range(shared - len(starts[group]))]
        prompt = shape.common + prefix + _between(shape.own, u)
        prompts.append(prompt)
        prefixes.append((*starts[group], *(next(fresh) for _ in range(prompt // SPAN - shared))))
    outputs = [_between(shape.output, u) for u in output.tolist()]
    order = np.argsort(place, kind="stable").tolist()
    times = np.cumsum(gamma(bits.stream(stream, 5), 1.0, count))
    return Trace(
        name=name,
        ids=tuple(f"{name}-{number}" for number in range(count)),
        arrivals=tuple((times - times[0]).tolist()),
        prompts=tuple(prompts[i] for i in order),
        outputs=tuple(outputs[i] for i in order),
        prefixes=tuple(prefixes[i] for i in order),
    )


def _groups(shape: Shape, count: int, stream: int) -> list[tuple[int, int]]:
    """Of each call its group, and how many tokens that shares."""
    sharers, prefix = (uniform(bits.stream(stream, n), count).tolist() for n in (0, 1))

    def calls() -> Iterator[tuple[int, int]]:
        for group in range(count):
            yield from [(group, _between(shape.prefix, prefix[group]))] * _between(
                shape.sharers, sharers[group]
            )

    return [call for _, call in zip(range(count), calls(), strict=False)]


def _between(bounds: Range, u: float) -> int:
    """A number between the bounds, the low ones more often: mean a third of the way, by operations that IEEE 754 rounds
    one way."""
    low, high = bounds
    return low + int((high - low + 1) * (u * u))
