"""The instance with the fewest calls that have not ended.

Source: join the shortest queue (Winston 1977), as most routers of engines do it.
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
    return -1.0 * (waiting + running)
