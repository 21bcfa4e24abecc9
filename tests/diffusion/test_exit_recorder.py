"""The recorder of real checkpoints: the same as a slow decoding written anew, read back, and replayed."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exit_checkpoints import (
    EOS,
    MASK,
    PLACES,
    TOKENS,
    bert,
    own_code,
    torch,
    transformers,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evaluators.diffusion.early_exit import metrics, recordings
from evaluators.diffusion.early_exit.reader import read as read_recordings
from evaluators.diffusion.early_exit.recorder import session
from evaluators.diffusion.early_exit.recorder.checkpoint import fingerprint
from evaluators.diffusion.early_exit.recorder.decoding import ROWS, Reader, Schedule
from evaluators.diffusion.early_exit.recorder.session import record
from evaluators.diffusion.early_exit.referee import judge
from evaluators.diffusion.early_exit.simulator import simulate
from evaluators.diffusion.reading import read as read_logits
from evaluators.diffusion.tokens import MASK as OWN_MASK
from evaluators.recordable import Recipe, Recordable
from evaluators.task import Missing, TaskError

SPAN = 8
TRUSTED = Recipe(length=SPAN, trust=True, precision="float32", device="cpu")
QUESTIONS = [
    {"id": "a", "family": "sums", "prompt": "1 2 3", "answer": "6", "metric": "number"},
    {"id": "b", "family": "words", "prompt": "up up no", "answers": ["down yes no", "up"], "metric": "f1"},
    {"family": "words", "prompt": "4 yes 7 down 1", "answer": "down down 3 yes 2", "metric": "chrf"},
]

STEPS = (1 / 1024, 1 / 32, 1 / 1024, 1 / 1024)
"""What probability, margin, entropy and drift are rounded to."""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        "llada": own_code(folder / "llada", "llada"),
        "chatting": own_code(folder / "chatting", "llada", chat=True),
        "dream": own_code(folder / "dream", "Dream"),
        "silent": own_code(folder / "silent", "llada", mask=None),
        "bert": bert(folder / "bert"),
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(q) + "\n" for q in QUESTIONS))
    return path


def go(checkpoint: Path, data: Path, out: Path, recipe: Recipe = TRUSTED, **named: Any) -> Any:
    settled = {"over": lambda: False, "say": lambda _: None, **named}
    return record(checkpoint, data, out, recipe=recipe, **settled)


def distributions(model: Any, tokens: list[int], shift: bool) -> list[list[float]]:
    """For each position the probabilities, the mask's 0."""
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].double().tolist()
    if shift:
        logits = [logits[0], *logits[:-1]]
    for row in logits:
        row[MASK] = -math.inf
    peaks = [max(row) for row in logits]
    shares = [[math.exp(v - peak) for v in row] for row, peak in zip(logits, peaks, strict=True)]
    return [[v / sum(row) for v in row] for row in shares]


def slow(
    model: Any, prompt: list[int], schedule: Schedule, shift: bool, stop: int | None = None
) -> dict[str, Any]:
    """Decoding in plain loops, to the end or until ``stop`` passes are done. Gives the text, in which pass each
    position was fixed, and the distributions of each pass."""
    tokens = prompt + [MASK] * schedule.length
    fixed = [0] * schedule.length
    seen: list[list[list[float]]] = []
    blocks = schedule.length // schedule.block
    each = schedule.steps // blocks
    for block in range(blocks):
        rest = schedule.block
        for step in range(each):
            shares = distributions(model, tokens, shift)[len(prompt) :]
            seen.append(shares)
            best = [row.index(max(row)) for row in shares]
            if stop == len(seen):
                ended = [t if t != MASK else b for t, b in zip(tokens[len(prompt) :], best, strict=True)]
                return {"text": ended, "fixed": fixed, "seen": seen}
            count = math.ceil(rest / (each - step))
            rest -= count
            inside = range(block * schedule.block, (block + 1) * schedule.block)
            order = sorted((k for k in inside if not fixed[k]), key=lambda k: (-max(shares[k]), k))
            for k in order[:count]:
                tokens[len(prompt) + k] = best[k]
                fixed[k] = len(seen)
    return {"text": tokens[len(prompt) :], "fixed": fixed, "seen": seen}


def tokens_of(text: str) -> list[int]:
    return [TOKENS.index(word) for word in text.split()]


