"""Makes the shipped references of SMTT: proves every instance to optimality, one process, resumable.

    python benchmarks/smtt_make_references.py [--only PREFIX …] [--data DIR] [--work DIR] [--seconds 600]

Each finished part is kept in the work folder, so that a stopped run goes on where it was; whatever is finished is
written into the data folder with a new manifest. Uses numba when it is installed (needed beyond 200 jobs).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.smtt import exact, references, splits
from evaluators.smtt.instances import generate
from evaluators.smtt.problem import encode, total_tardiness
from evaluators.smtt.proving import solve


def prove_part(name: str, seconds: float) -> dict[str, np.ndarray]:
    """Optima, state counts and packed witnesses of a part."""
    optima, states, codes = [], [], []
    for spec in splits.part(name):
        p, d = generate(spec)
        start = time.perf_counter()
        found = solve(p, d, seconds=seconds)
        taken = time.perf_counter() - start
        if total_tardiness(p, d, found.sequence) != found.optimum:
            raise SystemExit(f"{spec.id}: the witness does not attain the optimum")
        if taken > 20:
            sys.stderr.write(f"  {spec.id}: {taken:.1f} s, {found.states} states\n")
        optima.append(found.optimum)
        states.append(found.states)
        codes.extend(references.pack(found.sequence, p, d))
    return {
        "optimum": np.array(optima, dtype=np.int64),
        "states": np.array(states, dtype=np.int64),
        "witness": np.array(codes, dtype=np.uint8 if max(codes) < 256 else np.uint16),
    }


def publish(work: Path, data: Path) -> None:
    """Write all finished parts into ``data``, one file for each split and family, and the manifest."""
    files: dict[str, dict[str, np.ndarray]] = {}
    parts = {}
    for name in splits.all_parts():
        if not (work / f"{name}.npz").exists():
            continue
        with np.load(work / f"{name}.npz") as arrays:
            found = {kind: arrays[kind] for kind in arrays.files}
        files.setdefault(splits.file_of(name), {}).update({f"{name}.{k}": a for k, a in found.items()})
        items = [
            references.Referenced(spec, encode(*generate(spec)), int(optimum))
            for spec, optimum in zip(splits.part(name), found["optimum"], strict=True)
        ]
        parts[name] = {
            "instances": len(items),
            "sha256": references.digest(items),
            "witness_sha256": hashlib.sha256(found["witness"].astype("<u2").tobytes()).hexdigest(),
        }
    for file, arrays in files.items():
        np.savez_compressed(data / f"{file}.npz", **arrays)
    manifest = {"solver": exact.VERSION, "parts": parts}
    (data / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", default=[""], help="parts that start with one of these")
    parser.add_argument("--data", type=Path, default=references.DATA)
    parser.add_argument("--work", type=Path, default=Path(".discover/smtt-references"))
    parser.add_argument("--seconds", type=float, default=600.0, help="limit for one instance")
    options = parser.parse_args()
    work = options.work / exact.VERSION
    work.mkdir(parents=True, exist_ok=True)
    for name in splits.all_parts():
        if not name.startswith(tuple(options.only)) or (work / f"{name}.npz").exists():
            continue
        start = time.perf_counter()
        arrays = prove_part(name, options.seconds)
        part = work / f"{name}.part"
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        part.replace(work / f"{name}.npz")
        shown = f"{time.perf_counter() - start:.1f} s, most states {arrays['states'].max()}"
        sys.stderr.write(f"{name}: {len(arrays['optimum'])} proved, {shown}\n")
    publish(work, options.data)


if __name__ == "__main__":
    main()
