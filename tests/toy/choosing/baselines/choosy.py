"""The greatest weight for its volume; what is too light for its volume stays out. Source: Dantzig (1957)."""

SEARCH_SPACE = {"least": {"low": 0.0, "high": 2.0}, "rest": {"low": 0, "high": 9}}
SEEN = []


def take(weight, volume, left, *, least=0.25):
    SEEN.append(weight)
    return weight >= least * volume or volume == left


def rank(weights, volumes, capacity, *, power=1.0):
    SEEN.clear()
    return weights / volumes**power


def enough(left, *, rest=0):
    return left <= rest and len(SEEN) > 0
