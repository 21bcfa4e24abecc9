"""The settings: flag > DISCOVER_* variable > discover.toml (or [tool.discover] in pyproject.toml) > default.

:class:`Settings` is the one list of them; its fields make the variables' names, the keys of the file and the checks.
Every value knows where it came from (:attr:`Loaded.origins`).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from discovery.errors import UsageError

Proposer = Literal["chat", "genetic", "replay"]
Executor = Literal["local", "inline"]
FILE = "discover.toml"
PREFIX = "DISCOVER_"


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens. ``cached`` is the price of a cached prompt token."""

    input: float
    output: float
    cached: float | None = None


@dataclass(frozen=True)
class Rule:
    """What a value must be, and what it is for. ``words`` are the only ones allowed; ``low`` bounds numbers from
    below, inclusive unless ``above``; ``high`` from above."""

    kind: Literal["text", "integer", "number", "switch"]
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
        what = "a whole number" if self.kind == "integer" else "a number"
        if self.low is None:
            return what
        if self.high is not None:
            return f"{what} from {self.low:g} to {self.high:g}"
        return f"{what} above {self.low:g}" if self.above else f"{what} of at least {self.low:g}"


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. ``None`` means "not set"; a limit of None does not limit."""

    db: Annotated[str, Rule("text", "the ledger: a file or a database URL")] = ".discover/ledger.sqlite"
    proposer: Annotated[
        Proposer,
        Rule(
            "text", "who proposes (default: chat when a model is named)", words=("chat", "genetic", "replay")
        ),
    ] = "genetic"
    model: Annotated[str | None, Rule("text", "the language model's name at its endpoint")] = None
    base_url: Annotated[str | None, Rule("text", "the endpoint, such as http://127.0.0.1:11434/v1")] = None
    api_key_env: Annotated[str, Rule("text", "the environment variable that holds the key")] = (
        "OPENAI_API_KEY"
    )
    temperature: Annotated[
        float | None, Rule("number", "sampling temperature (default: the server's)", 0)
    ] = None
    max_tokens: Annotated[
        int | None, Rule("integer", "longest reply, tokens (default: local 1,500, else 4,000)", 64)
    ] = None
    timeout: Annotated[
        float | None,
        Rule("number", "longest wait for a reply, seconds (default: local 600, else 120)", 0, above=True),
    ] = None
    in_flight: Annotated[
        int | None, Rule("integer", "requests to the model at once (default: local 2, else 8)", 1)
    ] = None
    templates: Annotated[
        str | None, Rule("text", "a folder of prompt templates that replace shipped ones")
    ] = None
    samples: Annotated[int | None, Rule("integer", "samples to draw (default: chat 50, genetic 120)", 1)] = (
        None
    )
    tokens: Annotated[int | None, Rule("integer", "most tokens to use (default: chat 200,000)", 1)] = None
    cost: Annotated[float | None, Rule("number", "most US dollars to spend", 0, above=True)] = None
    evaluations: Annotated[
        int | None, Rule("integer", "most candidates and tuning trials to run on the search split", 1)
    ] = None
    minutes: Annotated[float | None, Rule("number", "most wall time, minutes", 0, above=True)] = None
    cpu_minutes: Annotated[
        float | None, Rule("number", "most processor time of candidates, minutes", 0, above=True)
    ] = None
    seed: Annotated[int, Rule("integer", "seed of every random draw", 0)] = 0
    batch: Annotated[int, Rule("integer", "samples proposed at once; decides the run", 1)] = 8
    workers: Annotated[
        int, Rule("integer", "candidates run at once (default: the cores, at most a batch)", 1)
    ] = 1
    executor: Annotated[Executor, Rule("text", "where candidates run", words=("local", "inline"))] = "local"
    strategy: Annotated[
        str,
        Rule(
            "text", "how parents are chosen: islands, best-of-n, reflective, or one of an installed package"
        ),
    ] = "islands"
    islands: Annotated[int, Rule("integer", "populations that evolve apart", 1)] = 2
    archive: Annotated[int, Rule("integer", "candidates an island keeps", 2)] = 12
    migration: Annotated[
        int, Rule("integer", "batches until each island offers its best to the next one; 0 = never", 0)
    ] = 0
    cells: Annotated[
        int, Rule("integer", "kinds (by size, lines run, strength) whose best is kept besides; 0 = none", 0)
    ] = 0
    fronts: Annotated[
        float,
        Rule("number", "share of parents that islands draws by the instances they win, 0 to 1", 0, high=1),
    ] = 0.0
    tune: Annotated[bool, Rule("switch", "tune the numbers of the best candidates")] = True
    trials: Annotated[int, Rule("integer", "tuning trials a candidate", 2)] = 20
    control: Annotated[
        float | None,
        Rule("number", "share of the samples for a control arm: the seeds as only parents", 0, above=True),
    ] = None
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Task options by task: ``[options.smtt]`` in the file, ``--option`` on the command line."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """Prices by model: ``[prices."name"]`` in the file."""

    def to_json(self) -> dict[str, object]:
        """Every setting as plain data, passwords in URLs masked."""
        shown: dict[str, object] = {name: _shown(getattr(self, name)) for name in rules()}
        shown["options"] = {task: dict(values) for task, values in self.options.items()}
        shown["prices"] = {
            m: {"input": p.input, "output": p.output, "cached": p.cached} for m, p in self.prices.items()
        }
        return shown


@dataclass(frozen=True)
class Loaded:
    """Settings and where each value came from: "flag", a variable's name, a file's name, or "default".
    ``unknown`` are DISCOVER_* variables that set nothing."""

    settings: Settings
    origins: Mapping[str, str]
    unknown: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        values = self.settings.to_json()
        return {"settings": {n: {"value": v, "origin": self.origins[n]} for n, v in values.items()}}


@dataclass(frozen=True)
class RunSettings:
    """All that decides one run: the task, the settings, and what only a command line says."""

    task: str
    settings: Settings
    sources: tuple[str, ...] = ()
    """``--from``: baseline names, candidate hashes or files to start from; empty = the task's seeds."""
    replay: str | None = None
    """``--replay``: a run id or a file of recorded replies."""
    unsafe: bool = False

    @property
    def options(self) -> Mapping[str, str]:
        return self.settings.options.get(self.task, {})


