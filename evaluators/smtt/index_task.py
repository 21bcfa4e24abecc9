"""The task ``smtt-index``: a priority for each waiting job, from which a fixed harness builds the sequence.

Same instances, referee and reader as ``smtt``; the candidate decides one step at a time, so that no search fits in.
"""

from __future__ import annotations

from evaluators.smtt.task import DUE_DATES, FACTS, HERE, PROCESSING_TIMES, Smtt
from evaluators.task import Interface, Value


class SmttIndex(Smtt):
    """The index track, bound to its options."""

    name = "smtt-index"
    summary = "single-machine total tardiness by one priority index: the waiting job with the lowest number goes first"
    interface = Interface(
        function="priority",
        summary=(
            "Return one number for each waiting job; the machine takes the job with the lowest number, then asks "
            "again. The sequence that results should have the least total tardiness."
        ),
        arguments=(
            PROCESSING_TIMES,
            DUE_DATES,
            Value("time", "scalar", "int64", "the time now, when the machine is free", unit="time", low=0),
        ),
        returns=Value("priority", "array", "float64", "lowest goes first", length="n"),
        facts=(
            *FACTS,
            "The arrays hold the waiting jobs only, shortest first; their length shrinks by one from call to call.",
            "Ties go to the shorter job, then to the lower index. The numbers must be finite.",
        ),
    )
    adapter = HERE / "index_adapter.py"
