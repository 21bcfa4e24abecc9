"""A tenth after a half and again after three quarters of the steps.

Source: He et al. (2016), CVPR, where the rate is divided by 10 twice, at these shares of the run on CIFAR-10."""

SEARCH_SPACE = {
    "first": {"low": 0.1, "high": 0.9},
    "second": {"low": 0.1, "high": 1.0},
    "factor": {"low": 0.02, "high": 0.9, "log": True},
}


def schedule(step, total_steps, gradient_norms, left, norm, *, first=0.5, second=0.75, factor=0.1):
    drops = (step > first * total_steps) + (step > second * total_steps)
    return factor**drops
