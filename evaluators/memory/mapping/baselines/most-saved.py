"""The action that saves most at once; room costs nothing.

Source: none; the greedy rule of this game.
"""


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
):
    return saved
