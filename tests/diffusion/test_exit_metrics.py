"""The measures of answers: cases worked out by hand, and what holds for all texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.diffusion.early_exit import metrics
from evaluators.diffusion.early_exit.metrics import METRICS, fault, quality

words = st.text(alphabet="ab,A. é1", max_size=12)


@pytest.mark.parametrize(
    "metric, text, answer, expected",
    [
        ("exact", " The  Eiffel-Tower! ", "eiffeltower", 1),
        ("exact", "Paris, France", "Paris", 0),
        ("exact", "an apple", "the apple", 1),
        ("exact", "“Über” uns…", "über uns", 1),
        ("exact", "$5", "5", 1),
        ("contains", "It is in Paris, of course.", "paris", 1),
        ("contains", "a comparison", "paris", 0),
        ("contains", "New York", "york new", 0),
        ("number", "16 - 3 - 4 = 9, and 9 * 2 = $18.", "She makes 9 * 2 = 18\n#### 18", 1),
        ("number", "The answer is 1,234.50", "1234.5", 1),
        ("number", "It is -7", "-7", 1),
        ("number", "It is −7", "-7", 1),
        ("number", "from 5-7", "7", 1),
        ("number", "from 5-7", "-7", 0),
        ("number", "first 18, then 19", "18", 0),
        ("number", "1,2,3", "3", 1),
        ("number", "12.", "12", 1),
        ("number", "nothing", "0", 0),
        ("number", "x = .5", "5", 0),
        ("number", "x = .5", "0.5", 1),
        ("number", ".5", "1/2 = 0.50", 1),
        ("number", "-.5", "-0.5", 1),
        ("number", "costs $.50.", "0.5", 1),
        ("number", "so it is 4...5", "5", 1),
        ("number", "see 1.2.3", "3", 1),
        ("number", "in (a).5", "5", 1),
        ("number", "about 1e5", "5", 0),
        ("number", "about 1e5.", "100,000", 1),
        ("number", "2.5E-3", "0.0025", 1),
        ("number", "1,234e+1", "12340", 1),
        ("number", "3e", "3", 1),
        ("number", "7 e5x", "5", 1),
        ("number", "3, then " + "9" * 5000, "3", 0),
        ("number", "1e999999999", "1", 0),
        ("number", "1e" + "9" * 5000, "1", 0),
        ("number", "9" * 1000, "9" * 1000, 1),
        ("choice", "B", "B", 1),
        ("choice", "(c) no: D. because", "C", 1),
        ("choice", "C. because A is wrong", "(c)", 1),
        ("choice", "A dog would say B. The answer is (D).", "D", 1),
        ("choice", "The answer is a dog", "A", 0),
        ("choice", "I think (B) at first, but (C)", "C", 1),
        ("choice", "Answer: option E", "E", 1),
        ("choice", "**D**", "D", 1),
        ("choice", "Because", "B", 0),
        ("choice", "", "A", 0),
        ("choice", "b) 12", "B", 1),
        ("choice", "a. a cat", "A", 1),
        ("choice", "(b)", "B", 1),
        ("choice", "b", "B", 1),
        ("choice", "**d**", "D", 1),
        ("choice", "I take (b), not (c)", "C", 1),
        ("choice", "The answer is b.", "B", 1),
        ("choice", "The answer is c because it is", "C", 1),
        ("choice", "the answer is **a**", "A", 1),
        ("choice", "the answer is a", "A", 1),
        ("choice", "The answer is a, as told", "A", 1),
        ("choice", "D is wrong. The answer is B.", "B", 1),
        ("choice", "D is wrong. **Answer**: option (b)", "B", 1),
        ("choice", "D, since option A is wrong", "D", 1),
        ("choice", "The answer is A? No, the answer is C", "C", 1),
        ("choice", "Clearly, option E fits", "E", 1),
        # 2 common words of 3 and 4: 2·2/7
        ("f1", "red blue blue", "blue red green grey", 4 / 7),
        # only one "blue" is in common: 2·1/4
        ("f1", "blue blue", "blue green", 1 / 2),
        ("f1", "the", "word", 0),
        # n=1: 2 of 3 and of 3; n=2: 1 of 2 and of 2; n=3: 0. Mean 7/18 on both sides, whatever beta is
        ("chrf", "abc", "abd", 7 / 18),
        # n=1: precision 2/4, recall 2/2; n=2: 1/3, 1/1. Means 5/12 and 1: 5·(5/12)/(4·5/12 + 1) = 25/32
        ("chrf", "a b c d", "ab", 25 / 32),
        # the same the other way round: precision 1, recall 5/12: 5·(5/12)/(4 + 5/12) = 25/53
        ("chrf", "ab", "abcd", 25 / 53),
        ("chrf", "", "a", 0),
    ],
)  # fmt: skip
def test_by_hand(metric: str, text: str, answer: str, expected: float) -> None:
    assert METRICS[metric](text, answer) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "text",
    ["a cat", "A cat", "I think so", "i. e. none", "i.e. none", "(i) one, (ii) two", "e.g. that", "a.m. or p.m.",
     "b is the one", "f(b) = 3", "P(A)", "B-roll", "The answer is a dog", "The answer is a (small) dog",
     "The answer is e-mail", "The answer is J.K. Rowling", "The answer is i.e. none", "The answer is d'Artagnan",
     "an option a day"],
)  # fmt: skip
def test_texts_that_name_no_choice(text: str) -> None:
    assert metrics.letter(text) is None


def test_of_several_answers_the_best_counts() -> None:
    assert quality("f1", "red blue", ["green", "red", "red blue sky"]) == pytest.approx(4 / 5)


@given(st.sampled_from(sorted(METRICS)), words, words)
def test_all_are_shares_and_a_right_answer_is_one(metric: str, text: str, answer: str) -> None:
    if fault(metric, answer) is None:
        assert 0.0 <= METRICS[metric](text, answer) <= 1.0
        if metric != "choice" or metrics.letter(answer):
            assert METRICS[metric](answer, answer) == pytest.approx(1.0)


@given(words, words)
def test_chrf_with_beta_one_would_not_tell_the_two_apart(text: str, answer: str) -> None:
    """Recall weighs more: of a text and a beginning of it, the one that has all of the answer is better."""
    joined = "".join((text + answer).split())
    if len(joined) >= 2 and 0 < len("".join(text.split())) < len(joined):
        whole, part = joined, "".join(text.split())
        assert metrics.chrf(whole, part) >= metrics.chrf(part, whole)


@pytest.mark.parametrize(
    "metric, answer, expected",
    [("number", "none", "number"), ("number", "1" * 1001, "1000 digits"), ("number", "1e1000", "1000 digits"),
     ("choice", "K", "letter"), ("choice", "AB", "letter"), ("choice", "", "letter"),
     ("exact", "the …", "empty"), ("contains", "?!", "empty"), ("f1", "a", "empty"), ("chrf", " ", "empty"),
     ("chrf", "?", None), ("choice", "(j)", None), ("number", "#### 5", None)],
)  # fmt: skip
def test_answers_that_nothing_could_be_compared_with(metric: str, answer: str, expected: str | None) -> None:
    found = fault(metric, answer)
    assert found is None if expected is None else found is not None and expected in found
