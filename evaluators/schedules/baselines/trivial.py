"""A constant rate. Source: none."""


def schedule(step, total_steps, gradient_norms, left, norm):
    return 1.0
