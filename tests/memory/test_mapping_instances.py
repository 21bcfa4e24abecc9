"""Generated programs: as first generated, well formed, and worth deciding."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest

from evaluators.memory.mapping import splits
from evaluators.memory.mapping.bound import lower_bound
from evaluators.memory.mapping.instances import FAMILIES, PRESSURES, SEARCHED, Spec, crowded, generate
from evaluators.memory.mapping.mcts import plain
from evaluators.memory.mapping.program import INPUT, Buffer, encode, wrong

GOLDENS = {
    Spec("conv", "tight", 60, 1000): "0b4d6010587867720ab41c50daae447a4ac0d4a5ce6b4fae0a5cdb581f939a8f",
    Spec("decode", "roomy", 140, 100000): "309d9d6e4aa0a3a35ad803f0a30722094ed2b89d5eca27ad9b96d55b46234ac7",
}
"""SHA-256 of payloads as first generated. They are right because the manifest and the shipped scores were made for
exactly these programs."""


def test_payloads_are_as_first_generated() -> None:
    for spec, digest in GOLDENS.items():
        assert hashlib.sha256(encode(generate(spec))).hexdigest() == digest


@pytest.mark.parametrize("pressure", PRESSURES)
@pytest.mark.parametrize("family", FAMILIES)
def test_programs_are_well_formed_and_leave_something_to_decide(family: str, pressure: str) -> None:
    for n in (40, 90):
        for seed in range(3):
            program = generate(Spec(family, pressure, n, seed))
            ops = len(program.compute)
            assert wrong(program.compute, program.buffers) is None
            assert 0.7 * n - 10 <= ops <= 1.2 * n + 25, "about as many as were asked for"
            assert len(program.segments) <= 3 * ops
            assert {b.producer for b in program.buffers} >= set(range(ops)), "every operation writes"
            assert all(b.uses or b.output for b in program.buffers)
            assert (
                program.machine.slow < program.machine.fast and program.machine.copy <= program.machine.slow
            )
            low, high = PRESSURES[pressure]
            most = crowded(program.buffers, ops)
            assert low * most // 100 <= program.machine.capacity <= high * most // 100
            least, greedy = lower_bound(program), plain(program, 0.0).run_time
            assert least < greedy < program.all_slow


def test_what_a_large_memory_would_hold() -> None:
    """Operation by operation: 4; 4 + 2; 4 + 2 + 8; 2 + 8."""
    buffers = [Buffer(4, 0, (1, 2)), Buffer(2, INPUT, (1, 3)), Buffer(8, 2, (3,))]
    assert crowded(buffers, 4) == 14
    assert crowded([Buffer(3, 1, (), True)], 2) == 3


def test_a_training_step_reads_its_activations_again() -> None:
    """The forward pass writes what the backward pass reads last first."""
    program = generate(Spec("training", "tight", 60, 1))
    far = sorted((b.producer, b.uses[-1]) for b in program.buffers if b.producer != INPUT and b.uses)
    far = [(made, used) for made, used in far if used - made > 10]
    assert len(far) > 10 and all(used > after for (_, used), (_, after) in pairwise(far))


def test_the_final_split_has_families_that_are_met_nowhere_else() -> None:
    groups = {name: {spec.family for spec in splits.part(name)} for name in splits.SPLITS.parts()}
    assert groups["final"] == set(FAMILIES) and groups["search"] == set(SEARCHED)
    assert all(groups[name] == set(SEARCHED) for name in groups if name != "final")
