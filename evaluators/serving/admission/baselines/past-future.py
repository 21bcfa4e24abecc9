"""A call begins when the predicted peak of memory, of all that run and of it, stays below the cache less a reserve.

Source: Gong et al. (2025), "Past-Future scheduler for LLM serving under SLA guarantees" (ASPLOS 2025), and LightLLM.
Faithful: outputs are drawn from those of the calls that ended last, among the longer ones for a call that has generated
some already; the peak of calls that grow together and end one after another; a window of 200 and a reserve of 5 %.
Reconstructed: the mean of several draws is compared with the cache, and longest outputs stand for the first ``cold``
ones only, where LightLLM fills half of the window with them (here a run is shorter than the window). Left out: the
switch between busy and idle hours.
"""

import numpy as np

SEARCH_SPACE = {
    "reserved": {"low": 0.0, "high": 0.3},
    "window": {"low": 10, "high": 200, "log": True},
    "cold": {"low": 1, "high": 20},
}
DRAWS = 4


def admit(
    length,
    done,
    slack,
    held,
    generated,
    past_prompts,
    past_outputs,
    waiting,
    pending,
    free,
    capacity,
    places,
    longest,
    last_seconds,
    time,
    *,
    reserved=0.05,
    window=200,
    cold=1,
):
    past = past_outputs[-window:]
    known = np.sort(np.append(past, np.full(max(0, cold - len(past)), longest)))
    tokens = np.concatenate([held, length])
    made = np.concatenate([generated, done])
    shorter = np.searchsorted(known, made, side="right")
    draws = np.random.default_rng(int(tokens.sum()) * 1009 + int(made.sum())).random((DRAWS, len(made)))
    places = shorter + (draws * (len(known) - shorter)).astype(np.int64)
    left = np.append(known, longest)[places] - made
    running, room = len(held), (1 - reserved) * capacity
    most = min(len(length), int(np.searchsorted(np.cumsum(length), free - pending, side="right")))
    for begin in range(most):
        if peak(tokens[: running + begin + 1], left[:, : running + begin + 1]) > room and running + begin:
            return begin
    return most


def peak(tokens, left):
    """The most tokens at once, the mean over draws: the call that ends last is there with none of the others."""
    order = np.argsort(-left, axis=1)
    grown = np.take_along_axis(left, order, axis=1) * np.arange(1, len(tokens) + 1)
    return (np.cumsum(tokens[order], axis=1) + grown).max(axis=1).mean()
