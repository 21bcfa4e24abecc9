"""Programs of six families, from seeds, with their own arithmetic on raw bits (:class:`evaluators.plain.Draw`).

- ``conv``: residual blocks of convolutions; the map halves and the channels double from stage to stage;
- ``transformer``: encoder layers of attention and a feed-forward net, with residual connections;
- ``training``: the forward and the backward pass of a deep net; the backward pass reads activations and weights again;
- ``batches``: a few batches, one after another, through the embeddings and layers of one net: weights are used again;
- ``unet``: an encoder and a decoder with skip connections between them, the longest ones outermost;
- ``decode``: token by token through the layers of a language model, with a cache of keys and values for each layer.

Shapes and operation counts are those of such nets in half precision; none is a copy of a certain one. What the machine
can do is drawn relative to the program: the capacity as a share of what would be in fast memory at once if it were
large ("tight" or "roomy"), and the peak so that computing takes a share of the time of the traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from evaluators.memory.mapping.program import INPUT, Buffer, Machine, Program
from evaluators.plain import Draw

BYTES = 2
"""Of a number in half precision."""


@dataclass(frozen=True)
class Spec:
    """Names one generated program of some ``n`` operations."""

    family: str
    pressure: str
    n: int
    seed: int

    @property
    def id(self) -> str:
        return f"{self.family}-{self.pressure}-n{self.n}-s{self.seed}"

    @property
    def group(self) -> str:
        return f"{self.family} {self.pressure}"


class Builder:
    """Operations in schedule order; buffers by number."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self.flops: list[int] = []
        self._sizes: list[int] = []
        self._producers: list[int] = []
        self._uses: list[list[int]] = []
        self._outputs: set[int] = set()

    def __len__(self) -> int:
        return len(self.flops)

    def one(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        return int(self._draw.integers(low, high, 1)[0])

    def tensor(self, numbers: int) -> int:
        """An input of so many numbers."""
        return self._buffer(numbers, INPUT)

    def op(self, flops: int, reads: Iterable[int], numbers: int) -> int:
        """An operation; returns what it writes."""
        for buffer in dict.fromkeys(reads):
            self._uses[buffer].append(len(self.flops))
        self.flops.append(flops)
        return self._buffer(numbers, len(self.flops) - 1)

    def matmul(self, rows: int, inner: int, columns: int, left: int, right: int) -> int:
        """``left`` (rows x inner) by ``right`` (inner x columns)."""
        return self.op(2 * rows * inner * columns, (left, right), rows * columns)

    def output(self, buffer: int) -> None:
        self._outputs.add(buffer)

    def buffers(self) -> tuple[Buffer, ...]:
        """Those that are used or written; what nobody reads is an output."""
        return tuple(
            Buffer(size, producer, tuple(uses), number in self._outputs or not uses)
            for number, (size, producer, uses) in enumerate(
                zip(self._sizes, self._producers, self._uses, strict=True)
            )
            if uses or producer != INPUT
        )

    def _buffer(self, numbers: int, producer: int) -> int:
        self._sizes.append(BYTES * numbers)
        self._producers.append(producer)
        self._uses.append([])
        return len(self._sizes) - 1


def generate(spec: Spec) -> Program:
    """The program that ``spec`` names."""
    draw = Draw(f"memory-map/{spec.id}")
    builder = Builder(draw)
    FAMILIES[spec.family](builder, spec.n)
    buffers = builder.buffers()
    slow = builder.one(40, 200)
    fast, copy = slow * builder.one(5, 20), slow * builder.one(30, 100) // 100
    capacity = crowded(buffers, len(builder)) * builder.one(*PRESSURES[spec.pressure]) // 100
    traffic = sum(b.size * (len(b.uses) + (b.producer != INPUT)) for b in buffers) // slow
    peak = max(1, sum(builder.flops) * 100 // (traffic * builder.one(20, 70)))
    compute = tuple(-(-flops // peak) for flops in builder.flops)
    return Program(Machine(capacity, slow, fast, copy), compute, buffers)


def crowded(buffers: Iterable[Buffer], ops: int) -> int:
    """Bytes in a large fast memory when it holds most: each buffer from its first access to its last one."""
    steps = [0] * (ops + 1)
    for buffer in buffers:
        accesses = (*(() if buffer.producer == INPUT else (buffer.producer,)), *buffer.uses)
        steps[accesses[0]] += buffer.size
        steps[accesses[-1] + 1] -= buffer.size
    most = held = 0
    for step in steps:
        held += step
        most = max(most, held)
    return most


def _conv(b: Builder, n: int) -> None:
    side, channels = 8 * b.one(5, 9), 16 * b.one(1, 3)
    each = max(1, n // 16)
    x = b.op(
        54 * side * side * channels,
        (b.tensor(3 * side * side), b.tensor(27 * channels)),
        side * side * channels,
    )
    while len(b) < n:
        for block in range(each):
            before, shrink = x, block == 0 and len(b) > 1 and side > 8
            inner = channels
            if shrink:
                side, channels = side // 2, channels * 2
            area, kernel = side * side, 9 if b.one(0, 2) else 1
            x = b.op(
                2 * area * kernel * inner * channels,
                (x, b.tensor(kernel * inner * channels)),
                area * channels,
            )
            x = b.op(4 * area * channels, (x, b.tensor(2 * channels)), area * channels)
            x = b.op(18 * area * channels * channels, (x, b.tensor(9 * channels * channels)), area * channels)
            if shrink:
                before = b.op(
                    2 * area * inner * channels, (before, b.tensor(inner * channels)), area * channels
                )
            x = b.op(2 * area * channels, (x, before), area * channels)
    b.op(2 * channels * 1000, (x, b.tensor(channels * 1000)), 1000)


def _transformer(b: Builder, n: int) -> None:
    length, width = 32 * b.one(4, 16), 64 * b.one(4, 12)
    wide, heads = width * b.one(2, 4), b.one(4, 12)
    grouped = b.one(1, 3)  # keys and values of fewer heads
    x = b.tensor(length * width)
    while len(b) < n:
        h = b.op(8 * length * width, (x, b.tensor(2 * width)), length * width)
        q = b.matmul(length, width, width, h, b.tensor(width * width))
        k, v = (
            b.matmul(length, width, width // grouped, h, b.tensor(width * width // grouped)) for _ in range(2)
        )
        scores = b.op(2 * length * length * width, (q, k), heads * length * length)
        weights = b.op(8 * heads * length * length, (scores,), heads * length * length)
        h = b.op(2 * length * length * width, (weights, v), length * width)
        h = b.matmul(length, width, width, h, b.tensor(width * width))
        x = b.op(length * width, (x, h), length * width)
        h = b.op(8 * length * width, (x, b.tensor(2 * width)), length * width)
        h = b.matmul(length, width, wide, h, b.tensor(width * wide))
        h = b.op(8 * length * wide, (h,), length * wide)
        h = b.matmul(length, wide, width, h, b.tensor(width * wide))
        x = b.op(length * width, (x, h), length * width)


def _training(b: Builder, n: int) -> None:
    rows = 32 * b.one(2, 16)
    widths = [64 * b.one(2, 16) for _ in range(max(2, n // 6) + 1)]
    weights = [b.tensor(a * c) for a, c in pairwise(widths)]
    inputs, nets = [b.tensor(rows * widths[0])], []
    for weight, a, c in zip(weights, widths, widths[1:], strict=False):
        nets.append(b.matmul(rows, a, c, inputs[-1], weight))
        inputs.append(b.op(4 * rows * c, (nets[-1],), rows * c))
    slope = b.op(8 * rows * widths[-1], (inputs[-1], b.tensor(rows * widths[-1])), rows * widths[-1])
    for layer in reversed(range(len(weights))):
        a, c = widths[layer], widths[layer + 1]
        slope = b.op(4 * rows * c, (slope, nets[layer]), rows * c)
        change = b.matmul(a, rows, c, inputs[layer], slope)
        if layer:
            slope = b.matmul(rows, c, a, slope, weights[layer])
        b.op(4 * a * c, (weights[layer], change, b.tensor(a * c)), a * c)


def _batches(b: Builder, n: int) -> None:
    tables, width, layers = b.one(2, 5), 32 * b.one(2, 8), b.one(3, 8)
    each = tables + 2 * layers + 1
    widths = [width * (tables + 1)] + [64 * b.one(2, 12) for _ in range(layers)]
    weights = [b.tensor(a * c) for a, c in pairwise(widths)]
    biases = [b.tensor(c * 4) for c in widths[1:]]
    for _ in range(max(2, -(-n // each))):
        rows = 32 * b.one(1, 16)
        dense = b.tensor(rows * width)
        found = [
            b.op(rows * width, (b.tensor(rows * width * b.one(1, 4)),), rows * width) for _ in range(tables)
        ]
        x = b.op(rows * width * tables * tables, (dense, *found), rows * widths[0])
        for layer in range(layers):
            a, c = widths[layer], widths[layer + 1]
            x = b.matmul(rows, a, c, x, weights[layer])
            x = b.op(4 * rows * c, (x, biases[layer]), rows * c)


def _unet(b: Builder, n: int) -> None:
    depth, side, channels = b.one(3, 4), 16 * b.one(3, 6), 8 * b.one(1, 3)
    each = max(1, (n - 2 * depth) // (4 * depth + 2))  # pairs of operations on each level and side

    def level(x: int, inner: int, more: tuple[int, ...] = ()) -> int:
        for k in range(each):
            kernel = 9 * (inner if k == 0 else channels) * channels
            area = side * side
            x = b.op(2 * area * kernel, (x, b.tensor(kernel), *(more if k == 0 else ())), area * channels)
            x = b.op(8 * area * channels, (x,), area * channels)
        return x

    x, skips, inner = b.tensor(3 * side * side), [], 3
    for _ in range(depth):
        x = level(x, inner)
        skips.append(x)
        inner, side = channels, side // 2
        x = b.op(4 * side * side * channels, (x,), side * side * channels)
        channels *= 2
    x = level(x, inner)
    for skip in reversed(skips):
        inner, side, channels = channels, side * 2, channels // 2
        x = b.op(
            8 * side * side * inner * channels, (x, b.tensor(4 * inner * channels)), side * side * channels
        )
        x = level(x, 2 * channels, (skip,))


def _decode(b: Builder, n: int) -> None:
    width, layers, rows = 64 * b.one(4, 10), b.one(2, 5), b.one(4, 24)
    context, wide = 64 * b.one(2, 12), width * b.one(2, 4)
    shapes = ((width, 3 * width), (width, width), (width, wide), (wide, width))
    weights = [[b.tensor(a * c) for a, c in shapes] for _ in range(layers)]
    past = [b.tensor(2 * context * width) for _ in range(layers)]
    head = b.tensor(width * 8 * width)
    for _ in range(max(2, n // (6 * layers + 1))):
        x = b.tensor(rows * width)
        for layer in range(layers):
            h = b.matmul(rows, width, 3 * width, x, weights[layer][0])
            h = b.op(4 * rows * context * width, (h, past[layer]), rows * width)
            h = b.matmul(rows, width, width, h, weights[layer][1])
            x = b.op(rows * width, (x, h), rows * width)
            h = b.matmul(rows, width, wide, x, weights[layer][2])
            x = b.op(2 * rows * wide * width + rows * width, (x, h, weights[layer][3]), rows * width)
        b.matmul(rows, width, 8 * width, x, head)


PRESSURES = {"tight": (12, 30), "roomy": (35, 70)}
"""Capacity in percent of what a large fast memory would hold at most."""
FAMILIES: dict[str, Callable[[Builder, int], None]] = {
    "conv": _conv,
    "transformer": _transformer,
    "training": _training,
    "batches": _batches,
    "unet": _unet,
    "decode": _decode,
}
SEARCHED = ("conv", "transformer", "training", "batches")
"""The families of screen, search and gate."""
