"""The proposer by the settings."""

from __future__ import annotations

from pathlib import Path

from db.ledger import Ledger
from discovery.config import Settings
from discovery.errors import UsageError
from discovery.proposers.base import EDITS, WRITES, Operator, Proposer, Reply


def make_proposer(settings: Settings, replay: str | None, ledger: Ledger, task: str) -> Proposer:
    """The proposer of a run. Nothing is sent yet. Raises UsageError when a setting is missing or does not fit."""
    if settings.proposer == "genetic":
        from discovery.proposers.genetic import GeneticProposer

        return GeneticProposer()
    if settings.proposer == "replay":
        from discovery.proposers.replay import ReplayProposer

        source = replay or ""
        recorded = recorded_replies(source, ledger, task)
        return ReplayProposer(recorded, _lost(source, ledger), _operators(source, ledger))
    if settings.model is None:
        raise UsageError(
            "the chat proposer needs a model: --model NAME (and --base-url URL for your own server)"
        )
    from discovery.proposers.chat import ChatProposer

    return ChatProposer.from_settings(settings)


def recorded_replies(source: str, ledger: Ledger, task: str) -> dict[tuple[int, int], Reply]:
    """The replies of a run in the ledger, or of a cassette file. Raises UsageError for a recording of another task."""
    if Path(source).is_file():
        from discovery.proposers.replay import read_cassette

        cassette = read_cassette(Path(source))
        recorded_task, replies = cassette.task, dict(cassette.replies)
    else:
        record = ledger.run(source)
        recorded_task = record.task
        replies = {
            (p.k, p.r): Reply(p.reply or "", p.model or p.proposer, finish=p.finish)
            for p in ledger.proposals(record.id)
            if p.state == "replied"
        }
    if recorded_task != task:
        raise UsageError(f"the recording {source!r} is of task {recorded_task!r}, not of {task!r}")
    return replies


def _lost(source: str, ledger: Ledger) -> frozenset[tuple[int, int]]:
    """Requests of a recorded run that got no reply."""
    if Path(source).is_file():
        return frozenset()
    return frozenset((p.k, p.r) for p in ledger.proposals(ledger.run(source).id) if p.state == "failed")


def _operators(source: str, ledger: Ledger) -> frozenset[Operator]:
    """What the recorded proposer could be asked for."""
    if Path(source).is_file():
        return WRITES
    proposals = ledger.proposals(ledger.run(source).id)
    return EDITS if any(p.proposer == "genetic" for p in proposals) else WRITES


def template_hashes(settings: Settings) -> dict[str, str]:
    """Hashes of the prompt templates that decide this run's prompts; none without a model."""
    if settings.proposer != "chat":
        return {}
    from discovery.prompts import render

    return render.template_hashes(Path(settings.templates) if settings.templates else None)
