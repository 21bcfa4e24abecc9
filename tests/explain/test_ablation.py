"""Which variants there are: each parses, is no larger, differs, and does what the edit says and nothing else."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

import pytest
from explain_samples import PLANTED, TANGLED, TASK, answers
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.candidate import Candidate, check, fingerprint
from discovery.explain.ablation import applied, edits, largest_first, variant, variants
from discovery.explain.orphans import quiet, reads
from evaluators.registry import load
from evaluators.task import Interface

SMTT = load("smtt")
BASELINES = {n: b.path.read_text() for n, b in SMTT.baselines().items() if b.path is not None}
CASES = [
    (PLANTED, TASK.interface),
    (TANGLED, TASK.interface),
    *((c, SMTT.interface) for c in BASELINES.values()),
]


def made(code: str, interface: Interface = TASK.interface) -> Candidate:
    return check(code, interface)


def told(code: str, interface: Interface = TASK.interface) -> set[str]:
    return {f"{e.before} → {e.after}" for e in edits(made(code, interface))}


def body(text: str) -> str:
    return f"import numpy as np\n\ndef rank(weights, volumes, capacity, *, a=1.0):\n    {text}\n"


# -- what is enumerated -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, before, after",
    [
        ("return weights + volumes", "weights + volumes", {"weights", "volumes"}),
        ("return weights - volumes", "weights - volumes", {"weights", "-volumes"}),
        ("return a * weights", "a * weights", {"a", "weights"}),
        ("return weights / volumes", "weights / volumes", {"weights", "1 / volumes"}),
        ("return weights ** a", "weights ** a", {"weights"}),
        ("return np.maximum(weights, a)", "np.maximum(weights, a)", {"weights", "a"}),
        ("return np.log(weights)", "np.log(weights)", {"weights"}),
        ("return np.where(weights, volumes, a)", "np.where(weights, volumes, a)", {"volumes", "a"}),
        ("return np.clip(weights, 0, 9)", "np.clip(weights, 0, 9)", {"weights"}),
        ("return weights if a else volumes", "weights if a else volumes", {"weights", "volumes"}),
        ("return np.argsort(weights[a + 1:])", "", set()),
        ("weights = volumes\n    return weights", "weights = volumes", {""}),
        ("x = volumes\n    return x", "", set()),
        ("x = volumes\n    return weights", "x = volumes", {""}),
        ("if a: return weights\n    return volumes", "if a: return weights", {"", "return weights"}),
        ("return sorted(weights, key=lambda i: (a, i))", "(a, i)", {"(i,)", "(a,)"}),
        ("return [w for w in weights if w]", "w", {""}),
    ],
)
def test_the_rules(text: str, before: str, after: set[str]) -> None:
    assert told(body(text)) == {f"{before} → {a}" for a in after}


def test_declarations_defaults_and_docstrings_are_left_alone() -> None:
    for e in edits(made(PLANTED)):
        assert "SEARCH_SPACE" not in e.before and "Density" not in e.before
        assert not isinstance(e.node, ast.arguments | ast.Import)


def test_every_arithmetic_node_has_its_neutral_forms() -> None:
    """Against a slow second opinion: each sum, product and quotient is replaced in a tree of its own and printed."""

    class One(ast.NodeTransformer):
        def __init__(self, target: int, side: str) -> None:
            self.target, self.side, self.count = target, side, -1

        def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
            self.count += 1
            if self.count == self.target:
                return getattr(node, self.side)  # type: ignore[no-any-return]
            return self.generic_visit(node)

    def opinions(code: str) -> Iterator[str]:
        for number in range(sum(isinstance(n, ast.BinOp) for n in ast.walk(ast.parse(code)))):
            for side in ("left", "right"):
                yield ast.dump(ast.parse(ast.unparse(One(number, side).visit(ast.parse(code)))))

    code = body("y = (weights + volumes * a) * (weights + 2.5)\n    return y + a * (volumes + y)")
    candidate = made(code)
    found = [applied(candidate.tree, [e]) for e in edits(candidate) if isinstance(e.node, ast.BinOp)]
    assert {ast.dump(ast.parse(ast.unparse(t))) for t in found} == set(opinions(code))


# -- what a variant is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code, interface", CASES)
def test_every_variant_is_a_smaller_other_candidate(code: str, interface: Interface) -> None:
    original = made(code, interface)
    before = original.hash
    found = variants(original, interface, most=60)
    assert found or "arange" in code, "only the trivial rule has nothing to leave out"
    hashes = [v.candidate.hash for v in found]
    assert len(set(hashes)) == len(hashes) and original.hash not in hashes
    for v in found:
        assert v.candidate.nodes <= original.nodes
        assert check(v.candidate.code, interface).hash == v.candidate.hash
        assert set(v.candidate.space) <= set(original.space)
        assert all(v.candidate.defaults[n] == original.defaults[n] for n in v.candidate.defaults)
    assert fingerprint(original.tree) == before, "the original was changed"


HEAD = """SEARCH_SPACE = {'a': {'low': 0.1, 'high': 4.0}}
def f(*values):
    return values[0]
