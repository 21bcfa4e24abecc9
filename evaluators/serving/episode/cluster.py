"""What tasks with several engines have in common: linked members, exact loads, and how full a member will be."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from evaluators.serving.cards import card
from evaluators.serving.core.calls import DECODE, Call, Request
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.instance import Instance as Server
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode.workload import CONTEXT, engine
from evaluators.serving.models import model

MILLISECOND = SECOND // 1000


def stretched(calls: tuple[Request, ...], load: float) -> tuple[Request, ...]:
    """The calls with their gaps stretched so that exactly ``load`` come a second, at whole milliseconds as in traces: a
    few hundred calls in bursts may come a fifth faster or slower."""
    factor = (len(calls) - 1) * SECOND / load / calls[-1].arrival
    return tuple(
        replace(call, arrival=round(call.arrival * factor / MILLISECOND) * MILLISECOND) for call in calls
    )


def linked(alone: Engine, model_name: str, card_name: str, tp: int = 1) -> Engine:
    """An engine with its link to the others: the network of each of its cards carries that card's part of the cache."""
    size = model(model_name).kv_bytes(tp) * alone.block
    return replace(alone, block_bytes=size, network=int(card(card_name).network))


def member(model_name: str, card_name: str, cache: int) -> Engine:
    """An instance of a cluster on one card, whose cache holds ``cache`` tokens at most."""
    whole = linked(engine(model_name, card_name, 1, CONTEXT), model_name, card_name)
    return replace(whole, blocks=min(whole.blocks, cache // whole.block))


def peak(server: Server, now: int, *more: Call) -> int:
    """The most tokens that the calls of an instance and further ones will hold at once, if all of them go on now
    (Past-Future's rule, with what the outputs will be)."""
    steps = server.step + server.progress(now)
    calls = (*server.decoding.values(), *server.prefilling, *server.waiting, *more)
    rows = sorted((_remaining(c, steps if c.state == DECODE else 0) for c in calls), reverse=True)
    held = accumulate(tokens for _, tokens in rows)
    peaks = (
        have + place * left for place, (have, (left, _)) in enumerate(zip(held, rows, strict=True), start=1)
    )
    return max(peaks, default=0)


def _remaining(call: Call, steps: int) -> tuple[int, int]:
    """Tokens of a call that are to come, and those that it will hold before; ``steps`` of its instance when it
    decodes."""
    done = steps - call.joined if call.state == DECODE else 0
    return call.request.output - call.generated - done, call.length + done
