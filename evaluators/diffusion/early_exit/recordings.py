"""The file of recordings: what ``discover record`` writes and ``--instances`` of ``diffusion-exit`` reads.

An npz file without pickled objects. N texts, T forward passes, a span of L positions, all the same in a file:

========== ============== =====================================================================================
format     int            FORMAT
ids        str (N,)       different names of the texts
families   str (N,)       the class of each text
probability, margin, entropy, drift
           float16 (N, T, L)  what each pass said of each position (:class:`evaluators.diffusion.reading.Reading`)
best       int32 (N, T, L)    the most probable tokens
fixed      int32 (N, L)   the pass, from 1, in which full decoding fixed each position
quality    float32 (N, T) of the text that stopping after each pass gives, 0 to 1; the last is full decoding's
margins    float16 (M,)   quantiles of the model's margins at masked positions, non-decreasing
end        int            the token for what follows the text; -1: there is none
origin     str            (may be missing) what the file was made from, so that recording can go on with it
========== ============== =====================================================================================

The margins are taken from the texts of the file themselves (:func:`quantiles`).
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.early_exit.trajectory import Trajectory
from evaluators.task import TaskError

Array = npt.NDArray[Any]

FORMAT = 1
MOST_PASSES = MOST_POSITIONS = 4096
MOST_BYTES = 8 * 2**30
MOST_NAME = 200
"""Characters of an id or a family."""
QUANTILES = 101
NUMBERS = ("probability", "margin", "entropy", "drift")
_KINDS = {
    "format": "iu",
    "ids": "U",
    "families": "U",
    **dict.fromkeys(NUMBERS, "f"),
    "best": "iu",
    "fixed": "iu",
    "quality": "f",
    "margins": "f",
    "end": "iu",
}
_WORDS = {"iu": "whole numbers", "U": "texts", "f": "floating-point numbers"}


@dataclass(frozen=True)
class Recorded:
    """One text of a file."""

    id: str
    family: str
    trajectory: Trajectory


def write(path: Path, recorded: Sequence[Recorded], *, origin: str = "") -> None:
    """Write recordings of one model, all with the same passes and span; the end of the first stands for all, the
    margins are those of all. The file is there as a whole or not at all. Raises TaskError where it cannot be
    written, or could not be read again for its names."""
    ids, families = [r.id for r in recorded], [r.family for r in recorded]
    if (fault := _misnamed(ids, families)) is not None:
        raise TaskError(f"{path} cannot be written: {fault}")
    trajectories = [r.trajectory for r in recorded]
    readings = np.stack([t.readings for t in trajectories]).astype(np.float16, copy=False)
    unfinished = path.with_name(path.name + ".new")
    try:
        with unfinished.open("wb") as stream:
            np.savez_compressed(
                stream,
                format=np.array(FORMAT),
                ids=np.array(ids),
                families=np.array(families),
                **dict(zip(NUMBERS, readings.swapaxes(0, 1), strict=True)),
                best=np.stack([t.best for t in trajectories]).astype(np.int32, copy=False),
                fixed=np.stack([t.fixed for t in trajectories]).astype(np.int32, copy=False),
                quality=np.stack([t.quality for t in trajectories]).astype(np.float32, copy=False),
                margins=quantiles(trajectories),
                end=np.array(trajectories[0].end),
                origin=np.array(origin),
            )
        unfinished.replace(path)
    except OSError as error:
        raise TaskError(f"{path} cannot be written: {error.strerror or error}") from None


def quantiles(trajectories: Sequence[Trajectory]) -> Array:
    """Quantiles of the margins at masked positions in all passes, at QUANTILES equal steps from 0 to 1, float16: each
    the smallest margin that enough others do not exceed."""
    counts = np.zeros(2**16, np.int64)  # numbers not below 0 are in the order of their bits
    for t in trajectories:
        passes = np.arange(1, t.passes + 1)[:, None]
        margins = t.readings[NUMBERS.index("margin")][t.fixed[None] >= passes].astype("<f2")
        counts += np.bincount(np.abs(margins).view("<u2"), minlength=len(counts))
    below = np.cumsum(counts)
    ranks = np.maximum(np.ceil(np.linspace(0.0, 1.0, QUANTILES) * below[-1]), 1)
    return np.asarray(np.searchsorted(below, ranks).astype("<u2").view("<f2").astype(np.float16))


def origin(path: Path) -> str | None:
    """What the recorder noted of where a file comes from; None where it notes nothing. Raises TaskError."""
    found = _arrays(path, ("origin",)).get("origin")
    return str(found) if found is not None and found.shape == () and found.dtype.kind == "U" else None


def load(path: Path) -> tuple[Recorded, ...]:
    """The texts of a file, in order. Raises TaskError with what is wrong."""
    arrays = _arrays(path, tuple(_KINDS))

    def refuse(reason: str) -> TaskError:
        return TaskError(f"{path}: {reason}; expected a file that `discover record` has written")

    missing = [name for name in _KINDS if name not in arrays]
    if missing:
        raise refuse(f"the array {missing[0]!r} is missing")
    for name, kinds in _KINDS.items():
        if arrays[name].dtype.kind not in kinds:
            raise refuse(f"the array {name!r} holds {arrays[name].dtype}, not {_WORDS[kinds]}")
    for name in ("format", "end"):
        if arrays[name].shape != ():
            raise refuse(f"the array {name!r} has shape {arrays[name].shape}; one number is expected")
    if int(arrays["format"]) != FORMAT:
        raise refuse(f"the format is {int(arrays['format'])}; this version reads format {FORMAT}")
    if arrays["best"].ndim != 3 or 0 in arrays["best"].shape:
        raise refuse(f"'best' has shape {arrays['best'].shape}; texts × passes × positions are expected")
    texts, passes, span = arrays["best"].shape
    if passes > MOST_PASSES or span > MOST_POSITIONS:
        raise refuse(
            f"{passes} passes of {span} positions are too many; at most {MOST_PASSES} and {MOST_POSITIONS} can be read"
        )
    shapes: dict[str, tuple[int, ...]] = {
        "ids": (texts,),
        "families": (texts,),
        **dict.fromkeys(NUMBERS, (texts, passes, span)),
        "fixed": (texts, span),
        "quality": (texts, passes),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise refuse(f"{name!r} has shape {arrays[name].shape}, but 'best' asks for {shape}")
    _check_numbers(arrays, passes, refuse)
    names, families = arrays["ids"].tolist(), arrays["families"].tolist()
    if (fault := _misnamed(names, families)) is not None:
        raise refuse(fault)
    readings = np.stack([arrays[name].astype(np.float16, copy=False) for name in NUMBERS], axis=1)
    table, end = arrays["margins"].astype(np.float16), int(arrays["end"])
    return tuple(
        Recorded(
            names[n],
            families[n],
            Trajectory(
                readings[n],
                arrays["best"][n].astype(np.int32, copy=False),
                arrays["fixed"][n].astype(np.int32),
                table,
                end,
                np.empty(0, np.uint8),
                arrays["quality"][n].astype(np.float32),
            ),
        )
        for n in range(texts)
    )


def _misnamed(ids: Sequence[str], families: Sequence[str]) -> str | None:
    """Why texts cannot be called so, or None."""
    for name, texts in (("ids", ids), ("families", families)):
        for text in texts:
            if not 1 <= len(text) <= MOST_NAME or not text.isprintable():
                return (
                    f"{name!r} holds {text[:MOST_NAME]!r}; 1 to {MOST_NAME} printable characters are expected"
                )
    return None if len(set(ids)) == len(ids) else "two texts have the same id"


def _check_numbers(arrays: dict[str, Array], passes: int, refuse: Any) -> None:
    """Raises TaskError for numbers that no recording has."""
    for name in (*NUMBERS, "quality", "margins"):
        with np.errstate(over="ignore"):
            found = arrays[name].astype(np.float16, copy=False)
        if not np.isfinite(found).all():
            place = tuple(int(k) for k in np.argwhere(~np.isfinite(found))[0])
            raise refuse(f"{name!r} holds {arrays[name][place]} at {place}; finite numbers are expected")
        if (found < 0).any():
            raise refuse(f"{name!r} holds {found.min()}; it cannot be below 0")
    for name in ("probability", "quality"):
        if arrays[name].max() > 1:
            raise refuse(f"{name!r} holds {arrays[name].max()}; it cannot be above 1")
    table = arrays["margins"]
    if table.ndim != 1 or len(table) < 2 or (np.diff(table.astype(np.float64)) < 0).any():
        raise refuse("'margins' must hold at least two quantiles that do not fall")
    if len(table) > MOST_POSITIONS:
        raise refuse(f"'margins' holds {len(table)} quantiles; at most {MOST_POSITIONS} can be read")
    fixed = arrays["fixed"]
    if fixed.min() < 1 or fixed.max() > passes:
        raise refuse(f"'fixed' holds {fixed.min()} to {fixed.max()}; passes run from 1 to {passes}")
    if arrays["best"].min() < 0 or int(arrays["best"].max()) > 2**31 - 1:
        raise refuse("'best' holds numbers that are no tokens")
    if not -1 <= int(arrays["end"]) <= 2**31 - 1:
        raise refuse(f"'end' is {int(arrays['end'])}, which is no token")


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """Those of the named arrays that an npz file has. Raises TaskError."""
    expected = "expected an npz file that `discover record` has written"
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_BYTES:
            raise TaskError(
                f"{path} holds {size / 2**30:.1f} GB of numbers; at most {MOST_BYTES / 2**30:g} GB are read"
            )
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files if name in names}
        for name, array in found.items():
            if not isinstance(array, np.ndarray):  # numpy gives the bytes of other members
                raise ValueError(f"its member {name!r} is no array")
        return found
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}") from None
    except TaskError:
        raise
    except Exception as error:  # zipfile, zlib, lzma and numpy each have their own for damaged files
        told = " ".join(str(error).split())
        raise TaskError(f"{path} is damaged or no npz file ({told}); {expected}") from None
