"""Splits that are made anew and held to their SHA-256, of every task that has them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators.registry import BUILT_IN, load
from evaluators.splits import Splits
from evaluators.task import Instance, InstanceSet, TaskError

FOUND = {
    name: splits for name in BUILT_IN if isinstance(splits := getattr(load(name), "splits", None), Splits)
}


def test_there_are_some() -> None:
    assert {
        "cache-eviction",
        "diffusion",
        "lr-schedule",
        "memory-alloc",
        "memory-map",
        "serving",
    } <= FOUND.keys()


@pytest.mark.parametrize("name", FOUND)
def test_the_manifest_has_every_part_and_no_other(name: str) -> None:
    splits = FOUND[name]
    recorded = json.loads(splits.manifest.read_text(encoding="utf-8"))
    assert list(recorded) == list(splits.parts())
    assert splits.digest("screen") == recorded["screen"]
    assert len(set(recorded.values())) == len(recorded)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{}", "'screen' do not match their SHA-256"), ("{", "cannot be read"), (None, "cannot be read")],
)
def test_damage_is_told(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "manifest.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TaskError, match=reason):
        replace(FOUND["cache-eviction"], manifest=path).instances("screen")


def test_what_there_is_not() -> None:
    splits = FOUND["memory-map"]
    with pytest.raises(TaskError, match="no split 'middle'"):
        splits.instances("middle")
    for block in (-1, splits.looks):
        with pytest.raises(TaskError, match="no gate block"):
            splits.gate(block)


def test_what_is_withheld_counts_in_the_digest() -> None:
    plain = Instance("a", "g", 1, b"payload", 8, 1.0, 1.0, "baseline")
    sets = [InstanceSet("s", (replace(plain, withheld=w),)) for w in (b"", b"x", b"y")]
    assert len({s.digest for s in sets}) == 3
