"""Adaptive roles: an instance for prefill turns where none that decodes meets its target, an idle one turns back.

Source: Liu et al. (2025), "xLLM technical report", with the rules of its service. Faithful: a prompt goes where it is
computed soonest, or to an instance that decodes where all for prefill are late and the least TPOT leaves room; a call
decodes on the first instance that meets the target, which packs, else on the one with the least TPOT; one for prefill
turns when no instance that decodes meets the target and prefill has slack, or is the larger side; an idle one turns
back; there is always one of each. Reconstructed: to meet the target an instance must also keep a share of its cache
free, as here the cache is used up before the TPOT is; prefill has slack while its shortest queue takes a share of the
limit; what counts as the target is tuned. Offline calls giving way to online ones is what the engines here do anyway.
"""

import numpy as np

SEARCH_SPACE = {
    "reserve": {"low": 0.0, "high": 0.6},
    "target": {"low": 0.3, "high": 1.0},
    "slack": {"low": 0.1, "high": 1.5},
}


def roles(
    prefill,
    queued,
    waiting,
    running,
    online,
    free,
    capacity,
    speed,
    late,
    tpot,
    ttft,
    tbt,
    time,
    *,
    reserve=0.1,
    target=0.8,
    slack=0.5,
):
    alone = prefill > 0
    role = np.where(alone, 1.0, -1.0)
    meets = (tpot <= target * tbt) & (free >= reserve * capacity)
    delay = queued / speed
    if not meets[~alone].any() and alone.sum() > 1:
        if delay[alone].min() < slack * ttft or (~alone).sum() < alone.sum():
            role[np.where(alone, delay, np.inf).argmin()] = -1.0
    elif (~alone).sum() > 1:
        idle = ~alone & (running == 0) & (queued == 0)
        if idle.any():
            role[np.flatnonzero(idle)[-1]] = 1.0
    return role


def route(
    prompt,
    kind,
    prefill,
    queued,
    waiting,
    running,
    online,
    free,
    capacity,
    speed,
    late,
    tpot,
    ttft,
    tbt,
    time,
    *,
    target=0.8,
):
    alone = prefill > 0
    delay = (queued + prompt) / speed
    count = len(prefill)
    if not alone.any() or (delay[alone] > ttft).all():
        spare = np.where(alone, np.inf, tpot)
        if spare.min() < target * tbt * (count - 1) / count:
            return -spare.clip(max=1e6)
    return -delay - 1e6 * ~alone


def hand(
    held,
    kind,
    at,
    prefill,
    queued,
    waiting,
    running,
    online,
    free,
    capacity,
    speed,
    late,
    tpot,
    ttft,
    tbt,
    time,
    *,
    reserve=0.1,
    target=0.8,
):
    decodes = prefill == 0
    meets = decodes & (tpot <= target * tbt) & (free - held >= reserve * capacity)
    if meets.any():
        return np.where(meets, -1.0 * np.arange(len(prefill)), -1e6)
    return np.where(decodes, free / capacity - tpot, -1e6)
