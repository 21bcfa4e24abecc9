"""A task for tests only: fill a bag. Other names, units, direction and return type than the shipped tasks."""
