"""The schedule that the worst-case analysis gives for the gradient norms of a run: with weights w = G^-2 of the
filtered norms G, a step gets its weight times the sum of all later ones. Without norms that is linear decay.

Source: Defazio, Cutkosky, Mehta & Mishchenko (2023), arXiv 2310.07831, algorithm 1 for SGD, where a median filter over
a tenth of the run smooths the norms. How the filter pads the norms (their first value before the first step, reflected
after the last) and that its width is odd follow the notes that accompany the paper; the code is our reconstruction.
``power`` is 2 there."""

import numpy as np

SEARCH_SPACE = {"window": {"low": 0.02, "high": 0.5}, "power": {"low": 0.0, "high": 3.0}}

KNOWN = {}


def schedule(step, total_steps, gradient_norms, left, norm, *, window=0.1, power=2.0):
    key = (total_steps, window, power, np.asarray(gradient_norms).tobytes())
    if key not in KNOWN:
        KNOWN.clear()  # steps of one problem come one after another
        KNOWN[key] = refined(np.asarray(gradient_norms, float), total_steps, window, power)
    return KNOWN[key][step - 1]


def refined(norms, total_steps, window, power):
    if total_steps == 1:
        return np.ones(1)
    weights = np.ones(total_steps)
    if len(norms):
        half = min(int(window * total_steps) // 2, total_steps - 1)
        padded = np.concatenate([np.full(half, norms[0]), norms, norms[::-1][1 : half + 1]])
        filtered = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
        weights = (filtered.min() / filtered) ** power
    later = np.concatenate([np.cumsum(weights[::-1])[::-1][1:], [0.0]])
    return weights * later / (weights * later).max()