def said(tokens: list[int]) -> str:
    kept = tokens[: tokens.index(EOS)] if EOS in tokens else tokens
    return " ".join(TOKENS[t] for t in kept if t < len(TOKENS) and not TOKENS[t].startswith("<unk"))


CASES = {
    "one block": ("llada", TRUSTED, False),
    "blocks": ("llada", replace(TRUSTED, block=4), False),
    "two a pass": ("llada", replace(TRUSTED, steps=4), False),
    "not even": ("llada", replace(TRUSTED, block=4, steps=6), False),
    "dream": ("dream", replace(TRUSTED, block=4), True),
    "bert": ("bert", replace(TRUSTED, trust=False), False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_recording_is_what_a_slow_decoding_does(
    case: str, checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    name, recipe, shift = CASES[case]
    made = go(checkpoints[name], data, tmp_path / "r.npz", recipe)
    assert (made.texts, made.asked) == (3, 3)
    kind = transformers.AutoModelForMaskedLM if name == "bert" else transformers.AutoModel
    model = kind.from_pretrained(checkpoints[name], trust_remote_code=name != "bert").eval()
    schedule = Schedule.of(recipe)
    found = recordings.load(tmp_path / "r.npz")
    assert [(r.id, r.family) for r in found] == [("a", "sums"), ("b", "words"), ("words-3", "words")]
    for question, recorded in zip(QUESTIONS, found, strict=True):
        prompt = tokens_of(str(question["prompt"]))
        expected = slow(model, prompt, schedule, shift)
        t = recorded.trajectory
        assert t.fixed.tolist() == expected["fixed"] and t.end == EOS
        assert t.text(schedule.steps).tolist() == expected["text"]
        assert len(expected["seen"]) == t.passes == schedule.steps
        before = None
        for number, shares in enumerate(expected["seen"], start=1):
            reading = t.reading(number)
            assert reading.best.tolist() == [row.index(max(row)) for row in shares]
            for k, row in enumerate(shares):
                first, second = sorted(row)[-1:-3:-1]
                entropy = -sum(p * math.log(p) for p in row if p)
                drift = (
                    sum(p * math.log(p / q) for p, q in zip(row, before[k], strict=True) if p)
                    if before
                    else 0
                )
                told = (reading.probability, reading.margin, reading.entropy, reading.drift)
                wanted = (first, math.log(first / second), entropy, drift)
                assert [float(v[k]) for v in told] == [
                    pytest.approx(w, rel=2e-3, abs=0.51 * step) for w, step in zip(wanted, STEPS, strict=True)
                ]
            before = shares


def test_a_replay_gives_the_text_and_the_quality_of_stopping_live(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    recipe = replace(TRUSTED, block=4)
    go(checkpoints["dream"], data, tmp_path / "r.npz", recipe)
    model = transformers.AutoModel.from_pretrained(checkpoints["dream"], trust_remote_code=True).eval()
    worths = set()
    for question, instance in zip(QUESTIONS, read_recordings(tmp_path / "r.npz"), strict=True):
        prompt = tokens_of(str(question["prompt"]))
        answers = question.get("answers") or [question["answer"]]
        for passes in range(1, SPAN + 1):
            asked = simulate(instance.payload)
            log = None
            try:
                view = next(asked)
                while True:
                    view = asked.send(view[10] == passes)
            except StopIteration as ended:
                log = ended.value
            live = slow(model, prompt, Schedule.of(recipe), True, stop=passes)["text"]
            assert np.frombuffer(log, "<u2", 1)[0] == passes
            assert np.frombuffer(log, "<i4", offset=2).tolist() == live
            worth = metrics.quality(str(question["metric"]), said(live), answers)
            judged = judge(instance, log)
            assert judged.value == pytest.approx(worth, abs=1e-6) and judged.score == SPAN / passes
            worths.add(worth)
        assert instance.reference == pytest.approx(worth, abs=1e-6)
    assert len(worths) > 3  # else the comparison says little


def test_both_call_shapes_of_the_same_weights_are_the_same_recording(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    files = {name: tmp_path / f"{name}.npz" for name in ("llada", "dream", "wrong")}
    go(checkpoints["llada"], data, files["llada"])
    go(checkpoints["dream"], data, files["dream"])
    go(checkpoints["dream"], data, files["wrong"], replace(TRUSTED, shift=False))
    payloads = {name: [i.payload for i in read_recordings(path)] for name, path in files.items()}
    assert payloads["llada"] == payloads["dream"] != payloads["wrong"]


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.just(2), st.integers(1, 2 * ROWS + 1), st.integers(3, 9)),
        elements=st.floats(-60, 60, width=16),
    )
)
def test_logits_are_read_as_those_of_the_shipped_denoisers(logits: np.ndarray) -> None:
    """The one runs on the device of PyTorch and in parts, the other in numpy."""
    reader, before = Reader(OWN_MASK), None
    for one in logits:
        seen = reader.look(torch.from_numpy(one))
        expected, before = read_logits(one, before)
        wanted = [expected.probability, expected.margin, expected.entropy, expected.drift]
        for own, other, step in zip(seen.readings, wanted, STEPS, strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-3, atol=1.01 * step)  # either side of a half
        peak = np.sort(np.delete(one, OWN_MASK, axis=1), axis=1)
        clear = peak[:, -1] > peak[:, -2]
        assert (seen.best == expected.best)[clear].all()


def test_logits_of_minus_infinity_and_far_apart_are_finite() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf, -torch.inf], [9e4, 0.0, -9e4, 3.0]])
    reader = Reader(1)
    for given_ in (logits, logits.flip(1)):
        seen = reader.look(given_)
        assert np.isfinite(seen.readings).all()
    with pytest.raises(TaskError, match="NaN"):
        Reader(1).look(torch.full((2, 4), torch.nan))
    with pytest.raises(TaskError, match="--mask-id"):
        Reader(4).look(logits)


