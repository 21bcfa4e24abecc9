"""Candidate text: what is refused and why, what makes two texts equal, and how a tuned child is written."""

from __future__ import annotations

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from toy.task import Knapsack

from discovery.candidate import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NESTING,
    Refused,
    check,
    fingerprint,
    parse,
    with_defaults,
)
from searchspaces.space import Choice, FloatRange, IntRange

BAG = Knapsack.interface
HEAD = "def rank(weights, volumes, capacity"
PLAIN = f"{HEAD}):\n    return weights / volumes\n"


def tuned(keywords: str, space: str = "", body: str = "return weights") -> str:
    return (f"SEARCH_SPACE = {space}\n" if space else "") + f"{HEAD}, *, {keywords}):\n    {body}\n"


def reason(code: str) -> str:
    with pytest.raises(Refused) as refused:
        check(code, BAG)
    said = str(refused.value)
    assert said.strip() and "\n" not in said and len(said) < 500
    return said


def test_a_candidate_is_its_text_and_what_was_read_from_it() -> None:
    code = tuned(
        "a=1, b=0.5, rule='x'", "{'a': {'low': 1, 'high': 4}, 'b': {'low': 0.1, 'high': 2.0, 'log': True}}"
    )
    found = check(code, BAG)
    assert found.code == code
    assert found.defaults == {"a": 1, "b": 0.5, "rule": "x"}
    assert found.space == {"a": IntRange(1, 4), "b": FloatRange(0.1, 2.0, True)}
    assert found.nodes > check(PLAIN, BAG).nodes > 5 and len(found.hash) == 64


