"""What a run will use, said before its first request: requests, tokens, money, evaluations and time.

Computed from the seeds' measured times and one rendered prompt; replies are taken to be half as long again as a seed.
The first limit that these figures meet says how many samples the run will get to, and whether that is enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from discovery.config import Settings
from discovery.shape import Shape

REQUESTS_PER_SAMPLE = 1.2
"""One slot in five needs its immediate repair, where a model writes the code."""
TUNED = 0.5
"""Share of the studies that a run may make and makes: only candidates above the median are tuned."""
PRUNED = 0.5
"""Share of a trial's instances that run before it is pruned, on average."""
OVERHEAD = 0.004
"""What the loop takes for a candidate, s: check, ledger and graph (benchmarks/loop.py)."""
LOOKED = 0.5
"""Share of the batches that spend a gate look."""


@dataclass(frozen=True)
class Sample:
    """Estimates of one sample. ``prompt`` and ``reply`` are tokens of a request as expected, ``longest`` those reserved
    for it (0 without a model); ``price`` is (input, output) in US dollars a token, None when unknown; ``search`` is a
    candidate's processor time on the search split and ``look`` that of both sides of a gate look, s, which the report
    on champion and seed takes once more. ``host`` is what simulator and referee outside the sandbox take for a second
    of a candidate, s, and ``started`` the wall time that the seeds took, s."""

    prompt: int = 0
    reply: int = 0
    longest: int = 0
    price: tuple[float, float] | None = (0.0, 0.0)
    search: float = 0.0
    look: float = 0.0
    host: float = 0.0
    started: float = 0.0


@dataclass(frozen=True)
class Forecast:
    """What ``samples`` samples use, the limits applied. ``ends`` names the limit that is met before all samples are
    drawn, ``warning`` says why the budget is too small to learn anything; both are None where that is not so. Times are
    in seconds; ``seconds`` leaves out the model's replies. ``cost`` is None where a price is not known."""

    samples: int
    asked: int
    requests: int
    tokens: int
    cost: float | None
    trials: int
    looks: int
    cpu_seconds: float
    seconds: float
    model: bool
    ends: str | None
    warning: str | None

    def lines(self) -> list[str]:
        """For people, at most three."""
        parts = [f"{self.samples} samples"]
        if self.model:
            parts += [f"{self.requests} requests", f"{self.tokens:,} tokens", _money(self.cost)]
        parts += [
            f"{self.samples} candidates",
            f"{self.trials} tuning trials",
            f"{self.looks} gate look" + ("" if self.looks == 1 else "s"),
        ]
        wall = f"{_time(self.seconds)} of wall time{' besides the replies' if self.model else ''}"
        parts += [f"{_time(self.cpu_seconds)} of processor time", wall]
        said = ["forecast, at about: " + ", ".join(parts)]
        if self.ends is not None:
            said.append(f"{self.ends} will end the run before its {self.asked} samples are drawn")
        return said + ([f"warning: {self.warning}"] if self.warning is not None else [])


def forecast(settings: Settings, shape: Shape, sample: Sample) -> Forecast:
    """The forecast of a run that starts now."""
    model = sample.longest > 0
    requests = REQUESTS_PER_SAMPLE if model else 1.0
    tokens = requests * (sample.prompt + sample.reply)
    cost = None
    if sample.price is not None:
        cost = requests * (sample.prompt * sample.price[0] + sample.reply * sample.price[1])
    runs = TUNED * shape.tuned_a_batch * (settings.trials - 1) / shape.batch if shape.tune else 0.0
    looks = LOOKED / shape.batch
    cpu = sample.search * (1 + PRUNED * runs) + looks * sample.look
    # Simulators and referees are threads of one interpreter, of which one computes at a time.
    wall = OVERHEAD + max(cpu * (1 + sample.host) / max(1, settings.workers), cpu * sample.host)
    reach = {
        "--tokens": _reach(settings.tokens, tokens),
        "--cost": _reach(settings.cost, cost or 0.0),
        "--evaluations": _by_evaluations(settings, shape),
        "--cpu-minutes": _reach(_seconds(settings.cpu_minutes), cpu),
        "--minutes": _reach(_left(settings.minutes, sample.started), wall),
    }
    first = min(reach, key=lambda name: reach[name])
    samples = int(min(shape.samples, reach[first]))
    return Forecast(
        samples=samples,
        asked=shape.samples,
        requests=round(samples * requests),
        tokens=round(samples * tokens),
        cost=None if cost is None else samples * cost,
        trials=round(min(samples * runs, max(0, (settings.evaluations or math.inf) - samples))),
        looks=math.ceil(samples * looks),
        cpu_seconds=samples * cpu + sample.look,
        seconds=samples * wall + sample.look / max(1, settings.workers),
        model=model,
        ends=first if reach[first] < shape.samples else None,
        warning=_warning(settings, shape, sample, samples),
    )


def _warning(settings: Settings, shape: Shape, sample: Sample, samples: int) -> str | None:
    """Why this budget teaches nothing, in one sentence."""
    if settings.minutes is not None and _left(settings.minutes, sample.started) == 0:
        return f"--minutes {settings.minutes:g} is over already: the seeds alone took {_time(sample.started)}"
    if settings.tokens is not None and settings.tokens < shape.batch * sample.longest:
        return (
            f"--tokens {settings.tokens:,} does not pay for one batch: {shape.batch} requests reserve up to "
            f"{shape.batch * sample.longest:,}; raise it, or lower --batch or --max-tokens"
        )
    least = 2 * shape.batch
    if settings.strategy == "best-of-n" or samples > least:
        return None
    return (
        f"{samples} samples in batches of {shape.batch} learn nothing from one another (a batch is proposed from what "
        f"was known two batches before); more than {least} are needed, or a smaller --batch"
    )


def typical_reply(seeds: Sequence[int], longest: int) -> int:
    """Tokens of a reply, from those of the seeds' code."""
    return min(longest, round(1.5 * sum(seeds) / max(1, len(seeds))) + 30)


def _by_evaluations(settings: Settings, shape: Shape) -> float:
    """How many samples the limit of evaluations lets the run draw: candidates come before tuning."""
    if settings.evaluations is None:
        return math.inf
    runs = settings.trials - 1
    room, samples = float(settings.evaluations), 0
    while room >= 1 and samples < shape.samples:
        given = min(shape.batch, int(room))
        studies = min(shape.tuned_a_batch, (room - given) // runs) if shape.tune else 0
        room -= given + TUNED * studies * runs
        samples += given
    return samples


def _reach(limit: float | None, each: float) -> float:
    """How many samples fit."""
    return math.inf if limit is None or each <= 0 else limit // each


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else 60 * minutes


def _left(minutes: float | None, started: float) -> float | None:
    return None if minutes is None else max(0.0, 60 * minutes - started)


def _money(cost: float | None) -> str:
    if cost is None:
        return "cost unknown (no price for this model)"
    return "no cost" if cost == 0 else f"${cost:.2f}" if cost >= 0.1 else f"${cost:.2g}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
