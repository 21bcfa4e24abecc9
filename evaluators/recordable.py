"""Tasks whose decisions can be replayed on recordings of a real model, made by ``discover record``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from evaluators.task import Figure

Precision = Literal["bfloat16", "float32"]


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint is loaded and decoded.

    ``length`` positions are appended to each prompt and filled in ``steps`` forward passes, in blocks of ``block``
    positions from left to right (None: as many passes as positions; one block). ``limit``: of the data, so many
    texts. ``mask`` (a token) and ``shift`` (whether the logits for a position are found one place before it) are
    None where the checkpoint tells; ``chat``: whether prompts go through the tokenizer's chat template (None: where it
    has one). ``device`` is PyTorch's name of one, or ``auto``. ``trust``: whether code that the checkpoint brings may
    run, with all rights of the user."""

    length: int = 256
    steps: int | None = None
    block: int | None = None
    limit: int | None = None
    mask: int | None = None
    shift: bool | None = None
    chat: bool | None = None
    device: str = "auto"
    precision: Precision = "bfloat16"
    trust: bool = False


@dataclass(frozen=True)
class Recording:
    """What has been recorded: ``texts`` of the ``asked`` ones, in ``file`` (None: not one), and how good they are."""

    file: Path | None
    texts: int
    asked: int
    figures: tuple[Figure, ...]


@runtime_checkable
class Recordable(Protocol):
    """A task that scores on recordings of real models (``discover record``, then ``--instances``)."""

    def record(
        self,
        checkpoint: Path,
        data: Path,
        out: Path,
        *,
        recipe: Recipe,
        over: Callable[[], bool],
        say: Callable[[str], None],
    ) -> Recording:
        """Let the model in the folder ``checkpoint`` answer the questions of the file ``data`` and write what it did to
        ``out``, until ``over()``; a later call goes on from there. ``say`` is told the progress. Raises TaskError for
        what does not fit, Missing for packages that are not installed."""
        ...
