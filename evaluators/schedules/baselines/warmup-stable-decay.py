"""Warm-up, a long constant rate, then linear decay over the last fifth (WSD).

Source: Hu et al. (2024), MiniCPM, arXiv 2404.06395, and Hägele et al. (2024), arXiv 2405.18392, for the cool-down over
a fifth of the run; the warm-up of a fiftieth is ours."""

SEARCH_SPACE = {"warmup": {"low": 0.0, "high": 0.3}, "decay": {"low": 0.05, "high": 1.0}}


def schedule(step, total_steps, gradient_norms, left, norm, *, warmup=0.02, decay=0.2):
    return min(1.0, step / max(warmup * total_steps, 1.0), left / (decay * total_steps))
