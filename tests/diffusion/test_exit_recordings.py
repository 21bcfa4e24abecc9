"""The file of recordings: what is written is read, and what is damaged is refused in one sentence."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evaluators.diffusion.early_exit import recordings
from evaluators.diffusion.early_exit.reader import read
from evaluators.diffusion.early_exit.recordings import QUANTILES, Recorded, load, origin, quantiles, write
from evaluators.diffusion.early_exit.trajectory import Trajectory
from evaluators.task import TaskError

TEXTS, PASSES, SPAN = 3, 4, 5


def trajectory(seed: int) -> Trajectory:
    draw = np.random.default_rng(seed)
    return Trajectory(
        draw.random((4, PASSES, SPAN)).astype(np.float16),
        draw.integers(0, 150_000, (PASSES, SPAN)).astype(np.int32),
        draw.integers(1, PASSES + 1, SPAN).astype(np.int32),
        np.empty(0, np.float16),
        7,
        np.empty(0, np.uint8),
        draw.random(PASSES).astype(np.float32),
    )


RECORDED = [Recorded(f"text {k}", "prose" if k else "vers é", trajectory(k)) for k in range(TEXTS)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.npz"
    write(path, RECORDED, origin="somewhere")
    return path


def test_what_is_written_is_read(file: Path) -> None:
    found = load(file)
    assert [(r.id, r.family) for r in found] == [(r.id, r.family) for r in RECORDED]
    for made, wanted in zip(found, RECORDED, strict=True):
        for name in ("readings", "best", "fixed", "quality"):
            a, b = getattr(made.trajectory, name), getattr(wanted.trajectory, name)
            assert a.dtype == b.dtype and np.array_equal(a, b)
        assert made.trajectory.end == 7
        assert np.array_equal(made.trajectory.margins, quantiles([r.trajectory for r in RECORDED]))
    assert origin(file) == "somewhere"


def test_a_file_by_hand_needs_no_origin_and_may_have_more(file: Path) -> None:
    rewrite(file, origin=None, more=np.arange(3))
    assert len(load(file)) == TEXTS and origin(file) is None


def test_instances_carry_the_recordings(file: Path) -> None:
    found = read(file)
    assert [(i.id, i.group, i.size) for i in found] == [(r.id, r.family, SPAN) for r in RECORDED]
    for instance, recorded in zip(found, RECORDED, strict=True):
        again = Trajectory.from_bytes(instance.payload)
        assert np.array_equal(again.readings, recorded.trajectory.readings)
        assert np.array_equal(again.text(2), recorded.trajectory.text(2))
        assert instance.reference == float(recorded.trajectory.quality[-1])


@given(
    st.lists(
        st.tuples(
            arrays.arrays(np.float16, (3, 4), elements=st.floats(0, 1000, width=16)),
            arrays.arrays(np.int32, 4, elements=st.integers(1, 3)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_margins_are_the_quantiles_at_masked_positions(drawn: list[tuple[np.ndarray, np.ndarray]]) -> None:
    made, pooled = [], []
    for margins, fixed in drawn:
        readings = np.zeros((4, 3, 4), np.float16)
        readings[1] = margins
        empty = np.empty(0, np.uint8)
        best = np.zeros((3, 4), np.int32)
        made.append(Trajectory(readings, best, fixed, empty, 0, empty, np.zeros(3, np.float32)))
        for number in range(3):
            pooled += [margins[number, k] for k in range(4) if fixed[k] > number]
    expected = np.quantile(np.array(pooled, np.float64), np.linspace(0, 1, QUANTILES), method="inverted_cdf")
    # numpy multiplies shares and counts in another order, so that ranks may differ by one at exact steps
    found = quantiles(made)
    assert (np.diff(found.astype(float)) >= 0).all() and set(found.tolist()) <= {float(v) for v in pooled}
    assert found[0] == min(pooled) and found[-1] == max(pooled)
    order = np.sort(np.array(pooled, np.float64))
    near = np.abs(np.searchsorted(order, found) - np.searchsorted(order, expected))
    assert all(n <= 1 or found[k] == expected[k] for k, n in enumerate(near))


def rewrite(file: Path, **changes: Any) -> None:
    """Change arrays of a file: a value, a function of the old one, or None to leave it out."""
    with np.load(file, allow_pickle=False) as old:
        held = {name: old[name] for name in old.files}
    for name, change in changes.items():
        if change is None:
            del held[name]
        else:
            held[name] = change(held[name]) if callable(change) else change
    with file.open("wb") as stream:
        np.savez_compressed(stream, **held)


def changed(at: tuple[int, ...], value: object) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[at] = value
        return array

    return change


BAD: dict[str, tuple[dict[str, Any], str]] = {
    **{f"no {n}": ({n: None}, f"{n!r} is missing") for n in ("format", "ids", "drift", "best", "margins", "end")},
    "texts as numbers": ({"ids": np.arange(TEXTS)}, "not texts"),
    "floats as tokens": ({"best": lambda a: a.astype(float)}, "not whole numbers"),
    "numbers as probability": ({"probability": lambda a: a.astype(int)}, "not floating-point"),
    "complex": ({"margin": lambda a: a.astype(complex)}, "not floating-point"),
    "two ends": ({"end": np.array([1, 2])}, "one number"),
    "later format": ({"format": np.array(2)}, "reads format 1"),
    "flat best": ({"best": lambda a: a.reshape(TEXTS, -1)}, "texts × passes × positions"),
    "nothing": ({"best": lambda a: a[:0]}, "texts × passes × positions"),
    "too many passes": ({"best": np.zeros((1, 4097, 1), np.int32)}, "too many"),
    "one text less": ({"quality": lambda a: a[1:]}, "'quality' has shape (2, 4)"),
    "one id less": ({"ids": lambda a: a[1:]}, "'ids' has shape"),
    "one pass less": ({"margin": lambda a: a[:, 1:]}, "'margin' has shape (3, 3, 5)"),
    "turned": ({"entropy": lambda a: a.swapaxes(1, 2)}, "'entropy' has shape"),
    "short fixed": ({"fixed": lambda a: a[:, 1:]}, "'fixed' has shape"),
    "NaN": ({"probability": changed((1, 2, 3), np.nan)}, "nan at (1, 2, 3)"),
    "NaN quality": ({"quality": changed((0, 1), np.nan)}, "'quality' holds nan"),
    "infinite": ({"margin": changed((0, 0, 0), np.inf)}, "inf at (0, 0, 0)"),
    "too large": ({"margin": lambda a: a.astype(np.float64) + 1e5}, "finite numbers"),
    "negative": ({"entropy": changed((0, 0, 0), -1)}, "below 0"),
    "sure twice": ({"probability": changed((0, 0, 0), 1.5)}, "above 1"),
    "better than right": ({"quality": changed((0, 0), 1.25)}, "above 1"),
    "falling margins": ({"margins": np.array([1, 0.5], np.float16)}, "do not fall"),
    "one margin": ({"margins": np.array([1], np.float16)}, "two quantiles"),
    "square margins": ({"margins": np.ones((2, 2), np.float16)}, "two quantiles"),
    "fixed before": ({"fixed": changed((0, 0), 0)}, "1 to 4"),
    "fixed after": ({"fixed": changed((0, 0), PASSES + 1)}, "1 to 4"),
    "negative token": ({"best": changed((0, 0, 0), -5)}, "no tokens"),
    "huge token": ({"best": lambda a: a.astype(np.int64) + 2**31}, "no tokens"),
    "huge end": ({"end": np.array(2**40)}, "no token"),
    "end of -2": ({"end": np.array(-2)}, "no token"),
    "ids twice": ({"ids": np.array(["a", "b", "a"])}, "same id"),
    "empty id": ({"ids": np.array(["a", "b", ""])}, "printable"),
    "line in a family": ({"families": np.array(["a", "b\nc", "d"])}, "printable"),
    "long id": ({"ids": np.array(["a", "b", "c" * 201])}, "200"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_files_that_are_no_recordings(case: str, file: Path) -> None:
    changes, told = BAD[case]
    rewrite(file, **changes)
    with pytest.raises(TaskError) as raised:
        load(file)
    said = str(raised.value)
    assert told in said and str(file) in said and "\n" not in said and "discover record" in said


class Trap:
    """Would write a file if it were read as an object."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_objects_are_never_read(file: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    rewrite(file, ids=np.array([Trap(trap)] * TEXTS, dtype=object))
    with pytest.raises(TaskError, match="no npz file"):
        load(file)
    assert not trap.exists()


