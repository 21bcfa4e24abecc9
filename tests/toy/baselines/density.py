"""Dantzig (1957): the greatest weight for its volume first."""

SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}


def rank(weights, volumes, capacity, *, power=1.0):  # noqa: ARG001
    return weights / volumes**power
