"""What fills an iteration of an engine, and what an engine does whose policy does not decide that."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any

from evaluators.serving.core.calls import WAITING, Call
from evaluators.serving.core.instance import Instance
from evaluators.serving.core.views import StepView

Chunks = list[tuple[int, int]]
"""(place in the queue, tokens)"""
NOTHING: Any = ((), (), 1 << 62)
"""The plan where there is nothing to decide: no prefill until something happens."""
CHUNK = 512


def left_over(view: StepView) -> tuple[int, int]:
    """Tokens of the next iteration, and free blocks, that calls which have begun leave for waiting ones; below 0 where
    they need more than there is."""
    instance = view.instance
    tokens, blocks = min(CHUNK, instance.budget) - view.sequences, view.free
    for call in instance.prefilling:
        tokens -= call.length - call.computed
        blocks -= -(-call.length // instance.block) - call.blocks
    return tokens, blocks


def fitting(calls: Iterable[Call], block: int, blocks: int) -> int:
    """How many of the calls, in their order, find room in ``blocks`` for all that they must compute. The first that
    does not makes those behind it wait."""
    count = 0
    for call in calls:
        blocks -= -(-call.length // block)
        if blocks < 0:
            break
        count += 1
    return count


def filled(view: StepView, wanted: Iterable[tuple[int, int]]) -> Chunks:
    """The chunks of the next iteration. ``wanted``: places in the queue, each once, with the tokens that the iteration
    may hold while that call is added; calls are added in this order, up to the first for which there is no room. Every
    decoding call is a token of it. What the budget, the free blocks or the free places do not allow is cut off."""
    instance, started = view.instance, view.started
    free, places, full = view.free, view.places, view.sequences
    waiting, running, most, block = instance.waiting, instance.prefilling, instance.budget, instance.block
    locked: set[int] = set()
    chunks: Chunks = []
    for place, limit in wanted:
        room = (most if limit > most else limit) - full
        if room < 1:
            break
        if place < started:
            call = running[place]
        elif places > 0:
            call = waiting[place - started]
        else:
            continue
        if instance.span:
            tokens = min(room, instance.left(call), _holding(instance, call, free, locked))
            taken = instance.wants(call, tokens, locked) if tokens > 0 else 0
        else:
            computed = call.computed
            tokens = call.length - computed
            if tokens > room:
                tokens = room
            taken = -(-(computed + tokens) // block) - call.blocks
            if taken > free:
                tokens, taken = (call.blocks + free) * block - computed, free
        if tokens < 1:
            continue
        free -= taken
        places -= place >= started
        full += tokens
        chunks.append((place, tokens))
    return chunks


def _holding(instance: Instance, call: Call, free: int, locked: set[int]) -> int:
    """How many more tokens of a prompt ``free`` blocks hold; unused spans that a waiting call finds are among them."""
    if call.state == WAITING:
        return (free - instance.wants(call, 0, set(locked))) * instance.block
    return (call.blocks + call.shared * instance.span + free) * instance.block - call.computed


def chunked(view: StepView, waiting: Iterable[int] | None = None, chunk: int = CHUNK) -> Any:
    """Sarathi-Serve's plan: every decode, then up to ``chunk`` tokens with the calls that have begun, then with
    ``waiting`` ones (places in the queue; all as they stand when it is not given). Where calls that have begun hold all
    memory and none decodes, the one that began last gives up its place. As those that have begun come first, the first
    of them gets what it needs."""
    if waiting is None:
        order: Iterable[int] = range(view.started + len(view.instance.waiting))
    else:
        order = chain(range(view.started), waiting)
    chunks = filled(view, zip(order, repeat(chunk)))
    if not chunks and not view.sequences and view.started and view.free <= 0:
        return (), (view.started - 1,), 1
    return (chunks, (), 1) if chunks else NOTHING
