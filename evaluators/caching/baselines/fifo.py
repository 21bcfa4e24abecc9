"""First in, first out: the page that was fetched first.

Source: Belady (1966), "A study of replacement algorithms for a virtual-storage computer".
"""


def evict(idle, age, uses, gap, total, absence, known, time):
    return age
