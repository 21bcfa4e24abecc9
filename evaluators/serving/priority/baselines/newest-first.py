"""The last one first.

Source: what services do under overload (adaptive LIFO, Maurer 2015, "Fail at Scale", ACM Queue 13(8)): those that have
waited long are late already. Left out: the change to first come first served while nobody waits long.
"""


def rank(age, prompt, generated, most, priority, preemptions):
    return -age
