"""The proposer by the settings."""

from __future__ import annotations

from pathlib import Path

from db.ledger import Ledger
from discovery.config import Settings
from discovery.errors import UsageError
from discovery.proposers.base import Proposer


def make_proposer(settings: Settings, replay: str | None, ledger: Ledger, task: str) -> Proposer:
    """The proposer of a run. Nothing is sent yet. Raises UsageError when a setting is missing or does not fit."""
    if settings.proposer == "genetic":
        from discovery.proposers.genetic import GeneticProposer

        return GeneticProposer()
    if settings.proposer == "replay":
        from discovery.proposers.replay import ReplayProposer
        from discovery.recorded import recording

        return ReplayProposer(recording(replay or "", ledger, task))
    if settings.model is None:
        raise UsageError(
            "the chat proposer needs a model: --model NAME (and --base-url URL for your own server)"
        )
    from discovery.proposers.chat import ChatProposer

    return ChatProposer.from_settings(settings)


def template_hashes(settings: Settings) -> dict[str, str]:
    """Hashes of the prompt templates that decide this run's prompts; none without a model."""
    if settings.proposer != "chat":
        return {}
    from discovery.prompts import render

    return render.template_hashes(Path(settings.templates) if settings.templates else None)
