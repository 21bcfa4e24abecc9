"""As they came: vLLM's default.

Source: Kwon et al. (2023), "Efficient Memory Management for Large Language Model Serving with PagedAttention" (SOSP
2023), and the policy `fcfs` of vLLM, faithful. Of a queue that is in the order of arrival it keeps the order; calls
that lost their cache came before the others, so they are first.
"""


def rank(age, prompt, generated, most, priority, preemptions):
    return age
