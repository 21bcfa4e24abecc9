"""Linear decay, which is the best for the last iterate in the worst case; scores are measured against it. A tuned
``end`` is where it stops, as a share of its beginning.

Source: Defazio, Cutkosky, Mehta & Mishchenko (2023), arXiv 2310.07831."""

SEARCH_SPACE = {"end": {"low": 0.0, "high": 0.5}}


def schedule(step, total_steps, gradient_norms, left, norm, *, end=0.0):
    return end + (1.0 - end) * left / total_steps
