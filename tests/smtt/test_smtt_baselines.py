"""The baselines: valid candidates, true to their sources, within the limits, and their shipped scores."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smtt_support import answer_of, function_of, instance, least_tardiness, small_instances, tardiness

from discovery.candidate import check
from evaluators.registry import load
from evaluators.smtt.constructive import mdd as trusted_mdd
from evaluators.smtt.instances import Spec, generate
from evaluators.smtt.problem import decode
from evaluators.task import Task, aggregate

TASKS: Mapping[str, Task] = {name: load(name) for name in ("smtt", "smtt-index")}
ALL = [(task, name) for task, bound in TASKS.items() for name, b in bound.baselines().items() if b.path]


def sequence_of(task: str, name: str, p: np.ndarray, d: np.ndarray) -> list[int]:
    answer = answer_of(TASKS[task])(function_of(TASKS[task], name), instance(p, d).payload, {})
    return np.frombuffer(answer, "<i8").tolist()


@pytest.mark.parametrize(("task", "name"), ALL)
def test_every_baseline_is_a_candidate_with_a_source(task: str, name: str) -> None:
    bound = TASKS[task]
    baseline = bound.baselines()[name]
    assert baseline.path is not None
    text = baseline.path.read_text()
    found = check(text, bound.interface)
    assert set(found.space) <= set(found.defaults)
    assert re.search(r"\d{4}|none", baseline.source), baseline.source
    assert (ast.get_docstring(ast.parse(text)) or "").startswith(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


@pytest.mark.parametrize(("task", "name"), ALL)
def test_answers_are_permutations_at_every_size(task: str, name: str) -> None:
    for p, d in small_instances(40, 12, seed=1):
        assert sorted(sequence_of(task, name, p, d)) == list(range(len(p)))
    for family in ("pvw", "heavy"):
        p, d = generate(Spec(family, 70, 60, 40, 1))
        once = sequence_of(task, name, p, d)
        assert sorted(once) == list(range(70))
        assert once == sequence_of(task, name, p, d)


@pytest.mark.parametrize("name", ["edd", "mdd", "spt"])
def test_the_tracks_agree_on_total_tardiness_of_plain_rules(name: str) -> None:
    for p, d in small_instances(60, 15, seed=2):
        if name == "spt" and len(set(p.tolist())) < len(p):
            continue  # equal lengths: the index track breaks ties by index, the construct file by due date
        first, second = (sequence_of(task, name, p, d) for task in TASKS)
        assert tardiness(p, d, first) == tardiness(p, d, second)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 100)), min_size=1, max_size=14))
def test_psk_is_mdd(jobs: list[tuple[int, int]]) -> None:
    """The theorem of Alidaee & Gopalan (1997): the same value, also with ties."""
    p, d = np.array([j[0] for j in jobs]), np.array([j[1] for j in jobs])
    value = tardiness(p, d, sequence_of("smtt", "mdd", p, d))
    assert tardiness(p, d, sequence_of("smtt", "psk", p, d)) == value
    assert tardiness(p, d, trusted_mdd(p, d)) == value


def test_psk_is_mdd_on_the_search_split() -> None:
    for i in TASKS["smtt"].instances("search"):
        p, d = decode(i.payload)
        assert tardiness(p, d, sequence_of("smtt", "psk", p, d)) == tardiness(
            p, d, sequence_of("smtt", "mdd", p, d)
        )


def test_edd_is_optimal_when_at_most_one_job_is_late_and_spt_when_all_are() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        p = rng.integers(1, 9, 7)
        loose, tight = np.cumsum(p)[rng.permutation(7)] + 5, np.zeros(7, dtype=np.int64)
        edd = tardiness(p, loose, sequence_of("smtt", "edd", p, loose))
        order = np.argsort(loose, kind="stable")
        if (np.cumsum(p[order]) > loose[order]).sum() <= 1:
            assert edd == least_tardiness(p.tolist(), loose.tolist())
        spt = tardiness(p, tight, sequence_of("smtt", "spt", p, tight))
        assert spt == least_tardiness(p.tolist(), tight.tolist())


def test_improvements_never_worsen_their_start() -> None:
    for p, d in small_instances(60, 25, seed=5):
        start = tardiness(p, d, sequence_of("smtt", "mdd", p, d))
        for name in ("mdd-insertion", "ils"):
            assert tardiness(p, d, sequence_of("smtt", name, p, d)) <= start


def score(task: Task, name: str, parameters: Mapping[str, object]) -> float:
    answer, function = answer_of(task), function_of(task, name)
    instances = task.instances("search").instances
    return aggregate(
        instances, [task.judge(i, answer(function, i.payload, parameters)).score for i in instances]
    )


@pytest.mark.parametrize("task", TASKS)
def test_shipped_scores_belong_to_the_files(task: str) -> None:
    bound = TASKS[task]
    shipped = bound.shipped_scores()
    assert set(shipped) == set(bound.baselines())
    for name, entry in shipped.items():
        assert set(entry.published) == {"search", "gate"}
        path = bound.baselines()[name].path
        if path is None:
            assert set(entry.published.values()) == {0.0}
            continue
        space = check(path.read_text(), bound.interface).space
        assert set(entry.tuned_parameters) == set(space)
        assert bool(entry.tuned) == bool(space)
        if space:
            assert entry.tuned["search"] <= entry.published["search"]
        if name != "ils":  # ten seconds; its file is covered above
            assert score(bound, name, {}) == pytest.approx(entry.published["search"], rel=1e-9)
            if space and name != "mdd-insertion":
                assert score(bound, name, entry.tuned_parameters) == pytest.approx(
                    entry.tuned["search"], rel=1e-9
                )


def test_no_shipped_scores_for_other_settings() -> None:
    assert load("smtt", {"families": "heavy"}).shipped_scores() == {}
    assert load("smtt-index", {"families": "pvw,small"}).shipped_scores() == {}
