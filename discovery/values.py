"""What the value of a setting must be, and how the tables of the settings are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from discovery.errors import UsageError


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens. ``cached`` is the price of a cached prompt token."""

    input: float
    output: float
    cached: float | None = None


@dataclass(frozen=True)
class Model:
    """What one of several models has of its own; None = as the settings say for all. ``weight`` is its share of the
    slots where models are chosen by weights; 0 leaves it out."""

    base_url: str | None = None
    api_key_env: str | None = None
    weight: float = 1.0
    temperature: tuple[float, ...] | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Rule:
    """What a value must be, and what it is for. ``words`` are the only ones allowed; ``low`` bounds numbers from
    below, inclusive unless ``above``; ``high`` from above."""

    kind: Literal["text", "integer", "number", "numbers", "switch"]
    about: str
    low: float | None = None
    above: bool = False
    high: float | None = None
    words: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        if self.words:
            return "one of " + ", ".join(self.words)
        if self.kind == "switch":
            return "true or false"
        if self.kind == "text":
            return "a non-empty text"
        if self.kind == "numbers":
            return f"one number of at least {self.low or 0:g}, or several with commas between"
        what = "a whole number" if self.kind == "integer" else "a number"
        if self.low is None:
            return what
        if self.high is not None:
            return f"{what} from {self.low:g} to {self.high:g}"
        return f"{what} above {self.low:g}" if self.above else f"{what} of at least {self.low:g}"


def converted(text: str, rule: Rule) -> object:
    """A variable's text as the type its rule wants; the text itself where that fails, for the check to refuse."""
    try:
        if rule.kind == "integer":
            return int(text)
        if rule.kind == "number":
            return float(text)
    except ValueError:
        return text
    if rule.kind == "switch":
        return {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}.get(
            text.lower(), text
        )
    return text


def fits(value: Any, rule: Rule) -> bool:
    """Whether a value is what the rule wants."""
    if rule.kind == "numbers":
        one = Rule("number", "", rule.low)
        return isinstance(value, tuple) and len(value) > 0 and all(fits(v, one) for v in value)
    if rule.kind == "switch":
        return isinstance(value, bool)
    if rule.kind == "text":
        return isinstance(value, str) and bool(value) and (not rule.words or value in rule.words)
    allowed = int if rule.kind == "integer" else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not abs(value) < 2**53:
        return False
    if rule.high is not None and value > rule.high:
        return False
    return rule.low is None or (value > rule.low if rule.above else value >= rule.low)


def ladder(value: Any) -> Any:
    """Temperatures as a tuple: one number, a list, or a text with commas; anything else as it is."""
    if isinstance(value, str):
        try:
            return tuple(float(word) for word in value.split(","))
        except ValueError:
            return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value),)
    if isinstance(value, list | tuple) and all(isinstance(v, int | float) for v in value):
        return tuple(float(v) for v in value)
    return value


def options(value: Any, where: str, earlier: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Options by task; those of a later layer replace single ones of an earlier."""
    merged = {task: dict(options) for task, options in earlier.items()}
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise UsageError(f"{where}: expected one table a task, such as [options.smtt]")
    for task, options in value.items():
        for name, word in options.items():
            if isinstance(word, bool) or not isinstance(word, str | int | float):
                raise UsageError(f"{where}.{task}.{name} is {word!r}; expected a text or number")
            merged.setdefault(task, {})[name] = str(word)
    return merged


def prices(value: Any, where: str) -> dict[str, Price]:
    expected = 'expected [prices."model"] with input and output (and cached), US dollars for a million tokens'
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: {expected}")
    found = {}
    for model, entry in value.items():
        if not isinstance(entry, Mapping) or not {"input", "output"} <= set(entry) <= {
            "input",
            "output",
            "cached",
        }:
            raise UsageError(f"{where}.{model}: {expected}")
        for name, figure in entry.items():
            if not fits(figure, Rule("number", "", 0)):
                raise UsageError(f"{where}.{model}.{name} is {figure!r}; expected a number of at least 0")
        found[model] = Price(**{name: float(figure) for name, figure in entry.items()})
    return found


_MODEL = {
    "base_url": Rule("text", ""),
    "api_key_env": Rule("text", ""),
    "weight": Rule("number", "", 0),
    "temperature": Rule("numbers", "", 0),
    "max_tokens": Rule("integer", "", 64),
}


def models(value: Any, where: str) -> dict[str, Model]:
    """Properties by model. Raises UsageError."""
    names = [f.name for f in fields(Model)]
    expected = f'expected [models."name"] with any of {", ".join(names)}'
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise UsageError(f"{where}: {expected}")
    found = {}
    for model, table in value.items():
        own: dict[str, Any] = {}
        for name, given in table.items():
            if name not in names:
                raise UsageError(f"{where}.{model}: unknown key {name!r}; {expected}")
            if given is None:
                continue
            own[name] = ladder(given) if name == "temperature" else given
            if not fits(own[name], _MODEL[name]):
                raise UsageError(f"{where}.{model}.{name} is {given!r}; expected {_MODEL[name].expected}")
        found[model] = Model(**own)
    return found