def header(shape: tuple[int, ...], dtype: str) -> bytes:
    """An npy file that promises such an array and has nothing in it."""
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def test_bombs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that would grow beyond the limit is not unpacked; promises without data come to nothing."""
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("extra.npy", bytes(3_000_000))
    monkeypatch.setattr(recordings, "MOST_BYTES", 2_000_000)
    with pytest.raises(TaskError, match="GB"):
        load(file)
    monkeypatch.undo()
    for shape, dtype in (
        ((10**6, 10**6, 10), "<i4"),
        ((2**62,), "<f8"),
        ((-1,), "<f8"),
        ((3,), "<U200000000"),
    ):
        bare = {"best.npy": header(shape, dtype)}
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in bare.items():
                archive.writestr(name, data)
        with pytest.raises(TaskError, match="no npz file"):
            load(file)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY", b"hello", b"\x80\x04K\x01."])
def test_other_files(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    with pytest.raises(TaskError, match="no npz file"):
        load(file)


@pytest.mark.parametrize("name, reading", [("best", load), ("ids", load), ("origin", origin)])
def test_members_that_are_no_arrays(name: str, reading: Callable[[Path], object], file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        held = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for entry, data in {**held, f"{name}.npy": b"hello"}.items():
            archive.writestr(entry, data)
    with pytest.raises(TaskError, match=f"no npz file .*'{name}' is no array"):
        reading(file)


def test_one_array_alone_and_no_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    for path in (tmp_path / "a.npy", tmp_path / "nowhere.npz", tmp_path):
        with pytest.raises(TaskError):
            load(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, 6000),
    flips=st.lists(st.tuples(st.integers(0, 6000), st.integers(1, 255)), max_size=4),
    stored=st.booleans(),
)
def test_damage_is_refused_or_harmless(
    tmp_path: Path, cut: int, flips: list[tuple[int, int]], stored: bool
) -> None:
    path = tmp_path / "damaged.npz"
    write(path, RECORDED)
    if stored:
        with np.load(path, allow_pickle=False) as old:
            held = {name: old[name] for name in old.files}
        with path.open("wb") as stream:
            np.savez(stream, **held)
    data = bytearray(path.read_bytes())
    for at, by in flips:
        data[at % len(data)] ^= by
    path.write_bytes(data[: len(data) - cut] if cut < len(data) // 2 else data)
    try:
        found = load(path)
    except TaskError as error:
        assert "\n" not in str(error)
    else:
        for recorded in found:
            assert np.isfinite(recorded.trajectory.readings).all()
            recorded.trajectory.text(recorded.trajectory.passes)


def test_writing_holds_the_numbers_once_more_and_no_oftener(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = span = 256
    long = Trajectory(
        np.zeros((4, passes, span), np.float16),
        np.zeros((passes, span), np.int32),
        np.ones(span, np.int32),
        np.empty(0, np.float16),
        7,
        np.empty(0, np.uint8),
        np.zeros(passes, np.float32),
    )
    made = [Recorded(str(k), "f", long) for k in range(40)]
    monkeypatch.setattr(np, "savez_compressed", lambda *_, **__: None)  # has a buffer of fixed size
    tracemalloc.start()
    try:
        write(tmp_path / "long.npz", made)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    held = len(made) * (long.readings.nbytes + long.best.nbytes)
    assert peak < 1.2 * held


@pytest.mark.parametrize(
    "ids, family, told",
    [
        ("ab", "f" * 201, "'families' holds"),
        ("ab", "", "'families' holds"),
        ("a\n", "f", "'ids' holds"),
        ("aa", "f", "same id"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(ids: str, family: str, told: str, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(TaskError, match=f"cannot be written: .*{told}"):
        write(file, [Recorded(name, family, trajectory(k)) for k, name in enumerate(ids)])
    assert file.read_bytes() == before and not list(file.parent.glob("*.new"))


def test_a_file_that_cannot_be_written_leaves_the_old_one(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    (tmp_path / "r.npz.new").mkdir()
    with pytest.raises(TaskError, match="cannot be written"):
        write(file, RECORDED)
    assert file.read_bytes() == before
