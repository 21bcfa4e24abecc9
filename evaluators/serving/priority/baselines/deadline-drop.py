"""The earliest limit first, but those that can hardly be in time any more come last.

Source: earliest due date with the rejection of late jobs, after Moore (1968), who drops the longest of those that make
one late. Reconstructed: nobody is dropped, and what is taken for hopeless is a threshold: less than `spare` seconds and
`pace` seconds for each token of the prompt are left.
"""

import numpy as np

SEARCH_SPACE = {
    "spare": {"low": 0.0, "high": 2.0},
    "pace": {"low": 1e-5, "high": 2e-3, "log": True},
    "weight": {"low": 1e-5, "high": 1e-1, "log": True},
}
LIMITS = np.array([1.0, 4.0, 12.0])
LONG = 1e6


def rank(age, prompt, generated, most, priority, preemptions, *, spare=0.1, pace=2e-4, weight=1e-5):
    left = LIMITS[priority] - age
    hopeless = (left < spare + pace * prompt) | (preemptions > 0)
    return -left - weight * prompt - LONG * hopeless
