"""The shortest prompt first; waiting counts a little, so that long ones have their turn.

Source: shortest processing time first (Smith 1956), with the ageing of operating systems; `ageing` is in tokens a
second.
"""

SEARCH_SPACE = {"ageing": {"low": 1.0, "high": 3000.0, "log": True}}


def rank(age, prompt, generated, most, priority, preemptions, *, ageing=10.0):
    return ageing * age - prompt - generated
