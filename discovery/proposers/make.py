"""The proposer by the settings."""

from __future__ import annotations

from pathlib import Path

from db.ledger import Ledger
from discovery.config import Settings
from discovery.errors import UsageError
from discovery.proposers.base import Proposer
from discovery.proposers.choice import Choice
from discovery.proposers.patience import Patience, Patient
from evaluators.task import Direction


def make_proposer(
    settings: Settings, replay: str | None, ledger: Ledger, task: str, patience: Patience
) -> Proposer:
    """The proposer of a run; one that asks an endpoint waits with ``patience`` while it is down. Nothing is sent yet.
    Raises UsageError when a setting is missing or does not fit."""
    if settings.proposer == "genetic":
        from discovery.proposers.genetic import GeneticProposer

        return GeneticProposer()
    if settings.proposer == "replay":
        from discovery.proposers.replay import ReplayProposer
        from discovery.recorded import recording

        return ReplayProposer(recording(replay or "", ledger, task))
    if settings.proposer == "manual":
        from discovery.proposers.manual import ManualProposer

        return ManualProposer(Path(settings.templates) if settings.templates else None)
    if not settings.named_models:
        raise UsageError(
            "the chat proposer needs a model: --model NAME (and --base-url URL for your own server)"
        )
    from discovery.proposers.panel import Panel, chat_proposers

    models = chat_proposers(settings, patience.nap)
    return Patient(Panel(models) if len(models) > 1 else next(iter(models.values())), patience)


def make_choice(settings: Settings, seed: int, direction: Direction) -> Choice | None:
    """What chooses model and temperature of a slot; None without a model."""
    if settings.proposer != "chat":
        return None
    from discovery.proposers.panel import arms

    return Choice(seed, arms(settings), settings.model_choice, islands=settings.islands, direction=direction)


def template_hashes(settings: Settings) -> dict[str, str]:
    """Hashes of the prompt templates that decide this run's prompts; none where nobody reads any."""
    if settings.proposer not in ("chat", "manual"):
        return {}
    from discovery.prompts import render

    return render.template_hashes(Path(settings.templates) if settings.templates else None)
