"""What is used soonest is kept or copied; what would wait longer than the free room allows is not.

Source: the idea of Belady (1966), "A study of replacement algorithms for a virtual-storage computer", to part with
what is used farthest ahead; own form, since nothing leaves fast memory here before its use.
"""

SEARCH_SPACE = {"reach": {"low": 1.0, "high": 60.0, "log": True}}


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
    reach=12.0,
):
    near = (ahead > 0) & (saved >= 0) & (ahead * capacity <= reach * room)
    return near / (1.0 + ahead) + 1e-9 * saved * near
