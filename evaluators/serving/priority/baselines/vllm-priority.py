"""The urgent classes first, within a class as they came.

Source: the policy `priority` of vLLM: faithful for the queue; what it does besides, to take the cache of a running call
of a lesser class, is left out, as it is no order of the queue.
"""

LONG = 1e6


def rank(age, prompt, generated, most, priority, preemptions):
    return age - LONG * priority
