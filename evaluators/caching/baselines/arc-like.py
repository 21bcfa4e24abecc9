"""Adaptive: a target size for the pages used once since they were fetched, moved by what comes back soon after it went.

Source: Megiddo & Modha (2003), "ARC: a self-tuning, low overhead replacement cache". Own reconstruction: the paper's
ghost lists are replaced by how long the requested page was away, and the target moves by a step in place of their
ratio. The target is kept from decision to decision, one trace long.
"""

SEARCH_SPACE = {
    "memory": {"low": 0.5, "high": 8.0, "log": True},
    "step": {"low": 0.1, "high": 4.0, "log": True},
}
STATE = {"target": 0.0}


def evict(idle, age, uses, gap, total, absence, known, time, *, memory=2.0, step=1.0):
    if known and absence <= memory * len(idle) * (1 if known == 1 else 2):
        moved = STATE["target"] + (step if known == 1 else -step)
        STATE["target"] = min(max(moved, 0.0), float(len(idle)))
    once = uses == 1
    first = once if once.sum() > STATE["target"] else ~once
    return idle + 2 * time * first
