"""The shortest job; one that is long beside those that came so far is sent away. Source: Smith (1956)."""

SEARCH_SPACE = {"patience": {"low": 0.5, "high": 4.0}, "room": {"low": 1, "high": 9}}
SEEN = []


def admit(length, waiting, urgent, *, patience=1.5, room=6):
    SEEN.append(length)
    return bool(urgent) or (waiting < room and length * len(SEEN) <= patience * sum(SEEN))


def rank(lengths, waits, rush, *, patience=1.5):
    return (1 + 4 * rush) * (patience + waits / len(SEEN)) / lengths


def rest(time, waiting):
    return int(waiting == 0 and len(SEEN) % 3 == 0)
