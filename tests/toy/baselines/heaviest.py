"""The heaviest item first."""


def rank(weights, volumes, capacity):  # noqa: ARG001
    return weights * 1.0
