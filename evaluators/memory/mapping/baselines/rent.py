"""The action that saves most after a rent: so much for each nanosecond of the whole fast memory.

Source: own form of Lagrangian pricing of a capacity (Everett 1963, "Generalized Lagrange multiplier method for solving
problems of optimum allocation of resources").
"""

SEARCH_SPACE = {"price": {"low": 0.0, "high": 1.5}}


def place(
    saved,
    stall,
    held,
    ahead,
    room,
    spare,
    copied,
    size,
    fetch,
    excess,
    crowd,
    later,
    distance,
    unwritten,
    capacity,
    *,
    price=0.1,
):
    return saved - price * size / capacity * held