def test_prompts_go_through_the_template_where_there_is_one(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    def first(name: str, checkpoint: str, recipe: Recipe) -> bytes:
        go(checkpoints[checkpoint], data, tmp_path / name, recipe)
        return next(iter(read_recordings(tmp_path / name))).payload

    model = transformers.AutoModel.from_pretrained(checkpoints["chatting"], trust_remote_code=True).eval()
    wrapped = tokens_of("<user> 1 2 3 <end>")
    expected = slow(model, wrapped, Schedule.of(TRUSTED), False)
    chatted = first("1.npz", "chatting", TRUSTED)
    found = recordings.load(tmp_path / "1.npz")[0].trajectory
    assert found.fixed.tolist() == expected["fixed"] and found.text(SPAN).tolist() == expected["text"]
    bare = first("2.npz", "llada", TRUSTED)
    assert first("3.npz", "chatting", replace(TRUSTED, chat=False)) == bare != chatted
    with pytest.raises(TaskError, match="chat template"):
        first("4.npz", "llada", replace(TRUSTED, chat=True))


def test_bfloat16_is_another_model(checkpoints: dict[str, Path], data: Path, tmp_path: Path) -> None:
    files = [tmp_path / "1.npz", tmp_path / "2.npz"]
    for path, precision in zip(files, ("float32", "bfloat16"), strict=True):
        go(checkpoints["llada"], data, path, replace(TRUSTED, precision=precision))
    a, b = (recordings.load(path)[0].trajectory for path in files)
    assert (a.readings[:, 0] != b.readings[:, 0]).any()
    np.testing.assert_allclose(a.readings[0, 0], b.readings[0, 0], atol=0.1)


def stopping_after(passes: int) -> Callable[[], bool]:
    left = iter(range(passes))
    return lambda: next(left, None) is None


def test_recording_goes_on_where_it_was_stopped(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    go(checkpoints["llada"], data, whole)
    none = go(checkpoints["llada"], data, parts, over=stopping_after(3))
    assert (none.file, none.texts, none.asked) == (None, 0, 3) and not parts.exists()
    some = go(checkpoints["llada"], data, parts, over=stopping_after(SPAN + 3))
    assert some.texts == 1 and len(recordings.load(parts)) == 1
    go(checkpoints["llada"], data, parts, replace(TRUSTED, limit=2))
    told: list[str] = []
    made = go(checkpoints["llada"], data, parts, say=told.append)
    assert made.texts == 3 and any("going on after 2" in line for line in told)
    assert [line[0] for line in told if " of 3" in line] == ["3"]
    assert parts.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*.new"))
    assert go(checkpoints["llada"], data, whole, say=told.append).texts == 3 and "loading" not in told[-1]


def test_weights_and_tokenizers_tell_checkpoints_apart(data: Path, tmp_path: Path) -> None:
    """All of the same config, sizes and names."""
    from safetensors.torch import load_file, save_file

    folder, out = own_code(tmp_path / "model", "llada", chat=True), tmp_path / "r.npz"
    go(folder, data, out)
    before = out.read_bytes()
    assert go(folder, data, out).texts == 3

    def other_weights(path: Path) -> None:
        weights = load_file(path)
        weights["head.bias"][-1] += 1
        save_file(weights, path, metadata={"format": "pt"})

    def other_words(path: Path) -> None:
        path.write_text(path.read_text().replace("down", "dawn"))

    for name, change in (
        ("model.safetensors", other_weights),
        ("tokenizer.json", other_words),
        ("chat_template.jinja", lambda path: path.write_text("{{ messages[0]['content'] }}")),
        ("vocab.txt", lambda path: path.write_text("up")),
    ):
        path = folder / name
        held = path.read_bytes() if path.exists() else None
        change(path)
        with pytest.raises(TaskError, match="another checkpoint"):
            go(folder, data, out)
        path.unlink() if held is None else path.write_bytes(held)
    assert out.read_bytes() == before and go(folder, data, out).texts == 3
    (folder / "part.safetensors").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TaskError, match=r"part\.safetensors cannot be read"):
        go(folder, data, out)


def test_large_weights_are_known_by_a_sample(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    path, table = tmp_path / "model.safetensors", 300_000
    weights = bytearray(table.to_bytes(8, "little") + bytes(8_000_000))
    found = []
    for place in (None, 7 + table, 0, len(weights) // 15, len(weights) - 1, 500_000):
        if place is not None:
            weights[place] ^= 1
        path.write_bytes(weights)
        found.append(fingerprint(tmp_path))
    assert len(set(found)) == 5 and found[-1] == found[-2]  # the last place is in no sample
    path.write_bytes(b"\xff" * 2_000_000)  # promises a table of 2**64 bytes
    assert fingerprint(tmp_path) not in found


def test_a_file_of_another_origin_is_not_touched(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.npz"
    go(checkpoints["llada"], data, out, replace(TRUSTED, limit=2))
    before = out.read_bytes()
    changed = tmp_path / "changed.jsonl"
    changed.write_text(data.read_text().replace("1 2 3", "1 2 4"))
    recipe = replace(TRUSTED, limit=2)
    for checkpoint, questions, other in (
        ("dream", data, recipe),
        ("llada", changed, recipe),
        ("llada", data, replace(recipe, block=4)),
        ("llada", data, replace(recipe, precision="bfloat16")),
    ):
        with pytest.raises(TaskError, match="delete it"):
            go(checkpoints[checkpoint], questions, out, other)
    with pytest.raises(
        TaskError, match="holds 2 texts, which is more than --limit 1; leave --limit out"
    ) as raised:
        go(checkpoints["llada"], data, out, replace(recipe, limit=1))
    assert "delete" not in str(raised.value) and out.read_bytes() == before
    shorter = tmp_path / "shorter.jsonl"
    shorter.write_text(data.read_text().splitlines()[0] + "\n")
    with pytest.raises(TaskError, match="delete it"):
        go(checkpoints["llada"], shorter, out)
    out.write_bytes(b"PK something else")
    with pytest.raises(TaskError, match="no npz file"):
        go(checkpoints["llada"], data, out, recipe)
    assert out.read_bytes() == b"PK something else" != before


def test_saves_take_a_small_part_of_the_time(
    checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text takes 100 s of a clock that only texts and saves move, a save 40 s."""
    clock, saved = [0.0], []
    decode, write = session.decode, recordings.write

    def decoding(*arguments: Any) -> Any:
        clock[0] += 100
        return decode(*arguments)

    def writing(path: Path, recorded: Any, **named: Any) -> None:
        saved.append(clock[0])
        clock[0] += 40
        write(path, recorded, **named)

    monkeypatch.setattr(session.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(session, "decode", decoding)
    monkeypatch.setattr(recordings, "write", writing)
    data = tmp_path / "many.jsonl"
    data.write_text("".join(json.dumps({**QUESTIONS[0], "id": str(k)}) + "\n" for k in range(15)))
    go(checkpoints["llada"], data, tmp_path / "r.npz", replace(TRUSTED, steps=1))
    # after more than 300 s, after more than 20 · 40 s from 440 on, and at the end
    assert saved == [400, 1340, 1580]


def test_what_was_recorded_is_kept_when_the_model_fails(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    load = session.load

    def failing(*arguments: Any) -> Any:
        model = load(*arguments)
        inner = model.model.forward

        def forward(**named: Any) -> Any:
            passes.append(1)
            if len(passes) == SPAN + 2:
                raise torch.OutOfMemoryError("no room")
            return inner(**named)

        model.model.forward = forward
        return model

    monkeypatch.setattr(session, "load", failing)
    with pytest.raises(Missing, match=r"text 'b': the model fails.*no room"):
        go(checkpoints["llada"], data, tmp_path / "r.npz")
    assert [r.id for r in recordings.load(tmp_path / "r.npz")] == ["a"]


@pytest.mark.parametrize(
    "error, kind", [(torch.OutOfMemoryError("no\nroom"), Missing), (RuntimeError("no\nroom"), TaskError)]
)
@pytest.mark.parametrize("where", ["reduction", "decode", "prompt"])
def test_failures_beside_the_forward_pass_are_told_in_one_line(
    where: str, error: Exception, kind: type[TaskError], checkpoints: dict[str, Path], data: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    read = session.read

    def failing(*arguments: Any) -> Any:
        words = read(*arguments)
        if where == "reduction":
            monkeypatch.setattr(torch, "log_softmax", fail)
        elif where == "decode":
            monkeypatch.setattr(words.tokenizer, "decode", fail)
        else:
            words = replace(words, tokenizer=fail)
        return words

    monkeypatch.setattr(session, "read", failing)
    with pytest.raises(TaskError, match=r"text 'a': .* \(\w+: no room\)$") as raised:
        go(checkpoints["llada"], data, tmp_path / "r.npz")
    assert raised.type is kind and not (tmp_path / "r.npz").exists()


def test_of_several_classes_the_one_for_masked_language_models_is_taken(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    """A checkpoint's AutoModel may well be the one without a head."""
    go(checkpoints["llada"], data, tmp_path / "expected.npz")
    wanted = [i.payload for i in read_recordings(tmp_path / "expected.npz")]
    for names in (
        ("AutoModelForMaskedLM", "AutoModelForCausalLM", "AutoModel"),
        ("AutoModelForCausalLM", "AutoModel"),
    ):
        folder = own_code(tmp_path / names[0], "llada")
        config = json.loads((folder / "config.json").read_text())
        own, other = "modeling_tiny.TinyModel", "modeling_tiny.Headless"
        config["auto_map"] |= dict.fromkeys(names, other) | {names[0]: own}
        (folder / "config.json").write_text(json.dumps(config))
        go(folder, data, tmp_path / f"{names[0]}.npz")
        assert [i.payload for i in read_recordings(tmp_path / f"{names[0]}.npz")] == wanted


def test_checkpoints_that_cannot_be_used(checkpoints: dict[str, Path], data: Path, tmp_path: Path) -> None:
    def refused(checkpoint: Path, recipe: Recipe = TRUSTED, kind: type[TaskError] = TaskError) -> str:
        with pytest.raises(kind) as raised:
            go(checkpoint, data, tmp_path / "r.npz", recipe)
        assert not (tmp_path / "r.npz").exists() and "\n" not in str(raised.value)
        return str(raised.value)

    def copy(name: str, change: Callable[[Path], object], base: str = "llada") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in checkpoints[base].iterdir():
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
        change(folder)
        return folder

    def configured(**changes: object) -> Callable[[Path], object]:
        def change(folder: Path) -> None:
            path = folder / "config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | changes))

        return change

    def fewer(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        del weights["head.bias"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    ran = tmp_path / "ran"
    spy = copy("spy", lambda f: (f / "configuration_tiny.py").write_text(f"open({str(ran)!r}, 'w')\n"))
    assert "--trust-remote-code" in refused(spy, replace(TRUSTED, trust=False)) and not ran.exists()
    assert "config.json cannot be read" in refused(tmp_path / "nowhere")
    assert "not JSON" in refused(copy("text", lambda f: (f / "config.json").write_text("{")))
    assert "no object" in refused(copy("list", lambda f: (f / "config.json").write_text("[]")))
    assert "cannot be loaded" in refused(copy("bare", lambda f: (f / "model.safetensors").unlink()))
    assert "cannot be loaded" in refused(
        copy("cut", lambda f: (f / "model.safetensors").write_bytes(b"x" * 99))
    )
    assert "lacks weights" in (told := refused(copy("less", fewer))) and "head.bias" in told
    assert "cannot be loaded" in refused(copy("odd", configured(model_type="gpt2", auto_map=None)))
    assert "cannot be loaded" in refused(copy("deaf", lambda f: (f / "tokenizer.json").unlink()))
    broken = copy("broken", lambda f: (f / "modeling_tiny.py").write_text("import not_a_package_at_all\n"))
    assert "not_a_package_at_all" in refused(broken, kind=Missing)
    assert "--mask-id" in refused(checkpoints["silent"])
    assert "--mask-id" in refused(checkpoints["llada"], replace(TRUSTED, mask=999))
    assert f"{PLACES} positions" in refused(checkpoints["llada"], replace(TRUSTED, length=60))
    assert "--block-length" in refused(checkpoints["llada"], replace(TRUSTED, block=3))
    assert "--device" in refused(checkpoints["llada"], replace(TRUSTED, device="abacus"))
    assert "--device" in refused(checkpoints["llada"], replace(TRUSTED, device="meta"))
    assert "such devices" in refused(checkpoints["llada"], replace(TRUSTED, device="cuda:99"), Missing)
    pickled = copy("pickled", lambda f: torch.save({}, f / "pytorch_model.bin"))
    (pickled / "model.safetensors").unlink()
    assert "cannot be loaded" in refused(pickled)


@pytest.mark.parametrize(
    "checkpoint, wrong, told",
    [
        ("silent", {}, "--mask-id"),
        ("llada", {"mask": 999}, "--mask-id"),
        ("llada", {"length": 60}, "positions of the model"),
        ("llada", {"device": "abacus"}, "--device"),
        ("llada", {"chat": True}, "--chat"),
    ],
)
def test_settings_are_refused_before_the_weights_are_read(
    checkpoint: str,
    wrong: dict[str, Any],
    told: str,
    checkpoints: dict[str, Path],
    data: Path,
    tmp_path: Path,
) -> None:
    """Those of a real checkpoint take minutes."""
    folder = tmp_path / "folder"
    shutil.copytree(checkpoints[checkpoint], folder)
    (folder / "model.safetensors").write_bytes(b"these are no weights")
    with pytest.raises(TaskError, match=told):
        go(folder, data, tmp_path / "r.npz", replace(TRUSTED, **wrong))


def test_a_text_ends_before_the_first_end(checkpoints: dict[str, Path]) -> None:
    words = session.read(checkpoints["llada"], TRUSTED)
    up, down, unknown = TOKENS.index("up"), TOKENS.index("down"), len(TOKENS) + 1
    assert words.text(np.array([up, unknown, down, EOS, up, EOS])) == "up down"
    assert words.text(np.array([EOS, up])) == ""
    assert words.text(np.array([up, up])) == "up up"


def test_more_than_a_file_holds(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MOST_BYTES", 2 * SPAN * SPAN * 12)
    with pytest.raises(TaskError, match="--limit"):
        go(checkpoints["llada"], data, tmp_path / "r.npz")
    assert go(checkpoints["llada"], data, tmp_path / "r.npz", replace(TRUSTED, limit=2)).texts == 2


def test_the_mask_may_be_named(checkpoints: dict[str, Path], data: Path, tmp_path: Path) -> None:
    go(checkpoints["silent"], data, tmp_path / "1.npz", replace(TRUSTED, mask=MASK))
    go(checkpoints["llada"], data, tmp_path / "2.npz")
    a, b = ([i.payload for i in read_recordings(tmp_path / f"{k}.npz")] for k in (1, 2))
    assert a == b


def test_the_task_records() -> None:
    from evaluators.diffusion.early_exit.task import DiffusionExit

    assert isinstance(DiffusionExit({}), Recordable)