def rank(weights, volumes, capacity, *, a=1.0):"""
NAMES = ["weights", "volumes", "capacity", "a"]


def expressions() -> st.SearchStrategy[str]:
    leaf = st.sampled_from([*NAMES, "2", "0.5", "weights[0]"])
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", "%", "&", "<<"]), inner).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            ),
            st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} > 0 else {t[2]})"),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.lists(inner, min_size=1, max_size=3).map(lambda a: f"f({', '.join(a)})"),
            inner.map(lambda x: f"[v for v in volumes if v > {x}]"),
            inner.map(lambda x: f"-{x}"),
        ),
        max_leaves=12,
    )


def blocks() -> st.SearchStrategy[list[str]]:
    e = expressions()
    simple = st.one_of(
        e.map(lambda x: [f"x = {x}"]),
        e.map(lambda x: [f"y = {x} + 1"]),
        e.map(lambda x: [f"x += {x}"]),
        e.map(lambda x: [f"f({x})"]),
    )

    def indented(lines: list[str]) -> list[str]:
        return [f"    {line}" for line in lines]

    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda t: t[0] + t[1]),
            st.tuples(e, inner).map(lambda t: [f"if {t[0]}:", *indented(t[1])]),
            st.tuples(e, inner, inner).map(
                lambda t: [f"if {t[0]}:", *indented(t[1]), "else:", *indented(t[2])]
            ),
            st.tuples(e, inner).map(lambda t: [f"for x in {t[0]}:", *indented(t[1])]),
            st.tuples(e, inner).map(lambda t: [f"while {t[0]}:", *indented(t[1])]),
            inner.map(lambda b: ["try:", *indented(b), "except ValueError:", "    pass"]),
        ),
        max_leaves=5,
    )


@given(blocks(), expressions(), st.integers(0, 2**32))
@settings(max_examples=150)
def test_any_program_has_only_smaller_other_variants(lines: list[str], result: str, seed: int) -> None:
    text = "\n".join([HEAD, *(f"    {line}" for line in lines), f"    return {result}", ""])
    original = made(text)
    found = variants(original, TASK.interface, most=25)
    for v in found:
        assert v.candidate.nodes <= original.nodes
        assert v.candidate.hash != original.hash
        compile(v.candidate.code, "<variant>", "exec")
    every = largest_first(original)
    some = random.Random(seed).sample(every, min(4, len(every)))
    together = variant(original, some, TASK.interface)
    if together is not None:
        assert together.candidate.nodes <= original.nodes
        compile(together.candidate.code, "<variant>", "exec")


def test_the_limit_keeps_what_takes_out_most() -> None:
    original = made(TANGLED)
    everything = variants(original, TASK.interface, most=1000)
    few = variants(original, TASK.interface, most=5)
    assert [v.candidate.hash for v in few] == [v.candidate.hash for v in everything[:5]]


def test_nested_edits_hold_together() -> None:
    original = made(body("return weights + a * volumes"))
    outer = next(e for e in edits(original) if e.after == "a * volumes")
    inner = next(e for e in edits(original) if e.after == "volumes")
    both = variant(original, (outer, inner), TASK.interface)
    assert both is not None and "return volumes" in both.candidate.code
    gone = next(e for e in edits(original) if e.after == "weights")
    same = variant(original, (gone, inner), TASK.interface)
    assert same is not None and "return weights" in same.candidate.code


# -- what goes with an edit -------------------------------------------------------------------------------------------


def test_what_only_served_a_removed_term_goes_too() -> None:
    original = made(PLANTED)
    edit = next(e for e in edits(original) if e.after == "weights / volumes ** power")
    found = variant(original, (edit,), TASK.interface)
    assert found is not None
    assert list(found.candidate.defaults) == ["power"] and list(found.candidate.space) == ["power"]
    for gone in ("bonus", "extra", "z"):
        assert gone not in reads(found.candidate.tree) and f"{gone} =" not in found.candidate.code
    assert "Density" in found.candidate.code, "the docstring says what it is"


def test_what_was_unread_before_is_an_ablation_of_its_own() -> None:
    code = body("unused = weights + 2.5\n    return weights * volumes")
    for v in variants(made(code), TASK.interface, most=50):
        dropped = "unused" not in v.candidate.code
        assert dropped == (v.edits[0].before == "unused = weights + 2.5")


@pytest.mark.parametrize(
    "text, is_quiet",
    [
        ("np.maximum(a, b).mean() + len(c)", True),
        ("heap.pop()", False),
        ("next(x)", False),
        ("(y := 3)", False),
    ],
)
def test_what_may_change_something_is_not_swept(text: str, is_quiet: bool) -> None:
    assert quiet(ast.parse(text, mode="eval").body) is is_quiet


@pytest.mark.parametrize("code", [PLANTED, TANGLED])
def test_sweeping_changes_no_answer(code: str) -> None:
    """Against a slow second opinion: the variant beside the bare edit, both run here."""
    original = made(code)
    compared = 0
    for edit in edits(original):
        if edit.kind == "loop" and edit.before.startswith("while"):
            continue
        bare = ast.unparse(applied(original.tree, [edit]))
        found = variant(original, (edit,), TASK.interface)
        if (
            found is None
            or "slack = slack" in edit.before
            or "slack - " in edit.before
            or "order[1:]" in edit.before
        ):
            continue  # what keeps a loop from ending
        assert answers(found.candidate.code) == answers(bare), edit.what
        compared += 1
    assert compared > 4