def load(
    flags: Mapping[str, object] | None = None,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """The settings as seen from ``folder`` (default: the current one). A flag of None was not given.

    Raises UsageError for unknown keys, values that do not fit and files that cannot be read."""
    folder = folder or Path.cwd()
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    origins = {f.name: "default" for f in fields(Settings)}
    for given in (*_from_file(folder), *_from_environment(environment), *_from_flags(flags or {})):
        values[given.name] = _checked(given, values)
        origins[given.name] = given.origin
    if values.get("base_url") is None and environment.get("OPENAI_BASE_URL"):
        values["base_url"], origins["base_url"] = environment["OPENAI_BASE_URL"], "OPENAI_BASE_URL"
    return Loaded(
        _with_dependent_defaults(Settings(**values), origins), origins, _unknown_variables(environment)
    )


def recorded_settings(values: Mapping[str, Any], where: str) -> Settings:
    """Settings that a file recorded; those that it does not name take their defaults.

    Raises UsageError for a name that is not known here and for a value that does not fit."""
    known = {f.name: f.default for f in fields(Settings)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise UsageError(
                f"{where}: unknown setting {str(name)[:40]!r}; a newer version of discover may have recorded it"
            )
        if value is not None or known[name] is not None:
            checked[name] = _checked(_Given(name, value, f"{where}: {name}", where), {})
    return Settings(**checked)


def cores() -> int:
    """Processor cores that this process may use: its affinity mask, and the container's quota where there is one."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(available, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return available


def masked(url: str) -> str:
    """``url`` without the password or token of its user part."""
    return re.sub(r"(://)[^/@\s]*@", r"\1***@", url)


def _with_dependent_defaults(settings: Settings, origins: Mapping[str, str]) -> Settings:
    """Defaults that follow from other settings: a named model means chat, and chat is capped."""
    if origins["proposer"] == "default" and settings.model is not None:
        settings = replace(settings, proposer="chat")
    if settings.samples is None and settings.proposer != "replay":
        settings = replace(settings, samples=50 if settings.proposer == "chat" else 120)
    if settings.tokens is None and settings.proposer == "chat":
        settings = replace(settings, tokens=200_000)
    if origins["workers"] == "default":
        settings = replace(settings, workers=min(cores(), settings.batch))
    return settings


def rules() -> dict[str, Rule]:
    """The rule of each setting that holds one value, in order."""
    hints = get_type_hints(Settings, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}


@dataclass(frozen=True)
class _Given:
    """A value that somebody set: ``where`` names it in a message, ``origin`` in ``discover config``."""

    name: str
    value: Any
    where: str
    origin: str


def _from_file(folder: Path) -> Iterator[_Given]:
    own, project = folder / FILE, folder / "pyproject.toml"
    if own.exists():
        table, origin = _toml(own), FILE
    elif project.exists():
        tool = _toml(project).get("tool", {})
        table, origin = (
            tool.get("discover", {}) if isinstance(tool, dict) else {},
            "pyproject.toml [tool.discover]",
        )
    else:
        return
    if not isinstance(table, dict):
        raise UsageError(f"{origin}: expected a table of settings")
    known = [f.name for f in fields(Settings)]
    for name, value in table.items():
        if name not in known:
            raise UsageError(f"{origin}: unknown key {name!r}{_meant(name, known)}; see `discover config`")
        yield _Given(name, value, f"{origin}: {name}", origin)


def _from_environment(environment: Mapping[str, str]) -> Iterator[_Given]:
    for name, rule in rules().items():
        variable = PREFIX + name.upper()
        if text := environment.get(variable):
            yield _Given(name, _converted(text, rule), variable, variable)


def _from_flags(flags: Mapping[str, object]) -> Iterator[_Given]:
    for name, value in flags.items():
        if value is not None:
            yield _Given(name, value, "--" + name.replace("_", "-"), "flag")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not UTF-8 (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}") from None


def _unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    known = [PREFIX + name.upper() for name in rules()]
    return tuple(n + _meant(n, known) for n in sorted(environment) if n.startswith(PREFIX) and n not in known)


def _converted(text: str, rule: Rule) -> object:
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


def _checked(given: _Given, earlier: Mapping[str, Any]) -> Any:
    if given.name == "options":
        return _options(given.value, given.where, earlier.get("options", {}))
    if given.name == "prices":
        return _prices(given.value, given.where)
    rule = rules()[given.name]
    if not _fits(given.value, rule):
        raise UsageError(f"{given.where} is {given.value!r}; expected {rule.expected}")
    return float(given.value) if rule.kind == "number" else given.value


def _fits(value: Any, rule: Rule) -> bool:
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


def _options(value: Any, where: str, earlier: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
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


def _prices(value: Any, where: str) -> dict[str, Price]:
    expected = 'expected [prices."model"] with input and output (and cached), US dollars for a million tokens'
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: {expected}")
    prices = {}
    for model, entry in value.items():
        if not isinstance(entry, Mapping) or not {"input", "output"} <= set(entry) <= {
            "input",
            "output",
            "cached",
        }:
            raise UsageError(f"{where}.{model}: {expected}")
        for name, figure in entry.items():
            if not _fits(figure, Rule("number", "", 0)):
                raise UsageError(f"{where}.{model}.{name} is {figure!r}; expected a number of at least 0")
        prices[model] = Price(**{name: float(figure) for name, figure in entry.items()})
    return prices


def _meant(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _shown(value: object) -> object:
    return masked(value) if isinstance(value, str) else value
