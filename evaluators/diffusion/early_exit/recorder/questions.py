"""The data file of ``discover record``: prompts, their right answers, and how answers are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from evaluators.diffusion.early_exit import metrics
from evaluators.lines import MAX_ID, Line, lines, record, shown, word
from evaluators.task import TaskError

MOST = 20_000
LONGEST = 1_000_000
MOST_ANSWERS = 100
EXPECTED = (
    'expected {"family": "gsm8k", "prompt": "…", "answer": "18", "metric": "number"}, with "id" if you like'
)
KEYS = ("id", "family", "prompt", "answer", "answers", "metric")


@dataclass(frozen=True)
class Question:
    """A prompt, and what its answer is compared with."""

    id: str
    family: str
    prompt: str
    answers: tuple[str, ...]
    metric: str

    def quality(self, text: str) -> float:
        """How good a text answers it, 0 to 1."""
        return metrics.quality(self.metric, text, self.answers)


def read(path: Path) -> tuple[Question, ...]:
    """The questions of a file in JSON Lines, in order. Raises TaskError with the line and what is wrong."""
    found: list[Question] = []
    seen: dict[str, int] = {}
    for line, text in lines(path, LONGEST, "a prompt is shorter"):
        made = _question(line, record(line, text, EXPECTED, "a text"))
        if made.id in seen:
            line.refuse(f"the id {made.id!r} is used in line {seen[made.id]} already; ids must differ")
        if len(found) == MOST:
            line.refuse(f"the file has more than {MOST} questions; split it")
        seen[made.id] = line.number
        found.append(made)
    if not found:
        raise TaskError(f"{path} holds no questions; {EXPECTED} on each line")
    return tuple(found)


def digest(questions: Sequence[Question]) -> str:
    """SHA-256 of all that they say, in order."""
    text = json.dumps([astuple(q) for q in questions])
    return hashlib.sha256(text.encode()).hexdigest()


def _question(line: Line, values: dict[str, Any]) -> Question:
    strange = [name for name in values if name not in KEYS]
    if strange:
        line.refuse(f"the key {shown(strange[0])} is unknown; {EXPECTED}")
    family = word(line, values, "family", "")
    if not family:
        line.refuse(f"'family' is missing; {EXPECTED}")
    metric = values.get("metric")
    if not isinstance(metric, str) or metric not in metrics.METRICS:
        known = list(metrics.METRICS)
        line.refuse(f"'metric' is {shown(metric)}; expected {', '.join(known[:-1])} or {known[-1]}")
    answers = _answers(line, values)
    for answer in answers:
        if (fault := metrics.fault(metric, answer)) is not None:
            line.refuse(f"the answer {shown(answer)} {fault}; the metric {metric!r} cannot compare with it")
    prompt = _text(line, "prompt", values.get("prompt"))
    name = word(line, values, "id", f"{family}-{line.number}")
    if len(name) > MAX_ID:
        line.refuse(
            f"without an 'id' the text is called by its family and line, in {len(name)} characters; expected at most "
            f"{MAX_ID}: give it an 'id', or the family a shorter name"
        )
    return Question(name, family, prompt, answers, metric)


def _answers(line: Line, values: dict[str, Any]) -> tuple[str, ...]:
    if ("answer" in values) == ("answers" in values):
        line.refuse('expected "answer" with one text, or "answers" with a list of texts')
    if "answer" in values:
        return (_text(line, "answer", values["answer"]),)
    given = values["answers"]
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_ANSWERS:
        line.refuse(f"'answers' is {shown(given)}; expected a list of 1 to {MOST_ANSWERS} texts")
    return tuple(_text(line, "answers", one) for one in given)


def _text(line: Line, name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        line.refuse(f"{name!r} is {shown(value)}; expected a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        line.refuse(f"{name!r} holds half a character (a lone surrogate); save the file anew")
    return value
