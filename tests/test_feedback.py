"""Feedback: where a parent loses against its rivals, in the order that matters, and nothing that is hidden."""

from __future__ import annotations

from dataclasses import replace

from test_archive import member

from discovery.feedback import CASES, Feedback
from discovery.proposers.base import Case, Rival
from evaluators.task import Instance

INSTANCES = [
    Instance(f"i{n}", f"g{n % 2}", 10 + n, b"secret", 8, 1.0, 123.0, "proved optimum") for n in range(5)
]
FEEDBACK = Feedback(INSTANCES, {"hash-of-mdd": "mdd"}, "minimize")
SEED = replace(
    member(-1, 3.0), hash="hash-of-mdd", scores=(1.0, 2.0, 3.0, 4.0, 5.0), by_group={"g0": 3.0, "g1": 3.0}
)
WEAK = replace(member(1, 4.0), scores=(9.0, 2.5, 3.0, 0.0, 6.0), by_group={"g0": 6.0, "g1": 1.25}, nodes=17)


def test_the_worst_instances_are_those_lost_by_most() -> None:
    (told,) = FEEDBACK.parents([WEAK], SEED)
    assert told.worst == (
        Case("i0", "g0", 10, 9.0, 1.0),
        Case("i4", "g0", 14, 6.0, 5.0),
        Case("i1", "g1", 11, 2.5, 2.0),
    ), "a draw and a win are no loss"
    assert len(told.worst) == CASES and told.nodes == 17 and told.by_group == WEAK.by_group


def test_the_other_parent_is_a_rival_too() -> None:
    other = replace(member(2, 3.5), scores=(1.0, 2.0, 0.5, 4.0, 5.5))
    (told, _) = FEEDBACK.parents([WEAK, other], SEED)
    assert Case("i2", "g0", 12, 3.0, 0.5) in told.worst


def test_the_seed_itself_is_told_by_its_worst_scores() -> None:
    (told,) = FEEDBACK.parents([SEED], SEED)
    assert [(c.id, c.best) for c in told.worst] == [("i4", None), ("i3", None), ("i2", None)]


def test_maximizing_turns_it_round() -> None:
    (told,) = replace(FEEDBACK, direction="maximize").parents([WEAK], SEED)
    assert [(c.id, c.best) for c in told.worst] == [("i3", 4.0)]


def test_the_best_baseline_is_the_rival_unless_a_seed_beats_it() -> None:
    best = Rival("tuned rule", 2.5, {"g0": 2.0, "g1": 3.0})
    told = replace(FEEDBACK, baseline=best)
    assert told.rival(SEED) is best
    assert told.rival(replace(SEED, score=2.0)).name == "mdd"
    assert replace(told, direction="maximize").rival(SEED).name == "mdd"


def test_the_rival_has_the_name_that_the_run_gave_it() -> None:
    rival = FEEDBACK.rival(SEED)
    assert (rival.name, rival.score, rival.by_group) == ("mdd", 3.0, SEED.by_group)
    assert FEEDBACK.rival(WEAK).name == "seed"
