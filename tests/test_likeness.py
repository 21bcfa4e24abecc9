"""What two candidates have in common: blind to names, order and numbers, and to nothing else."""

from __future__ import annotations

import pytest
from toy.loop import rule
from toy.task import Knapsack

from discovery.candidate import check
from discovery.population.likeness import Likeness, jaccard, likeness

BASE = """
import numpy as np

SEARCH_SPACE = {"power": {"low": 0.1, "high": 3.0}}

def scaled(values, top):
    return values / top

def rank(weights, volumes, capacity, *, power=0.5, share=2):
    \"\"\"Weight for volume.\"\"\"
    tight = volumes / capacity
    heavy = scaled(weights, weights.max())
    bonus = []
    for k, v in enumerate(volumes):
        if v > share * capacity:
            bonus.append(0.25 * heavy[k])
        else:
            bonus.append(0.0)
    return heavy / tight ** power + np.maximum(np.array(bonus), tight)
"""


def of(code: str) -> Likeness:
    return likeness(check(code, Knapsack.interface))


def changed(*pairs: tuple[str, str]) -> Likeness:
    text = BASE
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return of(text)


SAME = {
    "names": [("tight", "t"), ("heavy", "h"), ("bonus", "extra"), ("scaled", "f"), (" k, v", " i, vol"),
              ("[k]", "[i]"), ("if v ", "if vol ")],
    "a parameter's name": [("power", "exponent")],
    "numbers": [("0.25", "0.7"), ("share=2", "share=9"), ("power=0.5", "power=1.5"), ("3.0", "4.0")],
    "sign": [("0.25", "-0.25")],
    "order of a sum": [("heavy / tight ** power + np.maximum(np.array(bonus), tight)",
                        "np.maximum(tight, np.array(bonus)) + heavy / tight ** power")],
    "order of a product": [("share * capacity", "capacity * share")],
    "a comparison from the other side": [("v > share * capacity", "share * capacity < v")],
    "words": [("Weight for volume.", "Something else."), ("import numpy as np\n", "import numpy as np\nimport math\n")],
}  # fmt: skip
OTHER = {
    "an operator": [("values / top", "values - top")],
    "a comparison": [("v > share", "v >= share")],
    "which local": [("0.25 * heavy[k]", "0.25 * tight[k]")],
    "which argument": [("volumes / capacity", "weights / capacity")],
    "sides": [("heavy / tight", "tight / heavy")],
    "a term": [("heavy / tight ** power +", "heavy / tight ** power + heavy +")],
    "which place": [("heavy[k]", "heavy[0]")],
    "a call": [("np.maximum", "np.minimum")],
    "a text": [("weights.max()", "weights.max(axis=0)")],
}


@pytest.mark.parametrize("what", SAME)
def test_names_order_and_numbers_do_not_count(what: str) -> None:
    found = changed(*SAME[what])
    assert found.features == of(BASE).features and found.shape == of(BASE).shape


@pytest.mark.parametrize("what", OTHER)
def test_everything_else_does(what: str) -> None:
    found = changed(*OTHER[what])
    assert found.shape != of(BASE).shape
    assert 0.6 < jaccard(found.features, of(BASE).features) < 1


def test_independent_statements_may_change_places_at_little_cost() -> None:
    lines = ("    tight = volumes / capacity\n", "    heavy = scaled(weights, weights.max())\n")
    swapped = changed(("".join(lines), "".join(reversed(lines))))
    assert 0.9 < jaccard(swapped.features, of(BASE).features) < 1


def test_locals_that_begin_alike_are_told_apart() -> None:
    one = of(rule("a = 0; b = 0; a += 1; return weights * (a - b)"))
    other = of(rule("a = 0; b = 0; a += 1; return weights * (b - a)"))
    renamed = of(rule("x = 3; y = 4; x = x + 2; return weights * (x - y)"))
    assert one.shape != other.shape and one.shape == renamed.shape


def test_numbers_are_kept_beside() -> None:
    assert of(rule("return weights * 2.5", keywords="a=3")).numbers == ("2.5", "3")


def test_features_are_the_same_on_every_machine() -> None:
    """The digest is a constant: a change of it changes which candidates of recorded runs are run."""
    read = of(rule("return weights / volumes"))
    assert sorted(read.features)[:3] == [1128395594, 1424402600, 1527712366]
    assert read.shape == "32f4e39888326f26cdf6331f9a0ad871"


def test_jaccard() -> None:
    assert jaccard(frozenset(), frozenset()) == 1 and jaccard(frozenset({1}), frozenset()) == 0
    assert jaccard(frozenset({1, 2, 3}), frozenset({2, 3, 4})) == 0.5
