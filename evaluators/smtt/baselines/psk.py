"""Panwalkar, Smith & Koulamas: the first job in SPT order that must go before those that follow it.

Source: Panwalkar, Smith & Koulamas (1993), "A heuristic for the single machine tardiness problem". Reconstructed from
its description: the active job is kept if it would be late or on the edge when started now; else a later job in SPT
order with an earlier due date that no completion reaches takes its place. Alidaee & Gopalan (1997) prove that it gives
MDD's sequence.
"""

import numpy as np


def schedule(processing_times, due_dates):
    waiting = np.lexsort((due_dates, processing_times)).tolist()
    p = processing_times.tolist()
    d = due_dates.tolist()
    time = 0
    sequence = []
    while waiting:
        active = waiting[0]
        for other in waiting[1:]:
            if time + p[active] >= d[active]:
                break
            if d[active] <= time + p[other]:
                break
            if d[other] < d[active]:
                active = other
        sequence.append(active)
        time = time + p[active]
        waiting.remove(active)
    return sequence
