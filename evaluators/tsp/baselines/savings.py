"""Savings, one city after another: the way to a city, less a share of what joining it now saves on its way home.

Source: Clarke & Wright (1964), "Scheduling of vehicles from a central depot to a number of delivery points", in its
sequential form with a weight on the saving (Gaskell 1967); as an index over the unvisited cities an own reconstruction.
"""

SEARCH_SPACE = {"share": {"low": -0.5, "high": 1.0}}


def next_city(distances, start_distances, mean_distances, nearest_distances, dx, dy, *, share=0.3):
    return distances - share * start_distances
