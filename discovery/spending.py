"""What a run may spend, has spent and will spend: its budget from the settings and the ledger, and the forecast."""

from __future__ import annotations

import math
from collections.abc import Sequence

from db.ledger import Ledger
from discovery.account import Account
from discovery.budget import Budget, Limits
from discovery.campaign import Campaign
from discovery.config import Settings
from discovery.errors import UsageError
from discovery.execution.base import Executor, StageJob
from discovery.execution.metered import Metered
from discovery.forecast import Forecast, Sample, forecast, typical_reply
from discovery.pace import processor_time
from discovery.seeds import Seed
from discovery.tuning import GAINED, LIFTED
from discovery.values import Price
from evaluators.task import Task


def budget_of(settings: Settings, ledger: Ledger, run: str, meter: Metered, most_tokens: int) -> Budget:
    """The budget of a run, as far as it was used in earlier sittings; its clock starts now. A reply whose tokens or
    cost the server did not tell counts as ``most_tokens``, the most that it may have used."""
    price, account = token_price(settings), Account(ledger, run)

    def spent() -> tuple[int, float]:
        found = account.spent()
        unpriced = found.unpriced * most_tokens * (price or 0.0)
        return found.tokens + found.uncounted * most_tokens, found.cost + unpriced

    limits = Limits(
        samples=settings.samples or 1,
        tokens=settings.tokens,
        cost=settings.cost,
        evaluations=settings.evaluations,
        minutes=settings.minutes,
        cpu_minutes=settings.cpu_minutes,
    )
    return Budget(
        limits,
        spent,
        evaluated=lambda: ledger.evaluated(run) + _probes(ledger, run),
        processor=lambda: meter.seconds,
        price=price,
        earlier=earlier(ledger, run, "seconds"),
        earlier_cpu=earlier(ledger, run, "cpu_seconds"),
    )


def _probes(ledger: Ledger, run: str) -> int:
    """Evaluations that told which literals matter, and what they gained."""
    told = [e.data.get("trials") for e in ledger.events(run, LIFTED)]
    return sum(n for n in told if isinstance(n, int)) + len(ledger.events(run, GAINED))


def times(budget: Budget) -> dict[str, object]:
    """The time used so far, as the ledger's event "time" keeps it, s."""
    return {"seconds": round(budget.seconds, 3), "cpu_seconds": round(budget.cpu_seconds, 3)}


def earlier(ledger: Ledger, run: str, what: str) -> float:
    """Wall time ("seconds") or processor time ("cpu_seconds") that a run has used, s: as of the last batch where a
    sitting was killed."""
    found = (e.data.get(what) for e in ledger.events(run, "time"))
    return max((float(str(used)) for used in found if used is not None), default=0.0)


def token_price(settings: Settings) -> float | None:
    """The highest price of a token of any model in US dollars, None when one is not known."""
    prices = [max(p.input, p.output) / 1e6 if p else None for _, p in _prices(settings)]
    known = [p for p in prices if p is not None]
    return max(known, default=0.0) if len(known) == len(prices) else None


def _prices(settings: Settings) -> list[tuple[str, Price | None]]:
    """The price of each model, None when it is not known; nothing without a model."""
    if settings.proposer != "chat":
        return []
    from discovery.proposers.endpoint import normalised
    from discovery.proposers.panel import single
    from discovery.proposers.prices import price_of

    return [
        (name, price_of(name, normalised(single(settings, name).base_url), settings.prices))
        for name in settings.named_models
    ]


def _mean_price(settings: Settings) -> tuple[float, float] | None:
    """Input and output price of a token, US dollars, the mean over the models."""
    prices = [p for _, p in _prices(settings)]
    known = [p for p in prices if p is not None]
    if len(known) < len(prices):
        return None
    each = 1e6 * max(1, len(known))
    return math.fsum(p.input for p in known) / each, math.fsum(p.output for p in known) / each


def check_limits(settings: Settings) -> None:
    """Raises UsageError for a limit that could not be kept."""
    if settings.proposer == "manual":
        limits = {"evaluations": settings.evaluations, "control": settings.control}
        given = next((name for name, value in limits.items() if value is not None), None)
        if given is not None:
            raise UsageError(
                f"--{given} does not go with --proposer manual: nobody knows when an answer comes; leave it out"
            )
    unknown = next((name for name, price in _prices(settings) if price is None), None)
    if settings.cost is not None and unknown is not None:
        raise UsageError(
            f"--cost needs the price of model {unknown!r}: give it in discover.toml as "
            f'[prices."{unknown}"] with input and output in US dollars for a million tokens'
        )


def forecast_of(
    settings: Settings, campaign: Campaign, seeds: Sequence[Seed], budget: Budget, executor: Executor
) -> Forecast:
    """The forecast of a run whose seeds are scored and that has asked for nothing yet."""
    task, evaluation = campaign.task, campaign.evaluation
    search = task.instances("search")
    times = [evaluation.stage(seed.candidate, search).cpu for seed in seeds]
    looks = [2 * processor_time([(search, cpu)], task.gate(0)) for cpu in times]
    prompt, reply, longest = _tokens(campaign, seeds)
    sample = Sample(
        prompt=prompt,
        reply=reply,
        longest=longest,
        price=_mean_price(settings),
        search=math.fsum(math.fsum(cpu) for cpu in times) / len(times),
        look=math.fsum(looks) / len(looks),
        host=_host(task, seeds[0], executor),
        started=budget.seconds,
    )
    return forecast(settings, campaign.shape, sample)


def _host(task: Task, seed: Seed, executor: Executor) -> float:
    """What simulator and referee outside the sandbox take for each second of a candidate, s. It is tried on the screen:
    the seeds' scores may be known from earlier runs, and nothing is kept of it."""
    result = executor.submit(StageJob(seed.candidate.code, task.instances("screen"), {})).result()
    return result.host / max(math.fsum(result.cpu), 1e-3)


def _tokens(campaign: Campaign, seeds: Sequence[Seed]) -> tuple[int, int, int]:
    """Tokens of the first slot's prompt, of a reply as expected, and those reserved for both; 0 without a model."""
    messages, longest = campaign.first_prompt()
    if not messages or not longest:
        return 0, 0, longest
    from discovery.prompts.render import message_tokens, tokens

    prompt = message_tokens(messages)
    return prompt, typical_reply([tokens(s.candidate.code) for s in seeds], longest - prompt), longest
