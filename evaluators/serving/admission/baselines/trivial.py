"""One call after another: one begins when none runs.

Source: none; the trivial answer.
"""


def admit(
    length,
    done,
    slack,
    held,
    generated,
    past_prompts,
    past_outputs,
    waiting,
    pending,
    free,
    capacity,
    places,
    longest,
    last_seconds,
    time,
):
    return 1 if len(held) == 0 else 0