REFUSED = {
    "syntax": ("def rank(:\n", "syntax error in line 1"),
    "nothing": ("", "no top-level function 'rank'"),
    "other name": (
        "def order(weights, volumes, capacity):\n    return weights\n",
        "expected def rank(weights",
    ),
    "inside a class": (f"class A:\n    {HEAD}): return weights\n", "no top-level function"),
    "async": ("async " + PLAIN, "no top-level function"),
    "a lambda": ("rank = lambda weights, volumes, capacity: weights\n", "no top-level function"),
    "twice": (PLAIN + PLAIN, "defined 2 times"),
    "missing argument": (
        "def rank(weights, volumes):\n    return weights\n",
        "exactly the positional arguments",
    ),
    "other order": ("def rank(volumes, weights, capacity):\n    return weights\n", "exactly the positional"),
    "extra argument": (f"{HEAD}, more):\n    return weights\n", "exactly the positional"),
    "a default": ("def rank(weights, volumes, capacity=3):\n    return weights\n", "without defaults"),
    "*args": ("def rank(weights, volumes, capacity, *more):\n    return weights\n", "exactly the positional"),
    "**kwargs": (f"{HEAD}, **more):\n    return weights\n", "exactly the positional"),
    "no default": (tuned("k"), "'k' needs a number or string"),
    "computed default": (tuned("k=1 + x"), "'k' needs a number or string"),
    "None": (tuned("k=None"), "'k' needs a number or string"),
    "True": (tuned("k=True"), "'k' needs a number or string"),
    "a list": (tuned("k=[1]"), "'k' needs a number or string"),
    "infinite": (tuned("k=1e999"), "not finite"),
    "os": ("import os\n" + PLAIN, "import of 'os' is not allowed"),
    "os inside": (f"{HEAD}):\n    import os\n    return weights\n", "import of 'os' is not allowed"),
    "from os": ("from os.path import join\n" + PLAIN, "import of 'os.path' is not allowed"),
    "like numpy": ("import numpyx\n" + PLAIN, "import of 'numpyx' is not allowed"),
    "relative": ("from . import x\n" + PLAIN, "relative imports"),
    "second of two": ("import math, sys\n" + PLAIN, "import of 'sys' is not allowed"),
    "null byte": (PLAIN + "\0", "null byte"),
    "surrogate": (PLAIN + "# \ud800", "not valid Unicode"),
    "huge": (PLAIN + "#" * MAX_BYTES, f"at most {MAX_BYTES} are allowed"),
    "space twice": (tuned("k=1", "{}") + "SEARCH_SPACE = {}\n", "assigned more than once"),
    "space computed": (tuned("k=1", "dict(k=[1])"), "literal dictionary"),
    "space unknown": (tuned("k=1", "{'j': [1, 2]}"), "names 'j'"),
    "default outside": (tuned("k=9", "{'k': {'low': 1, 'high': 3}}"), "lies outside its SEARCH_SPACE (1, 3)"),
    "default no choice": (tuned("k='c'", "{'k': ['a', 'b']}"), "lies outside its SEARCH_SPACE ('a', 'b')"),
    "float for int": (tuned("k=1.5", "{'k': {'low': 1, 'high': 3}}"), "lies outside"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_why(name: str) -> None:
    code, said = REFUSED[name]
    assert said in reason(code)


HUGE = {
    "hexadecimal": (PLAIN + "x = 0x" + "f" * 4_000 + "\n", "of 16000 bits"),
    "default of a float range": (
        tuned("k=1" + "0" * 400, "{'k': {'low': 0.0, 'high': 3.0}}"),
        "of 1329 bits",
    ),
    "default without a range": (tuned("k=-0x1" + "0" * 16), "of 65 bits"),
    "bound": (tuned("k=1", "{'k': {'low': 1, 'high': 0x" + "f" * 4_000 + "}}"), "of 16000 bits"),
    "pattern": (
        f"{HEAD}):\n    match capacity:\n        case 0x{'f' * 4_000}:\n            return weights\n",
        "line 3",
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_whole_numbers_without_decimal_text_or_float_are_refused(name: str) -> None:
    code, said = HUGE[name]
    assert said in reason(code)
    with pytest.raises(Refused, match="at most 64 are allowed"):
        parse(code)


def test_whole_numbers_of_64_bits_are_taken() -> None:
    assert check(tuned("k=0x" + "f" * 16), BAG).defaults == {"k": 2**64 - 1}


BOMBS = {
    "brackets": "x = " + "(" * (MAX_NESTING + 1) + ")" * (MAX_NESTING + 1),
    "many brackets": "x = " + "[" * 15_000,
    "minus": "x = " + "-" * 10_000 + "1",
    "not": "x = " + "not " * 8_000 + "1",
    "mixed signs": "x = " + "- + ~ " * 3_000 + "1",
    "operators": "x = " + "1+" * 10_000 + "1",
    "power": "x = " + "1**" * 8_000 + "1",
    "attributes": "x = a" + ".a" * 12_000,
    "calls": "x = a" + "()" * 12_000,
    "subscripts": "x = a" + "[0]" * 8_000,
    "lambdas": "x = " + "lambda: " * 4_000 + "1",
    "conditions": "x = " + "1 if 1 else " * 2_500 + "1",
    "elif": "if x:\n pass\n" + "elif x:\n pass\n" * 2_000,
    "blocks": "".join(" " * k + "if 1:\n" for k in range(99)) + " " * 99 + "pass\n",
    "many blocks": "".join(" " * k + "if 1:\n" for k in range(240)),
    "fstring": 'x = f"' + "{" * 200 + "1" + "}" * 200 + '"',
    "closed first": ")" * 9_000 + "(" * 9_000,
    "comparison": "x = " + "1 < " * 8_000 + "1",
    "await": "async def f():\n " + "await " * 5_000 + "x",
    "star": "x = " + "*" * 9_000 + "y",
}


@pytest.mark.parametrize("name", BOMBS)
def test_nesting_bombs_do_no_harm(name: str) -> None:
    """Each is refused, or is flat enough to be walked; none crashes the parser or this process."""
    code = PLAIN + BOMBS[name] + "\n"
    try:
        tree = parse(code)
    except Refused as refused:
        assert str(refused)
    else:
        assert len(fingerprint(tree)) == 64 and ast.dump(tree)


def test_what_is_just_within_bounds_is_taken() -> None:
    deep = "(" * (MAX_NESTING - 1) + "1" + ")" * (MAX_NESTING - 1)
    assert check(PLAIN + f"x = {deep}\n", BAG)
    assert check(PLAIN + "#" * (MAX_BYTES - len(PLAIN) - 1) + "\n", BAG)
    chain = "x = " + "+".join(["1"] * (MAX_DEPTH - 10)) + "\n"
    assert check(PLAIN + chain, BAG)
    assert "deeper" in reason(PLAIN + "x = " + "+".join(["1"] * (MAX_DEPTH + 10)) + "\n")


@given(st.text(max_size=300))
@example("\ufeffx = 1")
@example("x = '\\N{no such name}'")
@example("# coding: latin-1\nx = 'é'")
@example("x = 0o9")
@example("'\\ud800'")
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        fingerprint(parse(text))
    except Refused as refused:
        assert str(refused)


@pytest.mark.parametrize(
    "module", ["numpy", "numpy.random", "math", "__future__", "heapq", "collections.abc"]
)
def test_allowed_imports(module: str) -> None:
    code = f"from {module} import annotations\n" if module == "__future__" else f"import {module}\n"
    assert check(code + PLAIN, BAG)


# -- the hash --

SAME = {
    "comment": PLAIN.replace("\n", "  # fast\n"),
    "layout": "\n\ndef rank( weights,volumes ,\n         capacity ) :\n\n    return  (weights / volumes)\n\n",
    "module docstring": '"""Says something."""\n' + PLAIN,
    "docstring": f'{HEAD}):\n    """Says."""\n    return weights / volumes\n',
    "line ends": PLAIN.replace("\n", "\r\n"),
    "tabs": PLAIN.replace("    ", "\t"),
}
OTHER = {
    "name": PLAIN.replace("rank(weights", "rank(w").replace("return weights", "return w"),
    "constant": PLAIN.replace("weights / volumes", "weights / volumes * 1.0"),
    "int or float": tuned("k=1"),
    "float": tuned("k=1.0"),
    "default": tuned("k=2"),
    "unused import": "import math\n" + PLAIN,
    "space": tuned("k=1", "{'k': {'low': 1, 'high': 4}}"),
    "other space": tuned("k=1", "{'k': {'low': 1, 'high': 5}}"),
    "annotation": PLAIN.replace("capacity)", "capacity: int)"),
}


@pytest.mark.parametrize("name", SAME)
def test_layout_comments_and_docstrings_do_not_count(name: str) -> None:
    assert check(SAME[name], BAG).hash == check(PLAIN, BAG).hash
    assert check(SAME[name], BAG).nodes == check(PLAIN, BAG).nodes


def test_everything_else_counts() -> None:
    hashes = [fingerprint(parse(code)) for code in (PLAIN, *OTHER.values())]
    assert len(set(hashes)) == len(hashes)


def test_a_function_of_nothing_but_a_docstring_keeps_its_shape() -> None:
    assert check(f'{HEAD}):\n    """Only words."""\n', BAG).hash == check(f"{HEAD}):\n    pass\n", BAG).hash


# -- the text of a tuned child --

names = st.sampled_from(["alpha", "β", "weight_2", "größe"])
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
RANK = "def rank(weights, volumes, capacity, *, {keywords}):"
TEXTS = [
    "# Größe ≥ ½ 😀: {names}\nSEARCH_SPACE = {{}}\n\n" + RANK + "  # {{}} 1.0\n    return weights  # 😀\n",
    "def rank(weights, volumes, capacity, *,\n    {lines},\n):\n"
    '    """α = 1.0"""\n    s = "é=1"\n    return weights\n',
    "x = '\x0c'\n" + RANK + "\r\n    return weights\r\n",
    "x = 1\x0c\n" + RANK + " return weights",
    "s = '''\n\x85 \u2028 \x0b\n'''\ndef helper(a, *, {keywords}):\n    return a\n"
    + RANK
    + "\n    return weights\n",
]


@given(st.sampled_from(TEXTS), st.dictionaries(names, values, min_size=1), st.data())
def test_a_tuned_text_has_the_new_defaults_and_nothing_else_new(
    text: str, old: dict[str, object], data: st.DataObject
) -> None:
    keywords = ", ".join(f"{n}={v!r}" for n, v in old.items())
    lines = ",\n    ".join(f"{n} = ({v!r})" for n, v in old.items())
    code = text.format(names=", ".join(old), keywords=keywords, lines=lines)
    candidate = check(code, BAG)
    new = {n: data.draw(values, label=n) for n in data.draw(st.sets(st.sampled_from(sorted(old))))}
    written = with_defaults(candidate, new)
    child = check(written, BAG)
    assert child.defaults == {**candidate.defaults, **new}
    assert {n: type(v) for n, v in child.defaults.items()} == {
        n: type(v) for n, v in {**candidate.defaults, **new}.items()
    }
    back = with_defaults(child, {n: candidate.defaults[n] for n in new})
    assert back == with_defaults(candidate, {n: candidate.defaults[n] for n in new}), (
        "only the defaults differ"
    )
    assert fingerprint(parse(back)) == candidate.hash


def test_unchanged_values_change_nothing() -> None:
    code = "# é 😀\n" + tuned("a=1, b='x'")
    assert with_defaults(check(code, BAG), {}) == code
    assert with_defaults(check(code, BAG), {"a": 1}) == code


def test_unknown_names_are_an_error() -> None:
    with pytest.raises(KeyError):
        with_defaults(check(tuned("a=1"), BAG), {"b": 2})


def test_negative_defaults_are_replaced_whole() -> None:
    assert "a=-2.5, b=3" in with_defaults(check(tuned("a=-1.0, b=-(7)"), BAG), {"a": -2.5, "b": 3})


@pytest.mark.parametrize(
    ("literal", "space"),
    [
        ("{'k': {'low': 0.0, 'high': 2.0}}", {"k": FloatRange(0.0, 2.0)}),
        ("{'k': {'low': 0, 'high': 2.0}}", {"k": FloatRange(0.0, 2.0)}),
        ("{'k': {'low': 1, 'high': 2}}", {"k": IntRange(1, 2)}),
        ("{'k': [1, 2.5, 'a']}", {"k": Choice((1, 2.5, "a"))}),
        ("{'k': (1, 2)}", {"k": Choice((1, 2))}),
        ("{}", {}),
    ],
)
def test_spaces(literal: str, space: dict[str, object]) -> None:
    assert check(tuned("k=1", literal), BAG).space == space


def test_an_annotated_or_local_space_is_no_space() -> None:
    assert check(tuned("k=1", body="SEARCH_SPACE = {'k': 3}; return weights"), BAG).space == {}


def test_a_helper_with_the_same_keywords_is_left_alone() -> None:
    code = "def helper(a, *, k=1):\n    return a * k\n\n" + tuned("k=1", body="return helper(weights, k=k)")
    assert with_defaults(check(code, BAG), {"k": 5}) == code.replace("capacity, *, k=1", "capacity, *, k=5")
