"""The task ``diffusion-exit``: replaying a recording is what live decoding does, pass by pass."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.diffusion import decoding
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.early_exit import instances as made
from evaluators.diffusion.early_exit import live
from evaluators.diffusion.early_exit.recording import trajectories
from evaluators.diffusion.early_exit.referee import judge, oracle, replayed_figures, told
from evaluators.diffusion.early_exit.simulator import simulate
from evaluators.diffusion.early_exit.trajectory import LIVE, RECORDED, Trajectory
from evaluators.diffusion.problem import parse
from evaluators.diffusion.texts import part
from evaluators.registry import load
from evaluators.task import InvalidAnswer, TaskError

TASK = load("diffusion-exit")
SEARCH = TASK.instances("search").instances
SPAN = SHAPES["small"].scale.span
LIVES = [made.live(text) for text in part("search")[:24]]


def recording_of(instance) -> Trajectory:
    """The recording of an instance; a live one is decoded in full."""
    if instance.payload[0] != LIVE:
        return Trajectory.from_bytes(instance.payload)
    model, prompt = parse(instance.payload[1:])
    (recorded,) = trajectories(model, prompt[None])
    return recorded


def played(payload: bytes, stop) -> tuple[int, np.ndarray, list]:
    """Passes, tokens and the views of a decoding."""
    simulation, views, reply = simulate(payload), [], None
    while True:
        try:
            view = simulation.send(reply)
        except StopIteration as end:
            return (*told(end.value), views)
        views.append([v.copy() if isinstance(v, np.ndarray) else v for v in view])
        reply = stop(*view)


@settings(max_examples=15)
@given(st.integers(0, len(LIVES) - 1), st.integers(1, SPAN + 3))
def test_a_replay_shows_and_gives_what_live_decoding_does(which, last):
    found = [played(i.payload, lambda *view: view[10] >= last) for i in (SEARCH[which], LIVES[which])]
    (passes, tokens, views), (live_passes, live_tokens, live_views) = found
    assert passes == live_passes == min(last, SPAN)
    assert np.array_equal(tokens, live_tokens)
    for one, other in zip(views, live_views, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    answers = [np.array(p, "<u2").tobytes() + t.astype("<i4").tobytes() for p, t, _ in found]
    assert judge(SEARCH[which], answers[0]) == judge(LIVES[which], answers[1])


def test_policies_share_the_passes_of_a_text(monkeypatch):
    model, prompt = parse(LIVES[5].payload[1:])
    paid = []

    def forward(name, tokens):
        paid.append(tokens)
        return decoding.seen(name, tokens)

    monkeypatch.setattr(live, "seen", forward)
    shared = live.Live(model, bytes(prompt.tolist()))
    early, again, late = shared.text(3), shared.text(3), shared.text(7)
    assert np.array_equal(early, again)
    assert len(set(paid)) == 7, "each state is looked at, none after the last that was asked for"
    recorded = Trajectory.from_bytes(SEARCH[5].payload)
    assert np.array_equal(early, recorded.text(3)) and np.array_equal(late, recorded.text(7))


def test_threads_share_the_passes_of_a_text():
    model, prompt = parse(LIVES[6].payload[1:])
    shared = live.Live(model, bytes(prompt.tolist()))
    recorded = Trajectory.from_bytes(SEARCH[6].payload)
    with ThreadPoolExecutor(8) as pool:
        for number, text in zip(range(1, 20), pool.map(shared.text, range(1, 20)), strict=True):
            assert np.array_equal(text, recorded.text(number))


def test_the_search_split_is_recorded_and_the_others_are_live():
    assert {i.payload[0] for i in SEARCH} == {RECORDED}
    assert {i.payload[0] for split in ("screen", "gate", "final") for i in TASK.instances(split)} == {LIVE}
    assert [i.id for i in SEARCH] == [t.id for t in part("search")]


def test_recordings_are_those_of_the_shipped_weights():
    for recorded, one_live in zip(SEARCH[:24], LIVES, strict=True):
        one, other = Trajectory.from_bytes(recorded.payload), recording_of(one_live)
        assert np.array_equal(one.best, other.best) and np.array_equal(one.fixed, other.fixed)
        assert np.array_equal(one.readings, other.readings)


@given(
    st.integers(1, 6), st.integers(1, 5), st.booleans(), st.booleans(), st.integers(0, 2**32), st.integers(0, 4)
)  # fmt: skip
def test_a_payload_gives_its_recording_back(passes, span, wide, graded, seed, prompt):
    draw = np.random.default_rng(seed)
    recorded = Trajectory(
        draw.random((4, passes, span)).astype(np.float16),
        draw.integers(0, 2**30 if wide else 200, (passes, span)).astype(np.int32 if wide else np.uint8),
        draw.integers(1, passes + 1, span),
        np.sort(draw.random(7)).astype(np.float16),
        -1 if graded else 0,
        draw.integers(0, 50, prompt).astype(np.uint8),
        draw.random(passes if graded else 0).astype(np.float32),
    )
    again = Trajectory.from_bytes(recorded.to_bytes())
    for name in ("readings", "best", "fixed", "margins", "prompt", "quality"):
        assert np.array_equal(getattr(recorded, name), getattr(again, name)), name
    assert again.end == recorded.end and (again.passes, again.span) == (passes, span)
    for number in range(1, passes + 1):
        text = [
            recorded.best[min(number, recorded.fixed[at]) - 1, at] for at in range(span)
        ]  # what was fixed earlier stays, the rest is what the pass says
        assert again.text(number).tolist() == text
        assert again.masked(number).tolist() == [f >= number for f in recorded.fixed]


def test_a_policy_never_sees_a_pass_before_its_time():
    """Recordings that differ after a pass alone look the same up to it."""
    recorded = Trajectory.from_bytes(SEARCH[0].payload)
    readings, best = recorded.readings.copy(), recorded.best.copy()
    readings[:, 6:] = 0
    best[6:] = 3
    other = Trajectory(
        readings, best, recorded.fixed, recorded.margins, recorded.end, recorded.prompt, recorded.quality
    )
    views = [played(t.to_bytes(), lambda *view: view[10] >= 6)[2] for t in (recorded, other)]
    for one, same in zip(*views, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))


def test_nothing_is_asked_once_nothing_is_masked():
    recorded = Trajectory.from_bytes(SEARCH[0].payload)
    early = replace(recorded, fixed=np.minimum(recorded.fixed, 5))
    passes, tokens, views = played(early.to_bytes(), lambda masked, *_: masked.sum() < 0)
    assert (passes, len(views)) == (SPAN, 5)
    assert np.array_equal(tokens, early.text(SPAN))


def test_logs_that_no_decoding_gives_are_refused():
    passes, tokens, _ = played(SEARCH[0].payload, lambda *view: view[10] >= 4)
    other = tokens.copy()
    other[0] += 1

    def log(passes, tokens):
        return np.array(passes, "<u2").tobytes() + tokens.astype("<i4").tobytes()

    assert judge(SEARCH[0], log(passes, tokens)).score == SPAN / 4
    for instance, bad in (
        (SEARCH[0], log(0, tokens)), (SEARCH[0], log(SPAN + 1, tokens)), (SEARCH[0], log(4, other)),
        (SEARCH[0], log(9, other)), (LIVES[0], log(4, np.full_like(tokens, 999))), (LIVES[0], log(0, tokens)),
        (LIVES[0], log(4, np.full_like(tokens, -1))), (LIVES[0], log(1, tokens)), (LIVES[0], log(4, other)),
        *((i, cut) for i in (SEARCH[0], LIVES[0]) for cut in (b"", log(4, tokens)[:-1], log(4, tokens) + b"0")),
    ):  # fmt: skip
        with pytest.raises(InvalidAnswer, match="event log"):
            judge(instance, bad)


def test_the_oracle_stops_where_nothing_is_lost_any_more():
    for instance in (*SEARCH[:16], *LIVES[:4]):
        recorded = recording_of(instance)
        worths = []
        for number in range(1, SPAN + 1):
            text = recorded.text(number).astype("<i4")
            worths.append(judge(instance, np.array(number, "<u2").tobytes() + text.tobytes()).value)
        first = round(SPAN / oracle(instance).score)
        assert min(worths[first - 1 :]) >= worths[-1] and (first == 1 or worths[first - 2] < worths[-1])
        assert oracle(instance).value == worths[first - 1]
        assert worths[-1] == instance.reference


def test_figures_of_speed():
    answers = []
    for instance in SEARCH[:8]:
        passes, tokens, _ = played(instance.payload, lambda *view: view[10] >= 8)
        answers.append(np.array(passes, "<u2").tobytes() + tokens.astype("<i4").tobytes())
    found = {f.name: f.value for f in replayed_figures(SEARCH[:8], answers)}
    assert found["forward passes a text"] == 8
    assert found["speed-up of all texts together"] == pytest.approx(SPAN / 8)
    values = [judge(i, a).value for i, a in zip(SEARCH[:8], answers, strict=True)]
    kept = sum(values) / sum(float(i.reference or 0) for i in SEARCH[:8])
    assert found["QPS"] == pytest.approx(SPAN / 8 * kept**4)


def test_damaged_recordings_are_told(tmp_path, monkeypatch):
    whole = made.RECORDINGS.read_bytes()
    path = tmp_path / "recordings.npz"
    monkeypatch.setattr(made, "RECORDINGS", path)
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 255
    for content in (whole[:1000], b"", b"not a file of arrays", bytes(flipped)):
        path.write_bytes(content)
        made._recordings.cache_clear()
        with pytest.raises(TaskError, match="reinstall"):
            made.part("search")
    path.write_bytes(whole)
    made._recordings.cache_clear()
    assert made.part("search") == SEARCH
    made._recordings.cache_clear()
