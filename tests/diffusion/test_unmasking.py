"""The task ``diffusion``: every decoding ends, the log is what happened, and forged logs are refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.diffusion.decoding import Decoding
from evaluators.diffusion.denoiser.model import shipped
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.full import decoded
from evaluators.diffusion.judging import right
from evaluators.diffusion.problem import Log, parse
from evaluators.diffusion.tokens import MASK, VOCABULARY
from evaluators.diffusion.unmasking.referee import judge, replayed_figures
from evaluators.diffusion.unmasking.simulator import simulate
from evaluators.registry import load
from evaluators.task import InvalidAnswer, TaskError

TASK = load("diffusion")
SCREEN = TASK.instances("screen").instances
SPAN = SHAPES["small"].scale.span


def played(instance, commit, stop=None) -> tuple[Log, int]:
    """The log of a decoding under a policy, and how many passes its views told of."""
    simulation = simulate(instance.payload, {"stop"} if stop else ())
    reply, asked = None, 0
    while True:
        try:
            who, view = simulation.send(reply)
        except StopIteration as end:
            return Log.from_bytes(end.value), asked
        asked = view[10]
        reply = (stop if who == "stop" else commit)(*view)


@settings(max_examples=12)
@given(st.integers(0, len(SCREEN) - 1), st.integers(0, 2**32), st.floats(0, 0.6))
def test_any_policy_ends_and_its_log_says_what_it_did(which, seed, share):
    draw = np.random.default_rng(seed)
    masks, refused, idle = [], 0, 0

    def commit(masked, *_):
        nonlocal refused, idle
        chosen = draw.random(SPAN) < share
        masks.append((masked.copy(), chosen))
        refused += int((chosen & ~masked).sum())
        idle += not (chosen & masked).any()
        return chosen

    log, _ = played(SCREEN[which], commit)
    assert log.passes == len(masks) + (log.passes == SPAN) and log.passes <= SPAN
    assert (log.refused, log.idle) == (refused, idle)
    assert sorted(set(log.when.tolist())) == list(range(1, log.passes + 1))
    for number, (masked, chosen) in enumerate(masks, start=1):
        assert np.array_equal(masked, log.when >= number)
        own = log.when == number
        assert np.array_equal(own, chosen & masked) or own.sum() == 1
    assert judge(SCREEN[which], log.to_bytes()).score == SPAN / log.passes


@pytest.mark.parametrize("which", range(4))
def test_tokens_come_from_the_pass_that_unmasked_them(which):
    """A slow decoding that knows the log alone: the tokens of each pass from what was fixed before it."""
    draw = np.random.default_rng(which)
    log, _ = played(SCREEN[which], lambda *_: draw.random(SPAN) < 0.15)
    model, prompt = parse(SCREEN[which].payload)
    for number in range(1, log.passes + 1):
        fixed = np.where(log.when < number, log.tokens, MASK)
        logits = shipped(model).logits(np.concatenate([prompt, fixed])[None].astype(int))[0]
        logits[:, MASK] = -np.inf
        now = log.when == number
        assert np.array_equal(logits.argmax(-1)[now], log.tokens[now])


def test_choosing_nothing_is_full_decoding():
    for instance in SCREEN[:8]:
        model, prompt = parse(instance.payload)
        log, asked = played(instance, lambda masked, *_: masked & False)
        assert (log.passes, log.idle, asked) == (SPAN, SPAN - 1, SPAN - 1)
        assert np.array_equal(log.tokens, decoded(model, prompt[None])[0])
        assert judge(instance, log.to_bytes()).value == instance.reference == right(model, prompt, log.tokens)


def test_stopping_fills_in_the_rest_and_is_asked_first():
    log, asked = played(SCREEN[0], lambda masked, *_: masked & False, lambda *view: view[10] >= 3)
    assert (log.passes, asked, log.idle) == (3, 3, 2)
    assert (log.when == 3).sum() == SPAN - 2
    log, _ = played(SCREEN[0], lambda *_: pytest.fail("asked"), lambda *_: True)
    assert (log.passes, log.refused, log.idle) == (1, 0, 0)


def test_what_is_seen_never_tells_the_tokens(monkeypatch):
    """Readings whose tokens have other names, but for that of the end, look the same."""
    names = np.arange(VOCABULARY)
    names[2:] = np.roll(names[2:], 7)
    views = []
    for renamed in (False, True):
        text = Decoding(*parse(SCREEN[1].payload))
        looking, own = text._looking, []

        class Renaming:
            def look(self, reading, masked, looking=looking, renamed=renamed):
                return looking.look(
                    replace(reading, best=names[reading.best]) if renamed else reading, masked
                )

        monkeypatch.setattr(text, "_looking", Renaming())
        while not text.done:
            own.append(text.look())
            text.unmask(text.most_probable())
        views.append(own)
    for one, other in zip(*views, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_logs_that_no_decoding_gives_are_refused():
    log, _ = played(SCREEN[0], lambda masked, *_: masked & False, lambda *view: view[10] >= 5)
    good = log.to_bytes()
    assert judge(SCREEN[0], good).score == SPAN / 5

    def changed(**of):
        return replace(log, **of).to_bytes()

    when, tokens = log.when.copy(), log.tokens.copy()
    when[when == 3] = 5
    tokens[2] = MASK
    for bad in (
        changed(passes=0), changed(passes=4), changed(passes=6), changed(passes=1, when=np.zeros_like(when)),
        changed(when=when), changed(tokens=tokens), changed(tokens=np.full_like(tokens, 200)),
        changed(when=np.roll(log.when, 1)), good[:-1], good + b"0", b"", good * 2,
        changed(passes=1, when=np.ones_like(when)),
    ):  # fmt: skip
        with pytest.raises(InvalidAnswer, match="event log"):
            judge(SCREEN[0], bad)


def test_figures_tell_of_what_was_refused():
    logs = []
    for instance in SCREEN[:4]:
        log, _ = played(instance, lambda masked, *_: np.ones(SPAN, bool) if masked.all() else masked, None)
        logs.append(log.to_bytes())
    found = {f.name: f.value for f in replayed_figures(SCREEN[:4], logs)}
    assert found["forward passes a text"] == 1 and found["chosen positions that were not masked"] == 0
    refused, _ = played(SCREEN[0], lambda masked, *_: ~masked)
    found = {f.name: f.value for f in replayed_figures(SCREEN[:1], [refused.to_bytes()])}
    assert found["chosen positions that were not masked"] == sum(range(SPAN - 1))
    assert found["passes in which nothing masked was chosen"] == SPAN - 1


def test_the_clairvoyant_takes_few_passes_for_the_same_text():
    taken = []
    for instance in SCREEN[:8]:
        judged = TASK.policy("clairvoyant", instance)
        assert judged.value == instance.reference
        taken.append(judged.score)
    assert min(taken) >= 1 and sum(taken) / len(taken) > 3
    with pytest.raises(TaskError, match="no reference policy 'nobody'"):
        TASK.policy("nobody", SCREEN[0])


# -- the user's own prompts ---------------------------------------------------------------------------------------


def test_prompts_of_the_users_own(tmp_path):
    path = tmp_path / "mine.jsonl"
    rows = [
        {"family": "copy", "prompt": "hello", "id": "first"},
        {"family": "sort", "prompt": "402718", "model": "long"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = TASK.read(path)
    assert (first.id, first.group, second.id, second.group) == ("first", "copy", "sort-2", "long-sort")
    assert first.reference == 1.0 and second.size == SHAPES["long"].scale.span


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"family": "songs", "prompt": "a"}, "'family' is \"songs\"; expected story"),
        ({"family": "copy"}, "'prompt' is null"),
        ({"family": "copy", "prompt": "x", "modle": "long"}, 'there is no "modle"'),
        ({"family": "copy", "prompt": "x" * 40}, "none of the family 'copy'; an example: "),
        ({"family": "copy", "prompt": "é"}, "none of the family 'copy'"),
        ({"family": "sum", "prompt": "two"}, "none of the family 'sum'"),
        ({"family": "sort", "prompt": "abc"}, "none of the family 'sort'"),
        ({"family": "list", "prompt": "xa"}, "none of the family 'list'"),
        ({"family": "translate", "prompt": "sun  map"}, "none of the family 'translate'"),
        ({"family": "translate", "prompt": "sun "}, "none of the family 'translate'"),
        ({"family": "translate", "prompt": "sun map hat box cup"}, "which the model 'small' cannot read"),
        ({"family": "story", "prompt": "ann"}, "none of the family 'story'"),
        ({"family": "copy", "prompt": "a", "model": "huge"}, "'model' is \"huge\"; expected small or long"),
    ],
)
def test_prompts_that_are_none_are_refused_with_their_line(tmp_path, row, said):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"family": "copy", "prompt": "ab"}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(TaskError) as caught:
        TASK.read(path)
    assert f"{path}, line 2" in str(caught.value) and said in str(caught.value)


def test_two_prompts_of_one_id_and_no_prompts(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"family": "copy", "prompt": "ab", "id": "x"}\n' * 2)
    with pytest.raises(TaskError, match="line 2: the id 'x' is used in line 1"):
        TASK.read(path)
    path.write_text("\n")
    with pytest.raises(TaskError, match="holds no prompts"):
        TASK.read(path)
