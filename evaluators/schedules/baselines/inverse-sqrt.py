"""One over the root of the step; a tuned ``offset``, in shares of the run, lets it begin flatter.

Source: the step size of stochastic subgradient methods, as in Nemirovski et al. (2009), SIAM J. Optim. 19(4)."""

SEARCH_SPACE = {"offset": {"low": 0.0, "high": 1.0}}


def schedule(step, total_steps, gradient_norms, left, norm, *, offset=0.0):
    return (step + offset * total_steps) ** -0.5
