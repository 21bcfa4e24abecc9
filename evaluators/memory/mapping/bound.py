"""A run time below which no mapping comes, for the trusted side alone."""

from __future__ import annotations

from evaluators.memory.mapping.program import INPUT, Program


def lower_bound(program: Program) -> int:
    """The larger of two bounds on the run time, ns.

    Each operation takes at least its computing time, and moves what it reads and writes: at best through both memories
    at once, and no more of it lies in fast memory than fits there. So the first bound is the sum over operations of
    max(computing time, bytes / (slow + fast bandwidth), (bytes - capacity) / slow bandwidth).

    Inputs that are used come out of slow memory at least once and outputs get there, as does what nobody reads:
    through operations at the slow bandwidth or through the engine at its own, both at once at best. The second bound
    is these bytes / (slow + copy bandwidth)."""
    machine = program.machine
    each = 0
    for op, moved in enumerate(program.slow_bytes):
        both = -(-moved // (machine.slow + machine.fast))
        over = -(-(moved - machine.capacity) // machine.slow)
        each += max(1, program.compute[op], both, over)
    needed = sum(
        b.size for b in program.buffers if (b.uses if b.producer == INPUT else b.output or not b.uses)
    )
    return max(each, -(-needed // (machine.slow + machine.copy)))
