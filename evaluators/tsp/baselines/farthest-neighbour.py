"""Farthest neighbour: the most distant unvisited city goes next.

Source: folklore; the opposite of nearest neighbour, to show the scale.
"""


def next_city(distances, start_distances, mean_distances, nearest_distances, dx, dy):
    return -distances
