"""One over the step; a tuned ``offset``, in shares of the run, lets it begin flatter.

Source: Robbins & Monro (1951), Ann. Math. Statist. 22(3); the rate of strongly convex problems."""

SEARCH_SPACE = {"offset": {"low": 0.0, "high": 1.0}}


def schedule(step, total_steps, gradient_norms, left, norm, *, offset=0.0):
    return 1.0 / (step + offset * total_steps)
