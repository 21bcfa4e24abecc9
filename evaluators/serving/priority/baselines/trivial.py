"""All alike: the queue as it stands.

Source: none; the trivial answer. The same as `vllm-fcfs` but for ties.
"""


def rank(age, prompt, generated, most, priority, preemptions):
    return 0.0 * age
