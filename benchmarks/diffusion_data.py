"""Makes what ships of the denoisers once they are trained:

    python benchmarks/diffusion_data.py FOLDER [NAME …]   # small.npz, long.npz and their curves from the training

With names, only what depends on those denoisers is made anew. Weights with their SHA-256, the quantiles of their
margins, which texts of the splits full decoding answers well,
and the recordings of the search split. Texts are decoded in processes of their own; a quarter of an hour on two
cores. Prints the quality of each family, of full decoding and of all positions at once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from multiprocessing import Pool
from pathlib import Path
from typing import Any

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


def install(folder: Path, names: list[str]) -> None:
    """Copy weights and curves, and note the SHA-256 of the weights."""
    model.FOLDER.mkdir(exist_ok=True)
    manifest = model.FOLDER / "manifest.json"
    digests = kept(manifest)
    for name in names:
        for kind in ("npz", "csv"):
            shutil.copy(folder / f"{name}.{kind}", model.FOLDER / f"{name}.{kind}")
        digests[name] = hashlib.sha256((model.FOLDER / f"{name}.npz").read_bytes()).hexdigest()
    manifest.write_text(json.dumps(digests, indent=1) + "\n")


def kept(path: Path) -> dict[str, Any]:
    """What a file of ours says already."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SHAPES)} (default: all)")
    asked = parser.parse_args()
    names = [n for n in SHAPES if n in asked.names or not asked.names]
    install(asked.folder, names)
    with Pool() as pool:
        tables = {n: decoding.margins(n) for n in SHAPES if n not in names}
        tables |= zip(names, pool.map(calibrated, names), strict=True)
        with decoding.MARGINS.open("wb") as stream:
            np.savez(stream, **{n: tables[n].astype(np.float16) for n in SHAPES})
        jobs = []
        for name in names:
            for family in FAMILIES:
                known = texts.prompts(name, family, 0, texts.known(name, family))
                prompts = [prompt_of(FAMILIES[family], p) for p in known]
                jobs += [(name, family, prompts[k : k + BATCH]) for k in range(0, len(prompts), BATCH)]
        found: dict[str, dict[str, list[list[bool]]]] = {n: {f: [[], []] for f in FAMILIES} for n in names}
        for (name, family, _), judged in zip(jobs, pool.imap(decoded, jobs), strict=True):
            for rows, more in zip(found[name][family], judged, strict=True):
                rows += more
    path = texts.DATA / "full.json"
    packed = kept(path) | {
        n: {f: np.packbits(np.array(rows[0])).tobytes().hex() for f, rows in of.items()}
        for n, of in found.items()
    }
    path.write_text(json.dumps({n: packed[n] for n in SHAPES}, indent=1) + "\n")
    for name, of in found.items():
        for family, (full, once) in of.items():
            print(
                f"{name:6} {family:10} {len(full):5} texts  full {np.mean(full):.3f}  at once {np.mean(once):.3f}"
            )
    if any(t.model in names for t in texts.part("search")):
        record()


if __name__ == "__main__":
    main()
