"""Linear warm-up over a tenth of the run, then linear decay.

Source: Devlin et al. (2019), BERT, NAACL, whose rate rises and falls linearly; the share of a tenth is ours."""

SEARCH_SPACE = {"warmup": {"low": 0.0, "high": 0.5}}


def schedule(step, total_steps, gradient_norms, left, norm, *, warmup=0.1):
    first = warmup * total_steps
    return min(1.0, step / max(first, 1.0)) * min(1.0, left / (total_steps - first))
