"""``discover record`` for ``diffusion-exit``: question after question, into a file that can be gone on with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluators.diffusion.early_exit import recordings
from evaluators.diffusion.early_exit.recorder import questions as data_file
from evaluators.diffusion.early_exit.recorder.checkpoint import Checkpoint, fingerprint, read
from evaluators.diffusion.early_exit.recorder.decoding import Decoded, Schedule, decode
from evaluators.diffusion.early_exit.recorder.questions import Question
from evaluators.diffusion.early_exit.recorder.weights import Weights, device_of, load
from evaluators.diffusion.early_exit.recordings import MOST_BYTES, Recorded
from evaluators.diffusion.early_exit.trajectory import Trajectory
from evaluators.recordable import Recipe, Recording
from evaluators.task import Figure, TaskError

SAVE_SECONDS, SAVE_TIMES = 300.0, 20
"""What is recorded is written this often, s, between two texts; less often where that would take more than a part in
so many of the time, since all of it is compressed anew."""
POSITION_BYTES = 12
"""Of a position in a pass: four float16 and a token."""

Say = Callable[[str], None]


def record(
    checkpoint: Path,
    data: Path,
    out: Path,
    *,
    recipe: Recipe,
    over: Callable[[], bool],
    say: Say,
) -> Recording:
    """As :meth:`evaluators.recordable.Recordable.record`. What was recorded is kept whatever ends it."""
    questions = data_file.read(data)
    asked = questions[: recipe.limit]
    schedule = Schedule.of(recipe)
    size = len(asked) * schedule.steps * schedule.length * POSITION_BYTES
    if size > MOST_BYTES:
        raise TaskError(
            f"{len(asked)} texts of {schedule.steps} passes and {schedule.length} positions are {size / 2**30:.1f} GB; "
            f"at most {MOST_BYTES / 2**30:g} GB fit into a file: record fewer (--limit), or shorter ones"
        )
    session = _Session(checkpoint, out, questions, schedule, recipe)
    if len(session.done) < len(asked):
        device, words = device_of(recipe.device), read(checkpoint, recipe)
        prompts = [_prompt(words, question, schedule) for question in asked]
        say(f"loading {checkpoint}")
        session.run(words, load(checkpoint, recipe, words, device), prompts, over, say)
    return session.result()


class _Session:
    """What is recorded so far, in memory and in the file. Raises TaskError where the file is of another origin, or
    holds more texts than are asked for."""

    def __init__(
        self, checkpoint: Path, out: Path, questions: Sequence[Question], schedule: Schedule, recipe: Recipe
    ) -> None:
        self._out, self._questions, self._schedule = out, questions, schedule
        self._asked = questions[: recipe.limit]
        self._made = {
            "checkpoint": fingerprint(checkpoint),
            "length": schedule.length,
            "steps": schedule.steps,
            "block": schedule.block,
            "mask": recipe.mask,
            "shift": recipe.shift,
            "chat": recipe.chat,
            "precision": recipe.precision,
        }
        self.done: list[Recorded] = list(self._earlier())
        self._saved = len(self.done)

    def _origin(self, texts: int) -> str:
        return json.dumps(
            {**self._made, "questions": data_file.digest(self._questions[:texts])}, sort_keys=True
        )

    def _earlier(self) -> tuple[Recorded, ...]:
        if not self._out.exists():
            return ()
        found = recordings.load(self._out)
        if recordings.origin(self._out) != self._origin(len(found)):
            raise TaskError(
                f"{self._out} exists and was recorded from another checkpoint, other data or with other settings; "
                "name another file with --out, or delete it"
            )
        if len(found) > len(self._asked):
            raise TaskError(
                f"{self._out} holds {len(found)} texts, which is more than --limit {len(self._asked)}; "
                "leave --limit out or raise it"
            )
        return found

    def run(
        self,
        words: Checkpoint,
        model: Weights,
        prompts: list[np.ndarray],
        over: Callable[[], bool],
        say: Say,
    ) -> None:
        """Record what is not recorded yet, until it is over."""
        if self.done:
            say(f"going on after {len(self.done)} texts that are in {self._out}")
        started = time.monotonic()
        due = started + SAVE_SECONDS
        first = len(self.done)
        try:
            for number in range(first, len(self._asked)):
                question = self._asked[number]
                try:
                    decoded = decode(model, prompts[number], self._schedule, over)
                    if decoded is None:
                        return
                    self.done.append(_recorded(words, question, decoded))
                except TaskError as error:
                    raise type(error)(f"text {question.id!r}: {error}") from error
                now = time.monotonic()
                left = (now - started) / (number + 1 - first) * (len(self._asked) - number - 1)
                worth = float(self.done[-1].trajectory.quality[-1])
                say(
                    f"{number + 1} of {len(self._asked)}: {question.id}, quality {worth:.3g}, {left:.0f} s left"
                )
                if now > due:
                    self.save()
                    saved = time.monotonic()
                    due = saved + max(SAVE_SECONDS, SAVE_TIMES * (saved - now))
        finally:
            self.save()

    def save(self) -> None:
        """Write what is recorded, with the margins of all of it."""
        if len(self.done) == self._saved:
            return
        recordings.write(self._out, self.done, origin=self._origin(len(self.done)))
        self._saved = len(self.done)

    def result(self) -> Recording:
        if not self.done:
            return Recording(None, 0, len(self._asked), ())
        quality = np.stack([r.trajectory.quality for r in self.done])
        figures = (
            Figure("quality of full decoding", 100 * float(quality[:, -1].mean()), "%"),
            Figure("quality after the first pass", 100 * float(quality[:, 0].mean()), "%"),
        )
        return Recording(self._out, len(self.done), len(self._asked), figures)


def _prompt(words: Checkpoint, question: Question, schedule: Schedule) -> np.ndarray:
    """The tokens of a question. Raises TaskError where prompt and span are longer than the model."""
    try:
        found = words.prompt(question.prompt)
    except TaskError as error:
        raise type(error)(f"text {question.id!r}: {error}") from error
    if words.places is not None and len(found) + schedule.length > words.places:
        raise TaskError(
            f"text {question.id!r}: a prompt of {len(found)} tokens and --gen-length {schedule.length} are more than "
            f"the {words.places} positions of the model; shorten one of them"
        )
    return found


def _recorded(words: Checkpoint, question: Question, decoded: Decoded) -> Recorded:
    """The recording of a text, with the quality of what stopping after each pass gives."""
    trajectory = Trajectory(
        decoded.readings,
        decoded.best,
        decoded.fixed,
        np.empty(0, np.float16),
        words.end,
        np.empty(0, np.uint8),
        np.empty(0, np.float32),
    )
    known: dict[bytes, float] = {}
    quality = np.empty(trajectory.passes, np.float32)
    for number in range(1, trajectory.passes + 1):
        tokens = trajectory.text(number)
        key = tokens.tobytes()  # the same text often comes again
        if key not in known:
            known[key] = question.quality(words.text(tokens))
        quality[number - 1] = known[key]
    return Recorded(question.id, question.family, replace(trajectory, quality=quality))
