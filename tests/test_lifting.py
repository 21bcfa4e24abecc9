"""Literals become parameters and come back as literals: which ones, with which ranges, and nothing else changes."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy.loop import Scripted, Toy, by_slot, rule
from toy.task import Knapsack

from discovery.candidate import Candidate, check
from discovery.errors import UsageError
from discovery.evaluation import Evaluation
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.lifting import MOST, Numbers, literals, relevant
from discovery.review import summary
from discovery.study import tune_text
from discovery.tuning import GAINED, LIFTED
from evaluators.task import Task
from searchspaces.space import FloatRange, IntRange

TASK = Knapsack({})


def candidate(body: str, **more: Any) -> Candidate:
    return check(rule(body, **more), TASK.interface)


@pytest.mark.parametrize(
    ("body", "lifted"),
    [
        ("return 0.5 * weights + volumes / 3", [0.5, 3]),
        ("return weights ** 0.5 - volumes ** 2", [0.5]),
        ("return weights * -0.3", [0.3]),
        ("return np.where(weights > 12, np.maximum(volumes, 2.5), 7)", [12, 2.5, 7]),
        ("return weights if capacity > 40 else 0.25", [40, 0.25]),
        ("return weights + (0.7 if capacity > 40 else 0.2)", [0.7, 40, 0.2]),
        ("a = 0.5\n    b = 3\n    return a * weights", [0.5]),
        ("return np.exp(-0.01 * volumes) * weights", [0.01]),
        ("return weights * 1 + 0 - volumes * 0.0", []),
        ("return weights[2:5] + weights[-3] + weights[int(0.5 * 3)]", []),
        ("return weights.reshape(2, 3) + np.zeros(4) + np.full(5, 0.5) + np.round(weights, 2)", []),
        ("return np.argsort(weights, axis=2) + np.linspace(0.5, 2.5, 9)", []),
        ("return [k * 2.5 for k in range(12)]", [2.5]),
        ("for k in range(7 * 2):\n        weights = weights + 0.5\n    return weights", [0.5]),
        ("k = 2\n    while k < 9:\n        k += 2\n    return weights", []),
        ("return weights % 7 + weights // 3 + (weights << 2)", []),
        ("return weights if len(weights) > 5 else volumes * (weights.size * 3) / volumes.shape[0]", []),
        ("return weights if capacity == 17 or capacity % 2 == 4 else volumes", []),
        ("return weights + 1e9 + 1e-9 + 1e999", []),
        ("return weights + (0.5 + 2j) + True", [0.5]),
        ("return weights + float(f'{0.5 * capacity}')", []),
        ("return sorted(weights, key=lambda w: 0.5 * w)", [0.5]),
    ],
)
def test_what_is_lifted(body: str, lifted: list[float]) -> None:
    assert [x.value for x in literals(candidate(body))] == lifted


def test_everywhere_but_what_is_declared() -> None:
    """Helpers, their defaults and constants of the module too: the child is text, not a call."""
    head = "import numpy as np\nSCALE = 2.5\nSEARCH_SPACE = {'a': {'low': 0.125, 'high': 8.0}}\n"
    head += "def curve(x, power=1.5):\n    return x ** power / 40\n"
    made = candidate("return a * curve(weights) + 0.75", keywords="a=0.5", head=head)
    assert [(x.name, x.value, x.line) for x in literals(made)] == [
        ("c1", 2.5, 2), ("c2", 1.5, 4), ("c3", 40, 5), ("c4", 0.75, 9)
    ]  # fmt: skip
    assert set(Numbers(made, literals(made)).space) == {"a", "c1", "c2", "c3", "c4"}


def test_at_most_so_many_arithmetic_first() -> None:
    body = f"a = 0.11\n    return weights * {' * '.join(f'{k}.5' for k in range(2, 2 + MOST))} * 9 + a"
    found = [x.value for x in literals(candidate(body))]
    assert len(found) == MOST and 0.11 not in found and 9 not in found
    assert [x.value for x in literals(candidate("a = 0.5\n    return 2 * weights + a * 0.25"), 2)] == [
        2,
        0.25,
    ]
    assert literals(candidate("return weights * 0.5"), 0) == ()


def test_names_do_not_collide() -> None:
    made = candidate("c2 = 0.5 * weights\n    return c2 * 0.25", keywords="c1=3")
    assert [x.name for x in literals(made)] == ["c3", "c4"]


@given(st.one_of(st.floats(1e-4, 999999.0), st.integers(2, 999999)))
def test_a_range_holds_its_value_keeps_its_kind_and_its_sign(value: float) -> None:
    (literal,) = literals(candidate(f"return weights * {value!r}"))
    declared = literal.range
    assert isinstance(declared, IntRange if isinstance(value, int) else FloatRange)
    assert declared.holds(value) and 0 < declared.low < declared.high and declared.high == 4 * value
    assert not declared.log or declared.low > 0
    space = {"x": {"low": declared.low, "high": declared.high, "log": declared.log}}
    head = f"SEARCH_SPACE = {space!r}"
    assert candidate("return weights * x", keywords=f"x={value!r}", head=head).space["x"] == declared


# -- modules of all kinds --

NUMBERS = st.one_of(
    st.floats(1e-6, 1e7).map(repr),
    st.integers(0, 10**7).map(str),
    st.sampled_from(["1_000", "0x1f", "3.", ".5", "5e-1"]),
)
EXPRESSIONS = st.recursive(
    st.one_of(NUMBERS, st.sampled_from(["weights", "volumes", "capacity", "len(weights)", "a"])),
    lambda inner: st.one_of(
        st.tuples(
            inner, st.sampled_from(["+", "-", "*", "/", "**", "%", "//", "<", ">=", "==", "or"]), inner
        ).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda e: f"-{e}"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(st.sampled_from(["max", "np.clip", "range", "np.exp"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
        inner.map(lambda e: f"(lambda é: é * {e})(weights)"),
        st.tuples(inner, inner).map(lambda t: f"weights[{t[0]}:{t[1]}]"),
        inner.map(lambda e: f"[{e} for _ in range(3)]"),
    ),
    max_leaves=12,
)
STATEMENTS = st.one_of(
    EXPRESSIONS.map(lambda e: f"x = {e}"),
    EXPRESSIONS.map(lambda e: f"x = ('é', {e})  # é\r"),
    EXPRESSIONS.map(lambda e: f"x = ({e} +\n         {e})"),
    EXPRESSIONS.map(lambda e: f"if {e}:\n        x = {e}"),
    EXPRESSIONS.map(lambda e: f"while {e}:\n        break"),
)
MODULES = st.lists(STATEMENTS, min_size=1, max_size=4).map(
    lambda s: rule(
        "\n    ".join([*s, "return weights * 0.5"]), keywords="a=0.5", head="import numpy as np\nB = 0.3"
    )
)


@given(MODULES, st.data())
def test_folding_changes_the_literals_and_nothing_else(text: str, data: st.DataObject) -> None:
    made = check(text, TASK.interface)
    numbers = Numbers(made, literals(made))
    assert numbers.text(numbers.defaults) == text, "the original values give the text to the letter"
    written = numbers.text({x.name: x.value + 0 for x in numbers.literals})
    assert check(written, TASK.interface).hash == made.hash
    values: dict[str, Any] = {}
    for x in numbers.literals:
        assert isinstance(x.range, FloatRange | IntRange)
        if isinstance(x.range, IntRange):
            values[x.name] = data.draw(st.integers(x.range.low, x.range.high))
        else:
            values[x.name] = data.draw(st.floats(x.range.low, x.range.high))
    child = check(numbers.text(values), TASK.interface)
    # The same on a tree: an independent way to the same module.
    tree, places = ast.parse(text), {(x.line, x.node.col_offset): values[x.name] for x in numbers.literals}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and (node.lineno, node.col_offset) in places:
            node.value = places[node.lineno, node.col_offset]
    assert ast.unparse(child.tree) == ast.unparse(tree)
    assert child.defaults == made.defaults


# -- in the sandbox --


def test_what_a_trial_runs_is_what_its_child_scores(bag_executor: Executor, knapsack: Task) -> None:
    head = "SEARCH_SPACE = {'a': {'low': 0.0, 'high': 2.0}}\ndef part(x):\n    return x ** 1.25\n"
    made = candidate("return weights / part(volumes) ** a + 0.5", keywords="a=0.5", head=head)
    numbers = Numbers(made, literals(made))
    search = knapsack.instances("search")

    def scores(code: str, parameters: Any) -> tuple[float, ...]:
        result = bag_executor.submit(StageJob(code, search, parameters)).result()
        assert result.outcome == "scored", result.reason
        return result.scores

    own = scores(made.code, {})
    assert scores(numbers.code(numbers.defaults), numbers.declared(numbers.defaults)) == own
    values = {"a": 1.5, "c1": 0.4, "c2": 2.0}
    moved = scores(numbers.code(values), numbers.declared(values))
    assert moved == scores(numbers.text(values), {}) != own


def test_a_literal_that_changes_no_answer_is_left(bag_executor: Executor, knapsack: Task) -> None:
    made = candidate("return 0.75 * (weights / volumes ** 0.3 + 2.5)")
    numbers, search = Numbers(made, literals(made)), knapsack.instances("search")
    runs: list[int] = []

    def run(code: str, count: int) -> StageResult:
        runs.append(count)
        part = type(search)("part", search.instances[:count])
        return bag_executor.submit(StageJob(code, part, {})).result()

    whole = bag_executor.submit(StageJob(made.code, search, {})).result().scores
    names, cost = relevant(numbers, whole, 3, run)
    assert names == {"c2"}, "a factor and a summand change no order"
    assert set(runs) == {3} and 5 <= len(runs) <= 6 and cost == 1

    failing = candidate("return weights / (volumes * 0 + (0 if 0.5 > 0.6 else 1)) if True else 1 / 0")
    assert relevant(
        Numbers(failing, literals(failing)), whole, 3,
        lambda *_: StageResult("error", "x", (), (), ()),
    )[0] == {"c1", "c2"}, "one that breaks the code matters"  # fmt: skip


PLAIN = rule("return weights / volumes ** 0.2")
BOTH = rule(
    "return weights / volumes ** (power * 0.5)",
    keywords="power=0.4",
    head='SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}',
)


def test_a_run_writes_the_tuned_values_back(toy: Toy) -> None:
    """Without lifting the same run tunes nothing of it."""
    toy.propose(Scripted(by_slot([PLAIN, BOTH, rule("return weights"), rule("return -weights")])))
    shape = {"samples": 4, "batch": 4, "trials": 12, "islands": 1}
    without = toy.start(**shape, db="without")
    assert {k for k, kind in toy.entries(without.run, "without") if kind == "tuned"} <= {1}
    report = toy.start(**shape, lift_constants=True)
    entries = toy.entries(report.run)
    child = entries[0, "tuned"]
    assert child.tuning_gain is not None and child.tuning_gain > 0
    with toy.ledger() as ledger:
        code = ledger.candidate_code(child.candidate or "")
        gained = {e.data["k"]: e.data for e in ledger.events(report.run, GAINED)}
        lifted = {e.data["k"]: e.data for e in ledger.events(report.run, LIFTED)}
        studies = {s.k: s for s in ledger.studies(report.run)}
        told: Any = summary(ledger, report.run).to_json()
        one: Any = summary(ledger, child.candidate or "").to_json()
    now = gained[0]["literals"][0]["now"]  # type: ignore[index]
    assert code == PLAIN.replace("0.2", repr(now)) and now != 0.2, "as before, with a better number"
    assert gained[0]["gain"] == child.tuning_gain, "all of it comes from the literal"
    assert lifted[0]["literals"] == [{"name": "c1", "line": 4, "was": 0.2}]
    spent = lifted[0]["trials"]
    assert isinstance(spent, int) and spent >= 1 and studies[0].n_trials == 12 - spent, (
        "probes count as trials"
    )
    assert told["tuning"]["literals"] >= 1 and one["tuning"]["literals"] == lifted[0]["literals"]
    assert one["tuning"]["lifted"] == child.tuning_gain
    gains = told["gains"]
    if report.best.candidate == child.candidate:
        assert math.isclose(gains["lifted"], gains["tuning"]) and gains["lifted"] > 0


def test_each_kind_of_number_has_its_own_part(toy: Toy) -> None:
    toy.propose(Scripted(by_slot([BOTH, rule("return weights"), rule("return -weights")])))
    report = toy.start(samples=3, batch=3, trials=14, islands=1, lift_constants=True)
    child = toy.entries(report.run)[0, "tuned"]
    with toy.ledger() as ledger:
        (study,) = ledger.studies(report.run)
        best = min((t for t in ledger.trials(study.id) if t.value is not None), key=lambda t: -(t.value or 0))
        gained = [e.data["gain"] for e in ledger.events(report.run, GAINED)]
    assert set(best.parameters) == {"power", "c1"}, "the author's parameter and the literal in one study"
    assert child.tuning_gain is not None and len(gained) == 1 and isinstance(gained[0], float)
    assert gained[0] != child.tuning_gain, "the parameter has a part of its own"


def test_a_killed_study_goes_on_with_the_same_literals(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a probe found is written down, so it is not asked again."""
    toy.propose(Scripted(by_slot([PLAIN, BOTH, rule("return weights")]), paid=True))
    shape = {"samples": 3, "batch": 3, "trials": 8, "islands": 1, "lift_constants": True}
    digest = toy.digest(toy.start(**shape, db="whole").run, "whole")
    trial, calls = Evaluation.trial, []

    def dying(
        self: Evaluation, of: Any, code: str, parameters: Any, watch: Any, count: int | None = None
    ) -> StageResult:
        if count is None and len(calls) == 2:
            raise KeyboardInterrupt
        calls.extend([count] if count is None else [])
        return trial(self, of, code, parameters, watch, count)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluation, "trial", dying)
        with pytest.raises(KeyboardInterrupt):
            toy.start(**shape)
    with toy.ledger() as ledger:
        run = ledger.runs()[0].id
        before = ledger.count_events(run, LIFTED)
    assert before >= 1
    probes: list[int] = []

    def counting(
        self: Evaluation, of: Any, code: str, parameters: Any, watch: Any, count: int | None = None
    ) -> StageResult:
        probes.extend([count] if count is not None else [])
        return trial(self, of, code, parameters, watch, count)

    monkeypatch.setattr(Evaluation, "trial", counting)
    toy.resume(run)
    assert toy.digest(run) == digest
    with toy.ledger() as ledger:
        studies = len(ledger.studies(run))
        assert ledger.count_events(run, LIFTED) == studies
    assert bool(probes) == (studies > before)


def test_a_file_is_tuned_with_its_literals(installed: Any) -> None:
    assert installed
    with pytest.raises(UsageError, match="--lift-constants tunes numbers that stand in the code"):
        tune_text(PLAIN, TASK, trials=5, seed=1)
    report = tune_text(PLAIN, TASK, trials=12, seed=1, lift=True)
    assert report.tuned_score > report.default_score and [x.name for x in report.literals] == ["c1"]
    assert report.code == PLAIN.replace("0.2", repr(report.parameters["c1"]))
    assert tune_text(PLAIN, TASK, trials=12, seed=1, lift=True) == report
    with pytest.raises(UsageError, match="no number in the code changes a score"):
        tune_text(rule("return weights * 0.5"), TASK, trials=5, seed=1, lift=True)
    with pytest.raises(UsageError, match="has no number to lift"):
        tune_text(rule("return weights"), TASK, trials=5, seed=1, lift=True)
