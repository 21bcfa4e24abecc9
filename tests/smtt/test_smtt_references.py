"""The shipped references: every witness attains its optimum; search and a seeded tenth of the gate are proved anew."""

from __future__ import annotations

import importlib.util
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from smtt_support import tardiness

from evaluators.smtt import exact, references, splits
from evaluators.smtt.instances import FAMILIES, Spec, generate
from evaluators.smtt.problem import decode
from evaluators.smtt.proving import solve
from evaluators.task import TaskError

NUMBA = importlib.util.find_spec("numba") is not None
GATE = [name for name in splits.all_parts() if name.startswith(("look-", "report-"))]


@pytest.mark.parametrize("name", list(splits.all_parts()))
def test_every_witness_attains_its_optimum(name: str) -> None:
    for item, sequence in zip(references.load(name), references.witnesses(name), strict=True):
        p, d = decode(item.payload)
        order = np.array(sequence)
        assert np.array_equal(np.sort(order), np.arange(item.spec.n))
        late = np.cumsum(p[order]) - d[order]
        assert int(late[late > 0].sum()) == item.optimum, item.spec.id


@pytest.mark.parametrize("name", ["screen", *(f"search-{family}" for family in FAMILIES)])
def test_screen_and_search_are_proved_anew(name: str) -> None:
    for item, states in zip(references.load(name), references.states(name), strict=True):
        found = exact.solve(*decode(item.payload))
        assert (found.optimum, found.states) == (item.optimum, states)


def _tenth(size: int) -> list[tuple[references.Referenced, int]]:
    """The same random tenth of all gate instances of a size on every machine."""
    items = [
        pair for name in GATE for pair in zip(references.load(name), references.states(name), strict=True)
    ]
    items = [pair for pair in items if pair[0].spec.n == size]
    return random.Random(20_26).sample(items, len(items) // 10)


def test_a_tenth_of_the_gate_at_100_jobs_is_proved_anew() -> None:
    for item, states in _tenth(100):
        found = solve(*decode(item.payload))
        assert (found.optimum, found.states) == (item.optimum, states), item.spec.id


@pytest.mark.skipif(
    not NUMBA, reason="200 jobs take pure Python seconds each; install the extra `exact` (numba)"
)
def test_a_tenth_of_the_gate_at_200_jobs_is_proved_anew() -> None:
    from evaluators.smtt import exact_numba

    for item, states in _tenth(200):
        found = exact_numba.solve(*decode(item.payload))
        assert (found.optimum, found.states) == (item.optimum, states), item.spec.id


def test_lehmer_codes_are_inverse() -> None:
    p, d = generate(Spec("pvw", 40, 60, 40, 9))
    sequence = random.Random(1).sample(range(40), 40)
    assert references.unpack(references.pack(sequence, p, d), p, d) == tuple(sequence)
    assert tardiness(p, d, sequence) > 0


def test_the_manifest_names_the_solver_and_every_part() -> None:
    manifest = references.manifest()
    assert manifest["solver"] == exact.VERSION
    assert set(manifest["parts"]) == set(splits.all_parts())


class TestDamage:
    """A damaged or altered installation is refused with a sentence, whatever was changed."""

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        for name in ("manifest.json", "screen.npz"):
            shutil.copy(references.DATA / name, tmp_path / name)
        return tmp_path

    def _alter(self, data: Path, member: str) -> None:
        with np.load(data / "screen.npz") as arrays:
            changed = {name: arrays[name] for name in arrays.files}
        changed[member][0] += 1
        np.savez_compressed(data / "screen.npz", **changed)

    def test_untouched(self, data: Path) -> None:
        assert len(references.load("screen", data)) == 6

    def test_an_optimum_is_altered(self, data: Path) -> None:
        self._alter(data, "screen.optimum")
        with pytest.raises(TaskError, match="SHA-256"):
            references.load("screen", data)

    def test_a_witness_is_altered(self, data: Path) -> None:
        self._alter(data, "screen.witness")
        with pytest.raises(TaskError, match="SHA-256"):
            references.witnesses("screen", data)

    def test_the_file_is_cut(self, data: Path) -> None:
        (data / "screen.npz").write_bytes((data / "screen.npz").read_bytes()[:100])
        with pytest.raises(TaskError, match="cannot be read"):
            references.load("screen", data)

    def test_the_file_or_the_manifest_is_missing(self, data: Path) -> None:
        (data / "screen.npz").unlink()
        with pytest.raises(TaskError, match="cannot be read"):
            references.load("screen", data)
        (data / "manifest.json").unlink()
        with pytest.raises(TaskError, match="manifest"):
            references.manifest(data)
        with pytest.raises(TaskError, match="no references for 'search-pvw'"):
            references.load("search-pvw", self._copy(data))

    def _copy(self, data: Path) -> Path:
        (data / "manifest.json").write_text('{"parts": {}}')
        return data

    def test_another_generator_is_noticed(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def shifted(spec: Spec) -> tuple[np.ndarray, np.ndarray]:
            p, d = generate(spec)
            return p, d + 1

        monkeypatch.setattr(references, "generate", shifted)
        with pytest.raises(TaskError, match="SHA-256"):
            references.load("screen", data)
