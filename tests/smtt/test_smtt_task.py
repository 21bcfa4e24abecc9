# ruff: noqa: ARG005
"""The tasks as the workbench sees them: options, splits, limits, proofs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from smtt_support import answer_of, function_of, instance, least_tardiness, small_instances, tardiness

from evaluators.registry import load
from evaluators.smtt import exact, mip, proving
from evaluators.smtt.instances import Spec, generate
from evaluators.smtt.problem import MAX_JOBS, decode, encode, limit
from evaluators.task import InstanceSet, Provable, TaskError

NAMES = ("smtt", "smtt-index")


@pytest.mark.parametrize("name", NAMES)
def test_sizes_of_the_splits(name: str) -> None:
    task = load(name)
    assert {split: len(task.instances(split)) for split in ("screen", "search", "gate", "final")} == {
        "screen": 6, "search": 120, "gate": 1280, "final": 172
    }  # fmt: skip
    assert task.gate_blocks == 16
    assert len(task.gate(15)) == 320
    assert isinstance(task, Provable)
    assert all(
        i.reference_kind == "proved optimum" and i.reference is not None for i in task.instances("final")
    )


def test_families_widen_search_and_gate_and_alternate() -> None:
    task = load("smtt", {"families": "small,pvw,heavy"})
    assert task.settings["families"] == "pvw,heavy,small"
    search = task.instances("search").instances
    assert [i.id.partition("-")[0] for i in search[:6]] == ["pvw", "heavy", "small"] * 2
    assert (len(search), len(task.instances("gate")), len(task.gate(0))) == (360, 3840, 960)
    assert task.instances("screen") == load("smtt").instances("screen")
    assert task.instances("final") == load("smtt").instances("final")
    assert set(load("smtt", {"families": "heavy"}).instances("search")) <= set(search)


@pytest.mark.parametrize(
    "settings", [{"families": "pwv"}, {"families": ""}, {"families": "pvw,pvw"}, {"size": "3"}]
)
def test_bad_options_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(TaskError):
        load("smtt", settings)


def test_unknown_splits_and_blocks_are_refused() -> None:
    task = load("smtt")
    for block in (-1, 16):
        with pytest.raises(TaskError, match="no gate block"):
            task.gate(block)
    with pytest.raises(TaskError, match="no split"):
        task.instances("train")  # type: ignore[arg-type]


def test_looks_and_reports_share_no_instance() -> None:
    task = load("smtt")
    looks = {i.payload for block in range(16) for i in task.gate(block)}
    report = {i.payload for i in task.instances("gate")}
    assert len(looks) == 16 * 320
    assert not looks & report
    assert not (looks | report) & {i.payload for i in task.instances("search")}


def test_limits() -> None:
    sizes = [1, 50, 51, 100, 101, 200, 201, 500, 501, 1000, 2000, MAX_JOBS]
    assert [limit(n) for n in sizes] == [0.25, 0.25, 0.5, 0.5, 1, 1, 3, 3, 10, 10, 20, 50]
    assert {i.size: i.limit for i in load("smtt").instances("gate")} == {100: 0.5, 200: 1.0}


def test_loading_is_quick() -> None:
    """In a fresh process, since sets are kept: search below 0.1 s, the report blocks below 0.5 s; measured here with
    room for a busy machine."""
    code = (
        "import time; from evaluators.registry import load; t = load('smtt')\n"
        "for split in ('search', 'gate'):\n"
        "    start = time.process_time(); t.instances(split); print(time.process_time() - start)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    search, gate = map(float, out.stdout.split())
    assert search < 0.2
    assert gate < 1.0


def test_payloads_round_trip() -> None:
    p, d = generate(Spec("heavy", 30, 40, 40, 1))
    again = decode(encode(p, d))
    assert np.array_equal(again[0], p)
    assert np.array_equal(again[1], d)


def test_seeds_run_and_mdd_beats_edd() -> None:
    for name in NAMES:
        task = load(name)
        answer = answer_of(task)
        total = {}
        for seed in task.seeds:
            function = function_of(task, seed)
            total[seed] = sum(
                task.judge(i, answer(function, i.payload, {})).score for i in task.instances("screen")
            )
        assert total["mdd"] < total["edd"]


class TestProving:
    def _set(self, *specs: Spec) -> InstanceSet:
        return InstanceSet("user", tuple(instance(*generate(spec)) for spec in specs))

    def test_exact_and_mip_agree_with_the_oracle(self) -> None:
        for p, d in small_instances(12, 7, seed=6):
            both = InstanceSet("user", (instance(p, d),))
            oracle = least_tardiness(p.tolist(), d.tolist())
            for solver in ("exact", "mip"):
                (proof,) = proving.prove(both, solver, 30.0)
                assert (proof.status, proof.optimum, proof.value, proof.bound) == (
                    "proved",
                    oracle,
                    oracle,
                    oracle,
                )
                assert proof.gap == 0.0
                assert proof.sequence is not None
                assert tardiness(p, d, proof.sequence) == oracle

    def test_the_limit_is_honoured(self) -> None:
        hard = self._set(Spec("pvw", 500, 60, 20, 1), Spec("pvw", 1500, 60, 20, 1))
        start = time.perf_counter()
        proofs = list(proving.prove(hard, "exact", 1.0))
        assert time.perf_counter() - start < 30
        for proof, one in zip(proofs, hard, strict=True):
            assert (proof.status, proof.optimum) == ("limit", None)
            assert proof.bound is not None
            assert proof.value is not None
            assert 0 < proof.bound < proof.value
            assert proof.gap == pytest.approx((proof.value - proof.bound) / proof.value)
            assert proof.sequence is not None
            assert tardiness(*decode(one.payload), proof.sequence) == proof.value

    def test_mip_stops_with_incumbent_or_bound(self) -> None:
        (proof,) = proving.prove(self._set(Spec("pvw", 40, 60, 40, 1)), "mip", 1.0)
        optimum = exact.solve(*generate(Spec("pvw", 40, 60, 40, 1))).optimum
        assert proof.bound is not None
        assert proof.bound <= optimum
        assert proof.value is None or proof.value >= optimum
        assert proof.status == ("limit" if proof.value is None else "bound")
        large = mip.solve(*generate(Spec("pvw", mip.LARGEST + 1, 60, 40, 1)), 1.0)
        assert (large.bound, large.sequence) == (0, None)

    @pytest.mark.parametrize(
        ("found", "status", "bound"),
        [
            (mip.Incumbent(3, (0, 1, 2)), "bound", 3.0),
            (mip.Incumbent(9, (0, 1, 2)), "proved", 9.0),
            (mip.Incumbent(0, None), "limit", 0.0),
        ],
    )
    def test_mip_says_how_it_ended(
        self, monkeypatch: pytest.MonkeyPatch, found: mip.Incumbent, status: str, bound: float
    ) -> None:
        """Three jobs of 3, due at 0, 3, 6: late by 3 each in this order, so 9 in all."""
        monkeypatch.setattr(mip, "solve", lambda *_: found)
        monkeypatch.setattr(proving, "lower_bound", lambda *_: 0)
        monkeypatch.setattr(proving, "decode", lambda _: (np.array([3, 3, 3]), np.array([0, 3, 6])))
        (proof,) = proving.prove(self._set(Spec("pvw", 3, 60, 40, 1)), "mip", 1.0)
        assert (proof.status, proof.bound) == (status, bound)
        assert proof.optimum == (9.0 if status == "proved" else None)

    def test_without_numba_pure_python_does_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, proving.COMPILED, raising=False)
        monkeypatch.setattr(proving.importlib.util, "find_spec", lambda name: None)
        (proof,) = proving.prove(self._set(Spec("pvw", 100, 60, 20, 5)), "exact", 60.0)
        assert (proof.status, proof.optimum) == ("proved", 41469)
        (proof,) = proving.prove(self._set(Spec("pvw", 300, 60, 20, 5)), "exact", 60.0)
        assert proof.status == "limit"
        assert proving.COMPILED not in sys.modules

    def test_huge_times_fall_back_to_pure_python(self) -> None:
        p, d = generate(Spec("pvw", 60, 60, 40, 5))
        found = proving.solve(p * 2**32, d * 2**32)
        assert found.optimum == exact.solve(p, d).optimum * 2**32

    @pytest.mark.parametrize(("solver", "seconds"), [("cplex", 1.0), ("exact", 0.0), ("mip", float("nan"))])
    def test_bad_requests_are_refused_at_once(self, solver: str, seconds: float) -> None:
        with pytest.raises(TaskError):
            load("smtt").prove(InstanceSet("user", ()), solver, seconds)  # type: ignore[attr-defined]
