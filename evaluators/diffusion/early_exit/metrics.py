"""How good a text is as an answer to a question, from 0 to 1: the measures that recordings of real models are
judged by.

Each takes a text and one accepted answer; of several answers the best counts (:func:`quality`). Normalisation and
token F1 are those of SQuAD (Rajpurkar et al. 2016): lower case, no punctuation (here Unicode's as well), no English
articles, single spaces. chrF is that of Popović (2015) with beta 2. How a number or a letter is found in a text is
our own reading of what GSM8K and multiple-choice benchmarks do.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from string import punctuation

ORDER, BETA = 6, 2
"""Of chrF: the longest n-grams of characters, and how many times more recall weighs than precision."""

LETTERS = "ABCDEFGHIJ"
"""The letters of choices."""

MOST_DIGITS, MOST_EXPONENT = 1000, 999
"""Of a number: longer ones are none, so that a text of digits costs nothing."""

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ALONE = r"(?<![\w.)%])"
_NUMBER = re.compile(
    rf"((?:{_ALONE}-)?(?:(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+(?![0-9,])|[0-9]+)(?:\.[0-9]+)?|{_ALONE}\.[0-9]+))"
    r"(?:[eE]([+-]?[0-9]+)(?!\w))?"
)

_LOWER = "bcdefghj"
"""Letters in lower case that may be choices: "a" only where it cannot be the article, "i" never."""
_ENDED = r"(?![\w'’]|-\w|\.[A-Za-z]\b)"
"""What follows a letter that is no part of a word, a name or an abbreviation."""
_FIRST = re.compile(rf"\A\W*(?![AI]\s+[a-z])([{LETTERS}]|[a{_LOWER}](?=[).]|\W*\Z)){_ENDED}")
_ASKED = r"\b(?i:answer|choice|option)\b"
_SAID = re.compile(
    rf"{_ASKED}[\s*]*(?:(?i:is)\b|:)[\s:*(]*(?:(?i:option|choice)\s+)?\(?"
    rf"([{LETTERS}{_LOWER}]|a(?=[).,;:!*]|\s*\Z)){_ENDED}"
)
_NAMED = re.compile(rf"{_ASKED}[\s:*(]*([{LETTERS}]){_ENDED}")
_BRACKETED = re.compile(rf"(?<!\w)\(([{LETTERS}a{_LOWER}])\)")


def quality(metric: str, text: str, answers: Sequence[str]) -> float:
    """The best of the answers' measures. Raises KeyError for an unknown metric."""
    measure = METRICS[metric]
    return max(measure(text, answer) for answer in answers)


def normalised(text: str) -> str:
    """The text in SQuAD's normal form."""
    lower = unicodedata.normalize("NFC", text).lower()
    bare = "".join(c for c in lower if c not in punctuation and not unicodedata.category(c).startswith("P"))
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact(text: str, answer: str) -> float:
    """Whether both are the same once normalised."""
    return float(normalised(text) == normalised(answer))


def contains(text: str, answer: str) -> float:
    """Whether the words of the answer stand in the text, one after another, once both are normalised."""
    return float(f" {normalised(answer)} " in f" {normalised(text)} ")


def last_number(text: str) -> Fraction | None:
    """The last number of a text, with thousands set off by commas or not; None where there is none, or where it has
    more than MOST_DIGITS or its exponent is beyond MOST_EXPONENT."""
    found = _NUMBER.findall(text.replace("−", "-"))
    if not found:
        return None
    digits, exponent = found[-1][0].replace(",", ""), found[-1][1] or "0"
    if len(digits) > MOST_DIGITS or len(exponent) > MOST_DIGITS or abs(int(exponent)) > MOST_EXPONENT:
        return None
    return Fraction(digits) * Fraction(10) ** int(exponent)


def number(text: str, answer: str) -> float:
    """Whether the last number of the text is the last one of the answer, as GSM8K's answers are compared."""
    given = last_number(text)
    return float(given is not None and given == last_number(answer))


def letter(text: str) -> str | None:
    """The choice that a text names, in upper case: the last one after "answer is", else the letter that the text
    begins with, else the last one after "option", else the last one in brackets; None where there is none. An ``A`` or
    ``I`` that begins a sentence is no choice."""
    for pattern in (_SAID, _FIRST, _NAMED, _BRACKETED):
        if found := pattern.findall(text):
            return str(found[-1]).upper()
    return None


def choice(text: str, answer: str) -> float:
    """Whether the text names the letter of the answer."""
    return float(letter(text) == _letter_of(answer))


def _letter_of(answer: str) -> str:
    return answer.strip().strip("().").upper()


def f1(text: str, answer: str) -> float:
    """F1 of the words that both have in common, as often as both have them, once normalised."""
    given, wanted = normalised(text).split(), normalised(answer).split()
    if not given or not wanted:
        return float(given == wanted)
    common = (Counter(given) & Counter(wanted)).total()
    return 2.0 * common / (len(given) + len(wanted))


def chrf(text: str, answer: str) -> float:
    """Character n-gram F-score, n from 1 to ORDER: precision and recall are averaged over n, then combined. Spaces
    do not count; an n that is longer than one of the texts is left out."""
    given, wanted = "".join(text.split()), "".join(answer.split())
    orders = range(1, min(ORDER, len(given), len(wanted)) + 1)
    if not orders:
        return float(given == wanted)
    precision = recall = 0.0
    for n in orders:
        a, b = _grams(given, n), _grams(wanted, n)
        common = (a & b).total()
        precision += common / a.total() / len(orders)
        recall += common / b.total() / len(orders)
    if precision + recall == 0:
        return 0.0
    return (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def _grams(text: str, n: int) -> Counter[str]:
    return Counter(text[k : k + n] for k in range(len(text) - n + 1))


METRICS: Mapping[str, Callable[[str, str], float]] = {
    "exact": exact,
    "contains": contains,
    "number": number,
    "choice": choice,
    "f1": f1,
    "chrf": chrf,
}


def fault(metric: str, answer: str) -> str | None:
    """Why no text could be measured against this answer, or None."""
    if metric == "number":
        known = last_number(answer) is not None
        return None if known else f"holds no number of at most {MOST_DIGITS} digits"
    if metric == "choice":
        known = _letter_of(answer) in tuple(LETTERS)
        return None if known else f"is no letter from {LETTERS[0]} to {LETTERS[-1]}"
    if metric == "chrf":
        return None if answer.strip() else "is empty"
    return None if normalised(answer) else "is empty once punctuation and articles are gone"
