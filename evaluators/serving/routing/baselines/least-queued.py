"""The instance with the fewest tokens of prompts still to be computed; of equal ones that with the fewest calls.

Source: least work left, in tokens, as token-aware routers do it; own choice of the second key.
"""


def route(
    prompt,
    priority,
    ttft,
    tbt,
    queued,
    waiting,
    running,
    high,
    free,
    capacity,
    speed,
    pace,
    time,
):
    return -1.0 * queued - 0.01 * running
