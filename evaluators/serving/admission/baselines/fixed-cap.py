"""A call begins while fewer calls than a fixed number run and its prompt fits.

Source: the maximum batch size of Yu et al. (2022), "Orca: a distributed serving system for transformer-based generative
models" (OSDI 2022). Faithful: one number, set by hand for the deployment. Left out: Orca reserves the longest output of
each call, so that the number follows from the memory.
"""

import numpy as np

SEARCH_SPACE = {"cap": {"low": 4, "high": 96, "log": True}}


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
    cap=32,
):
    fitting = int(np.searchsorted(np.cumsum(length), free - pending, side="right"))
    return min(cap - len(held), fitting)
