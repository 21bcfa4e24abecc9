"""The denoisers: the numpy forward pass against a slow one and against torch, and files of weights."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest

from evaluators.diffusion import decoding
from evaluators.diffusion.denoiser import model
from evaluators.diffusion.denoiser.model import WeightsError, load, shipped
from evaluators.diffusion.denoiser.shapes import SHAPES, SHARPNESS, Shape
from evaluators.diffusion.denoiser.training_texts import texts
from evaluators.diffusion.full import decoded, passes
from evaluators.diffusion.tokens import MASK, VOCABULARY, Scale, encode
from evaluators.registry import load as load_task
from evaluators.task import TaskError

TINY = Shape("tiny", Scale(prompt=2, span=3, items=2), 8, 2, 2, batch=4, stretches=(6, 0, 0), seed=5)


def random_weights(shape: Shape, seed: int = 0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {n: draw.normal(size=s).astype(np.float16) for n, s in shape.arrays().items()}


def written(path, arrays):
    with path.open("wb") as stream:
        np.savez(stream, **arrays)
    return path


def slow_logits(shape: Shape, w: dict[str, np.ndarray], tokens: list[int]) -> list[list[float]]:
    """One text through the transformer, number by number."""
    w = {n: a.astype(float).tolist() for n, a in w.items()}
    width = shape.width // shape.heads

    def norm(row):
        scale = math.sqrt(sum(v * v for v in row) / len(row) + 1e-6)
        return [v / scale for v in row]

    def times(matrix, row):
        return [sum(a * b for a, b in zip(line, row, strict=True)) for line in matrix]

    def turned(row, place):
        half = width // 2
        out = [0.0] * width
        for k in range(half):
            angle = place * 100.0 ** (-k / half)
            a, b = row[k], row[half + k]
            out[k] = a * math.cos(angle) - b * math.sin(angle)
            out[half + k] = b * math.cos(angle) + a * math.sin(angle)
        return out

    rows = [
        [a + b for a, b in zip(w["tokens"][t], w["places"][k], strict=True)] for k, t in enumerate(tokens)
    ]
    for layer in range(shape.layers):
        mixed = [[] for _ in rows]
        projected = [times(w[f"{layer}.qkv"], norm(row)) for row in rows]
        for head in range(shape.heads):
            parts = [
                [p[k * shape.width + head * width : k * shape.width + (head + 1) * width] for p in projected]
                for k in range(3)
            ]
            queries, keys = ([turned(norm(r), at) for at, r in enumerate(part)] for part in parts[:2])
            for at, query in enumerate(queries):
                scores = [
                    SHARPNESS / math.sqrt(width) * sum(a * b for a, b in zip(query, key, strict=True))
                    for key in keys
                ]
                shares = [math.exp(s - max(scores)) for s in scores]
                mixed[at] += [
                    sum(s * v[c] for s, v in zip(shares, parts[2], strict=True)) / sum(shares)
                    for c in range(width)
                ]
        rows = [
            [a + b for a, b in zip(row, times(w[f"{layer}.out"], m), strict=True)]
            for row, m in zip(rows, mixed, strict=True)
        ]
        up = [[max(v, 0.0) ** 2 for v in times(w[f"{layer}.up"], norm(row))] for row in rows]
        rows = [
            [a + b for a, b in zip(row, times(w[f"{layer}.down"], u), strict=True)]
            for row, u in zip(rows, up, strict=True)
        ]
    return [times(w["head"], norm(row)) for row in rows[shape.scale.prompt :]]


def test_the_forward_pass_against_a_slow_one(tmp_path):
    weights = random_weights(TINY)
    made = load(TINY, written(tmp_path / "tiny.npz", weights))
    tokens = np.random.default_rng(3).integers(0, VOCABULARY, (4, TINY.length))
    wanted = [slow_logits(TINY, weights, row) for row in tokens.tolist()]
    np.testing.assert_allclose(made.logits(tokens), wanted, rtol=1e-10, atol=1e-10)


def test_a_text_alone_and_in_a_batch_get_the_same_tokens():
    for name, shape in SHAPES.items():
        tokens = texts(shape, 0)[0][:6, : shape.scale.prompt]
        together = decoded(name, tokens)
        assert all(
            np.array_equal(decoded(name, row[None])[0], own)
            for row, own in zip(tokens, together, strict=True)
        )


def torch_or_skip():
    if os.environ.get("REQUIRE_TORCH"):
        import torch

        return torch
    return pytest.importorskip("torch", reason="the extra `train` is not installed")


def denoiser_in_torch(torch, name):
    from evaluators.diffusion.denoiser.training import Denoiser

    shape = SHAPES[name]
    made = Denoiser(shape)
    with torch.no_grad(), np.load(model.FOLDER / f"{name}.npz") as file:
        for array in file.files:
            made.weight(array).copy_(torch.from_numpy(file[array].astype(np.float32)))
    return made


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_numpy_and_torch_decode_to_the_same_tokens(name):
    torch = torch_or_skip()
    shape = SHAPES[name]
    reference = denoiser_in_torch(torch, name).double()
    prompts = texts(shape, 1)[0][:24, : shape.scale.prompt]
    tokens = torch.cat([torch.from_numpy(prompts), torch.full((24, shape.scale.span), MASK)], 1)
    ours = list(passes(shipped(name), prompts))
    for step in ours:
        assert np.array_equal(step.masked, tokens[:, shape.scale.prompt :].numpy() == MASK), "the same order"
        with torch.no_grad():
            logits = reference(tokens)[:, shape.scale.prompt :]
        np.testing.assert_allclose(shipped(name).logits(tokens.numpy()), logits.numpy(), atol=1e-8)
        logits[..., MASK] = -torch.inf
        probability = (torch.softmax(logits, -1).amax(-1) * 1024).round() / 1024
        masked = tokens[:, shape.scale.prompt :] == MASK
        chosen = torch.where(masked, probability, -1.0).numpy().argmax(1)
        rows = torch.arange(24)
        tokens[rows, shape.scale.prompt + chosen] = logits.argmax(-1)[rows, chosen]
    assert np.array_equal(decoded(name, prompts), tokens[:, shape.scale.prompt :].numpy())


def test_training_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    torch_or_skip()
    from evaluators.diffusion.denoiser import training

    shape = replace(SHAPES["small"], width=16, layers=1, heads=2, batch=4, stretches=(200, 50, 50))
    whole = training.train(shape, tmp_path / "whole", minutes_between=0)
    with monkeypatch.context() as patched:
        patched.setattr(training, "texts", stopping(training.texts, 160))
        with pytest.raises(KeyboardInterrupt):
            training.train(shape, tmp_path / "parts", minutes_between=0)
    assert not (tmp_path / "parts" / "small.npz").exists()
    parts = training.train(shape, tmp_path / "parts", minutes_between=0)
    with np.load(whole) as one, np.load(parts) as other:
        assert all(np.array_equal(one[n], other[n]) for n in shape.arrays())
        assert one["head"].any()
    rows = [(tmp_path / f / "small.csv").read_text().split()[-1].split(",")[:2] for f in ("whole", "parts")]
    assert rows[0] == rows[1] and rows[0][0] == "300"


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    torch_or_skip()
    from evaluators.diffusion.denoiser import training

    shape = replace(SHAPES["small"], width=16, layers=1, heads=2, batch=2, stretches=(50, 0, 0))
    training.train(shape, tmp_path)
    with pytest.raises(SystemExit, match="another training"):
        training.train(replace(shape, seed=99), tmp_path)


def stopping(texts_of, at):
    def stopped(shape, step):
        if step == at:
            raise KeyboardInterrupt
        return texts_of(shape, step)

    return stopped


def test_the_loss_asks_for_the_masked_tokens_alone():
    torch = torch_or_skip()
    from evaluators.diffusion.denoiser import training

    shape = replace(SHAPES["small"], batch=6)
    tokens, mask = texts(shape, 0)

    class Knowing(torch.nn.Module):
        """Sure of the right token where it is masked, and of a wrong one elsewhere."""

        def forward(self, shown):
            assert (shown == MASK).numpy().tolist() == mask.tolist()
            right = torch.from_numpy(np.where(mask, tokens, (tokens + 1) % VOCABULARY))
            return 50.0 * torch.nn.functional.one_hot(right, VOCABULARY).float()

    assert training.loss_of(Knowing(), tokens, mask).item() < 1e-6


# -- files of weights -------------------------------------------------------------------------------------------------


def test_weights_that_cannot_be_used_are_refused(tmp_path):
    good = random_weights(TINY)
    path = written(tmp_path / "w.npz", good)
    whole = path.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match="cannot be read"):
            load(TINY, path)
    written(path, {**good, "head": good["head"][:, :-1]})
    with pytest.raises(WeightsError, match=r"not those of the denoiser 'tiny' of this version .*head"):
        load(TINY, path)
    written(path, {n: a for n, a in good.items() if n != "1.up"})
    with pytest.raises(WeightsError, match=r"differ in 1\.up"):
        load(TINY, path)
    written(path, {**good, "head": np.full_like(good["head"], np.nan)})
    with pytest.raises(WeightsError, match="not finite"):
        load(TINY, path)
    written(path, {**good, "head": np.array([{}], dtype=object)})
    with pytest.raises(WeightsError, match="cannot be read"):
        load(TINY, path)
    with pytest.raises(WeightsError, match="cannot be read"):
        load(TINY, tmp_path / "none.npz")


def test_weights_of_another_version_are_told_by_the_task(tmp_path, monkeypatch):
    (tmp_path / "small.npz").write_bytes((model.FOLDER / "small.npz").read_bytes() + b" ")
    (tmp_path / "manifest.json").write_text((model.FOLDER / "manifest.json").read_text())
    monkeypatch.setattr(model, "FOLDER", tmp_path)
    shipped.cache_clear()
    try:
        for name in ("diffusion", "diffusion-exit"):
            with pytest.raises(TaskError, match="another version"):
                load_task(name).instances("screen")
    finally:
        shipped.cache_clear()


def test_what_ships_is_small_and_of_the_told_size():
    assert 0.7e6 < SHAPES["small"].parameters < SHAPES["long"].parameters < 1.5e6
    digests = json.loads((model.FOLDER / "manifest.json").read_text())
    assert sorted(digests) == sorted(SHAPES)
    for name, shape in SHAPES.items():
        assert (model.FOLDER / f"{name}.npz").stat().st_size < 2.2 * shape.parameters
        rows = (model.FOLDER / f"{name}.csv").read_text().split()
        assert int(rows[-1].split(",")[0]) == shape.steps and float(rows[-1].split(",")[1]) < 0.5
        table = decoding.margins(name)
        assert (np.diff(table) >= 0).all() and table[0] >= 0 and len(table) == 101


def test_the_shipped_denoisers_answer():
    """Each of a few prompts of training's half, by hand: not much, but weights of another model would fail."""
    shape = SHAPES["small"]
    prompt = encode("Ihello", shape.scale.prompt)
    answer = decoded("small", prompt[None])[0]
    assert np.array_equal(answer, encode("hello", shape.scale.span))
