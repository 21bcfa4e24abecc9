"""Half a period of the cosine, without restarts. A tuned ``end`` is where it stops.

Source: Loshchilov & Hutter (2017), SGDR, ICLR."""

import math

SEARCH_SPACE = {"end": {"low": 0.0, "high": 0.5}}


def schedule(step, total_steps, gradient_norms, left, norm, *, end=0.0):
    return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * (step - 1) / total_steps))
