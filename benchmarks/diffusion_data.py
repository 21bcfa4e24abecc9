"""Makes what ships of the denoisers once they are trained:

    python benchmarks/diffusion_data.py FOLDER        # small.npz, long.npz and their curves from the training

Weights with their SHA-256, the quantiles of their margins, which texts of the splits full decoding answers well,
and the recordings of the search split. Texts are decoded in processes of their own; a quarter of an hour on two
cores. Prints the quality of each family, of full decoding and of all positions at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from multiprocessing import Pool
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from evaluators.diffusion import decoding, texts
from evaluators.diffusion.denoiser import model
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.early_exit import instances
from evaluators.diffusion.early_exit.recording import trajectories
from evaluators.diffusion.families import FAMILIES, prompt_of, sample
from evaluators.diffusion.full import passes
from evaluators.diffusion.judging import right
from evaluators.diffusion.tokens import encode

BATCH = 16
CALIBRATION = 20
"""Training texts of each family whose full decoding gives the quantiles of margins."""
QUANTILES = 101


def install(folder: Path) -> None:
    """Copy weights and curves, and note the SHA-256 of the weights."""
    model.FOLDER.mkdir(exist_ok=True)
    digests = {}
    for name in SHAPES:
        for kind in ("npz", "csv"):
            shutil.copy(folder / f"{name}.{kind}", model.FOLDER / f"{name}.{kind}")
        digests[name] = hashlib.sha256((model.FOLDER / f"{name}.npz").read_bytes()).hexdigest()
    (model.FOLDER / "manifest.json").write_text(json.dumps(digests, indent=1) + "\n")


def decoded(job: tuple[str, str, list[str]]) -> tuple[list[bool], list[bool]]:
    """Of some prompts (with tags): whether full decoding is right, and whether all positions at once are."""
    name, _, prompts = job
    tokens = np.stack([encode(p, SHAPES[name].scale.prompt) for p in prompts])
    answer = first = None
    for step in passes(model.shipped(name), tokens):
        best = np.stack([r.best for r in step.readings])
        first = best if first is None else first
        answer = best if answer is None else np.where(step.masked, best, answer)
    judged = [
        [right(name, p, a) == 1.0 for p, a in zip(tokens, found, strict=True)] for found in (answer, first)
    ]
    return judged[0], judged[1]


def calibrated(name: str) -> np.ndarray:
    """The quantiles of a model's margins at masked positions of full decoding of training texts."""
    found = []
    draw = np.random.default_rng(SHAPES[name].seed)
    scale = SHAPES[name].scale
    for family in FAMILIES.values():
        prompts = [sample(family, draw, scale, training=True)[0] for _ in range(CALIBRATION)]
        tokens = np.stack([encode(prompt_of(family, p), scale.prompt) for p in prompts])
        for step in passes(model.shipped(name), tokens):
            found.append(np.stack([r.margin for r in step.readings])[step.masked])
    values = np.sort(np.concatenate(found).astype(np.float64))
    return values[np.linspace(0, len(values) - 1, QUANTILES).astype(int)].astype(np.float16)


def record() -> None:
    """The recordings of the search split."""
    found = []
    searched = texts.part("search")
    for start in range(0, len(searched), BATCH):
        part = searched[start : start + BATCH]
        prompts = [encode(t.prompt, SHAPES[t.model].scale.prompt) for t in part]
        found += trajectories(part[0].model, np.stack(prompts))
    instances.RECORDINGS.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        instances.RECORDINGS,
        readings=np.stack([t.readings.swapaxes(1, 2) for t in found]),
        best=np.stack([t.best for t in found]),
        fixed=np.stack([t.fixed for t in found]).astype(np.uint8),
    )


def main() -> None:
    install(Path(sys.argv[1]))
    with Pool() as pool:
        tables = dict(zip(SHAPES, pool.map(calibrated, list(SHAPES)), strict=True))
        with decoding.MARGINS.open("wb") as stream:
            np.savez(stream, **tables)
        jobs = []
        for name in SHAPES:
            for family in FAMILIES.values():
                known = texts.prompts(name, family.name, 0, texts.known(name, family.name))
                asked = [prompt_of(family, p) for p in known]
                jobs += [(name, family.name, asked[k : k + BATCH]) for k in range(0, len(asked), BATCH)]
        found: dict[str, dict[str, list[list[bool]]]] = {n: {f: [[], []] for f in FAMILIES} for n in SHAPES}
        for (name, family, _), judged in zip(jobs, pool.imap(decoded, jobs), strict=True):
            for kept, more in zip(found[name][family], judged, strict=True):
                kept += more
    packed = {
        n: {f: np.packbits(np.array(rows[0])).tobytes().hex() for f, rows in of.items()}
        for n, of in found.items()
    }
    (texts.DATA / "full.json").write_text(json.dumps(packed, indent=1) + "\n")
    for name, of in found.items():
        for family, (full, once) in of.items():
            print(
                f"{name:6} {family:10} {len(full):5} texts  full {np.mean(full):.3f}  at once {np.mean(once):.3f}"
            )
    record()


if __name__ == "__main__":
    main()
