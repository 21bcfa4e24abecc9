"""Nearest neighbour that fetches remote cities early: a city far from the others must be visited at some time anyway.

Source: own; programs found by language models for this setting (for example Liu et al. 2024, "Evolution of heuristics")
weigh the distance against the mean distance to the remaining cities in such ways.
"""

SEARCH_SPACE = {"remote": {"low": 0.0, "high": 1.5}}


def next_city(distances, start_distances, mean_distances, nearest_distances, dx, dy, *, remote=0.3):
    return distances - remote * mean_distances
