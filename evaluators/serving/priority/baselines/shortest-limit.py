"""The least work first, where a call may generate as much as its sender allows.

Source: shortest job first by an upper bound of the output, as learning-to-rank schedulers do by a prediction (Fu et al.
2024, "Efficient LLM Scheduling by Learning to Rank", NeurIPS 2024). Reconstructed: the bound instead of the prediction,
and its weight `output`, tokens of a prompt for each; ageing in tokens a second instead of their starvation counter.
"""

SEARCH_SPACE = {
    "output": {"low": 0.01, "high": 10.0, "log": True},
    "ageing": {"low": 1.0, "high": 3000.0, "log": True},
}


def rank(age, prompt, generated, most, priority, preemptions, *, output=1.0, ageing=10.0):
    return ageing * age - prompt - output * most
