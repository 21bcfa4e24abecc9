"""Best fit that leaves no gap of an awkward size: nearly full or with room to spare, anything between only at need.

Source: Romera-Paredes et al. (2024), "Mathematical discoveries from program search with large language
models", describe what their programs found: an item goes into the fullest bin only when the fit is very tight,
else into one with room left. Own reconstruction of that idea, not their code; both thresholds are shares
of the capacity.
"""

import numpy as np

SEARCH_SPACE = {"tight": {"low": 0.0, "high": 0.2}, "roomy": {"low": 0.0, "high": 0.6}}


def priority(item, bins, *, tight=0.02, roomy=0.2):
    capacity = bins[-1]
    left = bins - item
    fine = (left <= tight * capacity) | (left >= roomy * capacity)
    return np.where(fine, 0, -2 * capacity) - left
