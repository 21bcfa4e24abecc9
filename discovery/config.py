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
from discovery.values import Model, Price, Rule, converted, fits, ladder, models, options, prices

Proposer = Literal["chat", "genetic", "manual", "replay"]
Executor = Literal["local", "inline", "ray"]
ModelChoice = Literal["weights", "bandit"]
NEAR = 0.8
"""Likeness from which a model's candidate is a near-copy of a rejected one, unless set otherwise."""
FILE = "discover.toml"
PREFIX = "DISCOVER_"


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. ``None`` means "not set"; a limit of None does not limit."""

    db: Annotated[str, Rule("text", "the ledger: a file or a database URL")] = ".discover/ledger.sqlite"
    proposer: Annotated[
        Proposer,
        Rule(
            "text",
            "who proposes (default: chat when a model is named)",
            words=("chat", "genetic", "manual", "replay"),
        ),
    ] = "genetic"
    model: Annotated[
        str | None, Rule("text", "the language model's name at its endpoint; several with commas between")
    ] = None
    model_choice: Annotated[
        ModelChoice,
        Rule(
            "text",
            "how a slot's model is chosen from several: by their weights, or by improvements for their cost",
            words=("weights", "bandit"),
        ),
    ] = "weights"
    base_url: Annotated[str | None, Rule("text", "the endpoint, such as http://127.0.0.1:11434/v1")] = None
    api_key_env: Annotated[str, Rule("text", "the environment variable that holds the key")] = (
        "OPENAI_API_KEY"
    )
    temperature: Annotated[
        tuple[float, ...] | None,
        Rule(
            "numbers",
            "sampling temperature, or several that the slots take in turn (default: the server's)",
            0,
        ),
    ] = None
    max_tokens: Annotated[
        int | None, Rule("integer", "longest reply, tokens (default: local 1,500, else 4,000)", 64)
    ] = None
    timeout: Annotated[
        float | None,
        Rule("number", "longest wait for a reply, seconds (default: local 600, else 120)", 0, above=True),
    ] = None
    wait: Annotated[
        float,
        Rule("number", "how long a run that got replies waits for an endpoint that is down, minutes", 0),
    ] = 5.0
    in_flight: Annotated[
        int | None, Rule("integer", "requests to the model at once (default: local 2, else 8)", 1)
    ] = None
    templates: Annotated[
        str | None, Rule("text", "a folder of prompt templates that replace shipped ones")
    ] = None
    samples: Annotated[int | None, Rule("integer", "samples to draw (default: 50, genetic 120)", 1)] = None
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
    batch: Annotated[int, Rule("integer", "samples proposed at once (default: 8, manual 1)", 1)] = 8
    workers: Annotated[
        int,
        Rule(
            "integer", "candidates run at once (default: the cores, at most a batch; a batch on a cluster)", 1
        ),
    ] = 1
    executor: Annotated[Executor, Rule("text", "where candidates run", words=("local", "inline", "ray"))] = (
        "local"
    )
    address: Annotated[
        str | None, Rule("text", "the head of the Ray cluster that candidates run on, HOST:PORT")
    ] = None
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
    novelty: Annotated[
        float | None,
        Rule(
            "number",
            "likeness from which a copy of a rejected idea is not run, 1 = only equal code (default: chat 0.8)",
            0,
            above=True,
            high=1,
        ),
    ] = None
    tune: Annotated[bool, Rule("switch", "tune the numbers of the best candidates")] = True
    trials: Annotated[int, Rule("integer", "tuning trials a candidate", 2)] = 20
    lift_constants: Annotated[
        bool, Rule("switch", "tune numbers that stand in the code, too, and write them back")
    ] = False
    control: Annotated[
        float | None,
        Rule(
            "number",
            "share of the samples for a control arm: the seeds as only parents",
            0,
            above=True,
            high=1,
        ),
    ] = None
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Task options by task: ``[options.smtt]`` in the file, ``--option`` on the command line."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """Prices by model: ``[prices."name"]`` in the file."""
    models: Mapping[str, Model] = field(default_factory=dict)
    """What single models have of their own: ``[models."name"]`` in the file."""

    @property
    def named_models(self) -> tuple[str, ...]:
        """The models that a run asks."""
        return tuple(dict.fromkeys(n for word in (self.model or "").split(",") if (n := word.strip())))

    def to_json(self) -> dict[str, object]:
        """Every setting as plain data, passwords in URLs masked."""
        shown: dict[str, object] = {name: _shown(getattr(self, name)) for name in rules()}
        shown["options"] = {task: dict(values) for task, values in self.options.items()}
        shown["prices"] = {
            m: {"input": p.input, "output": p.output, "cached": p.cached} for m, p in self.prices.items()
        }
        shown["models"] = {m: _model_shown(properties) for m, properties in self.models.items()}
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


@dataclass(frozen=True)
class Where:
    """Where one sitting at a run has its candidates run, which decides nothing. None: as the run was started."""

    workers: int | None = None
    executor: str | None = None
    address: str | None = None


AS_STARTED = Where()


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
    """``url`` without the password or token of its user part, and without passwords in its query."""
    return re.sub(r"([?&]\w*password=)[^&\s]*", r"\1***", re.sub(r"(://)\S*@", r"\1***@", url))


def _with_dependent_defaults(settings: Settings, origins: Mapping[str, str]) -> Settings:
    """Defaults that follow from other settings: a named model means chat, and chat is capped."""
    if origins["proposer"] == "default" and settings.model is not None:
        settings = replace(settings, proposer="chat")
    if settings.samples is None and settings.proposer != "replay":
        settings = replace(settings, samples=120 if settings.proposer == "genetic" else 50)
    if settings.tokens is None and settings.proposer == "chat":
        settings = replace(settings, tokens=200_000)
    if settings.novelty is None:
        settings = replace(settings, novelty=NEAR if settings.proposer == "chat" else 1.0)
    if settings.proposer == "manual" and origins["batch"] == "default":
        settings = replace(settings, batch=1)  # so that each answer counts at once
    if origins["workers"] == "default":
        available = settings.batch if settings.executor == "ray" else cores()
        settings = replace(settings, workers=min(available, settings.batch))
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
            yield _Given(name, converted(text, rule), variable, variable)


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


def _checked(given: _Given, earlier: Mapping[str, Any]) -> Any:
    if given.name == "options":
        return options(given.value, given.where, earlier.get("options", {}))
    if given.name in ("prices", "models"):
        return {"prices": prices, "models": models}[given.name](given.value, given.where)
    rule = rules()[given.name]
    if rule.kind == "numbers":
        given = replace(given, value=ladder(given.value))
    if given.name == "model" and isinstance(given.value, list | tuple):
        given = replace(given, value=",".join(map(str, given.value)))
    if not fits(given.value, rule):
        raise UsageError(f"{given.where} is {given.value!r}; expected {rule.expected}")
    return float(given.value) if rule.kind == "number" else given.value


def _meant(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _model_shown(model: Model) -> dict[str, object]:
    return {f.name: _shown(getattr(model, f.name)) for f in fields(model)}


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return masked(value) if isinstance(value, str) else value
