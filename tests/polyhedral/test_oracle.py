"""What a candidate may ask: replies, refusals, and a budget that other calls do not change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import options

from evaluators.polyhedral import adapter, codegen, oracle
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.language import parse
from evaluators.polyhedral.tree import original
from evaluators.task import InvalidAnswer

pytest.importorskip("islpy", reason="islpy is not installed")

KERNELS = Path(codegen.__file__).parent / "kernels"
Ask = Callable[[bytes], bytes | None]


def compiler_of(name: str) -> Compiler:
    return Compiler(parse((KERNELS / f"{name}.poly").read_text("utf-8"), name))


def opened(compiler: Compiler) -> Ask:
    return oracle.oracle(compiler, compiler.program.at(0))


def said(ask: Ask, *question: Any) -> Any:
    reply = ask(json.dumps(question).encode())
    return None if reply is None else json.loads(reply)


def test_questions_about_transforms() -> None:
    ask = opened(compiler_of("gemm"))
    apart = ["distribute", "i", 1]
    assert said(ask, "legal", []) == said(ask, "legal", [apart]) == ""
    assert said(ask, "tree", []) == [["i", [["j", ["S0"]], ["k", [["j2", ["S1"]]]]]]]
    assert said(ask, "tree", [apart]) == [["i", [["j", ["S0"]]]], ["i2", [["k", [["j2", ["S1"]]]]]]]
    assert said(ask, "parallel", [[apart], None]) == ["i", "j", "i2", "j2"]
    assert said(ask, "parallel", [[apart], ["k", "j2", "nothing"]]) == ["j2"]
    assert said(ask, "footprint", {}) == 8 * (19 * 23 + 19 * 26 + 26 * 23)


def test_a_refusal_is_a_text() -> None:
    ask = opened(compiler_of("gemm"))
    for wrong, reason in (
        ([["reverse", "k"]], "transform 0 (Reverse) breaks the flow dependence from S1 to S1 through C"),
        (
            [["reverse", "x"], ["reverse", "i"]],
            "transform 0 (Reverse): there is no loop 'x'; there are i, j, k, j2",
        ),
        ([["reverse"]], "transform 0: reverse takes loop"),
        (["reverse"], "transform 0: expected a name (fuse,"),
        ({"a": 1}, "expected a list of at most 64 transforms"),
        (
            [["parallel", "k"]],
            "transform 0 (Parallel): k carries the flow dependence from S1 to S1 through C",
        ),
    ):
        assert said(ask, "legal", wrong).startswith(reason)
        assert said(ask, "tree", wrong) == said(ask, "parallel", [wrong, None]) == []


@pytest.mark.parametrize(
    "question",
    [
        b"", b"\xff", b"{", b"[" * 9000, b"1", b"null", b'["legal"]', b'["legal", [], 1]', b'["illegal", []]',
        b'[["legal"], []]', b'{"a": 1, "b": 2}', b'["footprint", []]', b'["footprint", {"i": 0}]',
        b'["footprint", {"i": 1.5}]', b'["footprint", {"i": true}]', b'["footprint", {"i": 1e9}]',
        b'["footprint", {"i": 9999999999999}]', b'["parallel", []]', b'["parallel", [[], 1]]', b'["parallel", {}]',
    ],
)  # fmt: skip
def test_what_is_no_question_refuses_the_answer(question: bytes) -> None:
    with pytest.raises(InvalidAnswer) as refused:
        opened(compiler_of("mvt"))(question)
    assert "\n" not in str(refused.value)


def test_the_budget_counts_each_proof_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "PROOFS", 12)
    ask = opened(compiler_of("mvt"))
    shifts = [["shift", "S0", "i", k] for k in range(1, 20)]
    for shift in shifts[:5]:
        assert said(ask, "legal", [shift]) == ""
    for _ in range(50):  # what was asked costs nothing any more
        assert said(ask, "legal", [shifts[0]]) == "" and said(ask, "tree", [shifts[4]]) != []
    assert said(ask, "legal", shifts[:3]) == ""  # two new: 7 spent
    assert said(ask, "parallel", [[], ["i"]]) == ["i"]  # 8
    assert said(ask, "parallel", [[], ["i", "j"]]) == ["i"]  # 9
    assert said(ask, "parallel", [[], None]) == ["i", "i2"]  # 11
    assert said(ask, "legal", [["reverse", "nothing"]]) != ""  # 12
    assert said(ask, "legal", [["reverse", "nothing"]]) != ""
    assert said(ask, "legal", [shifts[9]]) is None
    assert said(ask, "legal", []) is None, "beyond the budget there are no more answers"


def test_all_questions_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "MOST_QUESTIONS", 5)
    ask = opened(compiler_of("mvt"))
    replies = [
        said(ask, *q) for q in [("legal", []), ("tree", []), ("footprint", {}), ("legal", [1]), ("legal", [])]
    ]
    assert None not in replies
    assert said(ask, "footprint", {}) is said(ask, "legal", []) is None


WARM = compiler_of("lu")


@settings(max_examples=15)
@given(st.data())
def test_what_other_calls_made_known_changes_no_reply(data: st.DataObject) -> None:
    """The same questions to a compiler that has answered them all and to one that knows nothing."""
    choices = [o for some in options(original(WARM.program), WARM.program).values() for o in some]
    lists = data.draw(st.lists(st.lists(st.sampled_from(choices), max_size=4), min_size=10, max_size=25))
    asked = [
        (what, [one, None] if what == "parallel" else one)
        for one, what in zip(
            lists,
            data.draw(st.lists(st.sampled_from(["legal", "tree", "parallel"]), min_size=25, max_size=25)),
            strict=False,
        )
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oracle, "PROOFS", 20)
        patch.setattr(oracle, "MOST_QUESTIONS", 20)
        for what, about in asked:
            if what != "parallel":
                said(opened(WARM), what, about)
        cold, warm = opened(compiler_of("lu")), opened(WARM)
        first = [said(cold, *q) for q in asked]
        assert first == [said(warm, *q) for q in asked]
        known = next((k for k, r in enumerate(first) if r is None), len(first))
        assert all(r is None for r in first[known:]) or known == len(first)


# -- the child's side -----------------------------------------------------------------------------------------------


def child(name: str) -> adapter.Oracle:
    ask = opened(compiler_of(name))

    def reply(question: bytes) -> bytes:
        assert len(question) == adapter.QUERY_BYTES
        answer = ask(question)
        assert answer is not None
        return answer

    return adapter.Oracle(reply)


def test_the_child_asks_the_same() -> None:
    asking = child("gemm")
    apart = ("distribute", "i", np.int64(1))
    assert asking.is_legal([apart]) and not asking.is_legal([("reverse", "k")])
    assert asking.reason([]) == "" and "breaks" in asking.reason([("reverse", "k")])
    assert asking.tree([apart]) == (("i", (("j", ("S0",)),)), ("i2", (("k", (("j2", ("S1",)),)),)))
    assert asking.tree([("reverse", "k")]) == () == asking.parallel_loops([("reverse", "k")])
    assert asking.parallel_loops([apart]) == ("i", "j", "i2", "j2")
    assert asking.is_parallel([], "j2") and not asking.is_parallel([], "k")
    assert asking.footprint({"k": np.int64(1), "j2": 4}) > 0


def test_transforms_become_a_text_of_fixed_length() -> None:
    given_ = [("tile", ("i", "j"), np.array([8, 16])), ["unroll", "k", np.int32(4)]]
    text = adapter.padded(given_, adapter.ANSWER_BYTES)
    assert len(text) == adapter.ANSWER_BYTES
    assert json.loads(text) == [["tile", ["i", "j"], [8, 16]], ["unroll", "k", 4]]
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for wrong in ([{1, 2}], [object()], [b"i"], deep, [("reverse", "i" * adapter.ANSWER_BYTES)]):
        with pytest.raises(ValueError, match="transforms"):
            adapter.padded(wrong, adapter.ANSWER_BYTES)
