"""The earliest limit first.

Source: earliest due date (Jackson 1955), which keeps the largest lateness least; optimal where all can be in time.
"""

import numpy as np

LIMITS = np.array([1.0, 4.0, 12.0])


def rank(age, prompt, generated, most, priority, preemptions):
    return age - LIMITS[priority]
