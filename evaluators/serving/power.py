"""What an engine draws, from its card and its model: peaks and watts of the data sheet, shares measured once.

    watts while it computes = peak · (base + memory · bytes / bandwidth + arithmetic · operations / flops)

``bytes`` and ``operations`` a second are those that the model needs: weights once an iteration, the cache that decodes
read, two operations a weight and token. What chunks read of the cache again, the logits of prompts and what goes over
links is left out. The three shares were fitted (``benchmarks/serving_power.py``) to the measured power of Llama-2-70B
and BLOOM-176B on 2, 4 and 8 A100 (splitwise-sim; Patel et al. 2024): 2.4 % mean error of the power of decodes, 11 % of
that of prompts. For other cards they are carried over: derived, not measured. Of a model with experts an iteration is
taken to read all of them.
"""

from __future__ import annotations

from functools import cache

from evaluators.serving.cards import CARDS, card
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.energy import Power
from evaluators.serving.models import BYTES, MODELS, model
from evaluators.serving.timing import timing, widths

SHARES = (0.31, 0.68, 1.12)
"""Of the peak watts: while anything is computed; at full bandwidth; at full arithmetic."""


@cache
def power(model_name: str, card_name: str, tp: int = 1) -> Power:
    """The power of a model on ``tp`` cards. Raises TaskError for unknown names."""
    served, on = model(model_name), card(card_name)
    base, memory, arithmetic = SHARES
    byte, operation = memory * on.watts_peak / on.bandwidth, arithmetic * on.watts_peak / on.flops
    heads, _ = served.local_heads(tp)
    weights = sum(n * k for n, k in served.products(tp))
    if served.experts:
        weights += 3 * served.hidden * served.experts.width * served.experts.top // tp
    looked_up = served.vocabulary * served.hidden * BYTES // tp  # of one embedding a row a token is read
    pair = 4 * heads * served.head * served.layers
    return Power(
        idle=tp * on.watts_idle,
        active=tp * base * on.watts_peak,
        most=tp * on.watts_peak,
        iteration=tp * byte * (served.weight_bytes(tp) - looked_up),
        token=tp * operation * 2 * weights * served.layers,
        read=tp * (byte * served.kv_bytes(tp) + operation * pair),
        pair=tp * operation * pair / 2,
    )


def recognised(costs: Costs) -> Power | None:
    """The power of the engine whose iteration times these are: a simulation does not need it, so payloads do not hold
    it. None for times of no engine that is known here."""
    found = _engines().get((*costs.decode, *costs.prefill, *costs.engine))
    return power(*found) if found is not None else None


@cache
def _engines() -> dict[tuple[int, ...], tuple[str, str, int]]:
    """Every engine by what its attention and its logits take, which no two have alike."""
    found = {}
    for model_name in MODELS:
        for card_name in CARDS:
            for tp in widths(model_name, card_name):
                times = timing(model_name, card_name, tp)
                key = tuple(round(value * SECOND) for value in (*times.decode, *times.prefill, *times.engine))
                found[key] = model_name, card_name, tp
    return found
