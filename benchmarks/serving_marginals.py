"""Makes evaluators/serving/data/workloads.json from public traces (see serving_data.py), and compares with them.

python benchmarks/serving_marginals.py            writes the file, prints marginals of traces and of generated ones
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from serving_data import ROOT, path, rows

sys.path.insert(0, str(ROOT))

from evaluators.serving import workloads
from evaluators.serving.trace import Trace
from evaluators.serving.trace_files import read

Array = npt.NDArray[np.float64]
LEVELS = [*(k / 32 for k in range(32)), *(1 - 2.0**-k for k in range(6, 13)), 1.0]
"""Levels of the quantiles: every 32nd, then halving towards the longest."""
AGES = [k / 8 for k in range(9)]
LOOKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
TRACES = {
    "azure-code": ("azure2023/code.csv", "Azure LLM inference trace 2023, code", "CC-BY 4.0"),
    "azure-conv": ("azure2023/conv.csv", "Azure LLM inference trace 2023, conversation", "CC-BY 4.0"),
    "mooncake-conversation": (
        "mooncake/conversation_trace.jsonl",
        "Mooncake FAST25 trace, conversation",
        "Apache-2.0",
    ),
    "mooncake-synthetic": (
        "mooncake/synthetic_trace.jsonl",
        "Mooncake FAST25 trace, synthetic",
        "Apache-2.0",
    ),
    "arxiv": (
        "vidur/arxiv_summarization_lengths.csv",
        "Vidur, arxiv summarization lengths (arrivals Poisson)",
        "MIT",
    ),
    "sharegpt": ("llmservingsim/real_vllm_llama31_8b_tp1.csv", "LLMServingSim, 300 ShareGPT requests", "MIT"),
}


def trace(kind: str) -> tuple[Trace, bool]:
    """The public trace, and whether its arrivals are real. Lengths without arrivals come at one a second."""
    if kind != "arxiv":
        return read(path(TRACES[kind][0])), kind != "sharegpt"
    found = [(int(row["num_prefill_tokens"]), int(row["num_decode_tokens"])) for row in rows(TRACES[kind][0])]
    prompts, outputs = zip(*found, strict=True)
    count = len(found)
    ids = tuple(map(str, range(count)))
    return Trace(kind, ids, tuple(map(float, range(count))), prompts, outputs, ((),) * count), False


def shared(prefixes: tuple[tuple[int, ...], ...]) -> list[tuple[int, int | None]]:
    """For each prompt: how many of its first blocks were there before, and the last request that had them."""
    last: dict[int, int] = {}
    found: list[tuple[int, int | None]] = []
    for number, ids in enumerate(prefixes):
        depth = next((at for at, block in enumerate(ids) if block not in last), len(ids))
        found.append((depth, last[ids[depth - 1]] if depth else None))
        last.update((block, number) for block in ids)
    return found


def hit_rate(prefixes: tuple[tuple[int, ...], ...]) -> float:
    """The share of blocks that a cache without limit would have had."""
    return sum(depth for depth, _ in shared(prefixes)) / sum(map(len, prefixes))


def variation(arrivals: Array) -> float:
    """Of the gaps; arrivals that are rounded together are counted in bins of 30 seconds, where a renewal process has a
    variance over mean of the variation's square."""
    gaps = np.diff(arrivals)
    if (gaps == 0).mean() < 0.5:
        return float(gaps.std() / gaps.mean())
    counts = np.bincount(((arrivals - arrivals[0]) // 30).astype(int))[:-1]
    return float(np.sqrt(counts.var() / counts.mean()))


def marginals(kind: str) -> dict[str, Any]:
    """The entry of a trace."""
    found, timed = trace(kind)
    _, title, licence = TRACES[kind]
    prompts, outputs, arrivals = (
        np.array(side, float) for side in (found.prompts, found.outputs, found.arrivals)
    )
    quarters = np.quantile(prompts, [0.25, 0.5, 0.75])
    quarter = np.searchsorted(quarters, prompts, side="right")
    made: dict[str, Any] = {"source": title, "licence": licence, "requests": len(found)}
    made["rate"] = round(found.rate, 3) if timed else 1.0
    made["variation"] = round(min(20.0, variation(arrivals)), 2) if timed else 1.0
    made["quarters"] = quarters.tolist()
    made["output"] = [quantiles(outputs[quarter == q]) for q in range(4)]
    going = np.zeros(len(found), bool)
    if any(found.prefixes):
        depths = shared(found.prefixes)
        root = len({ids[0] for ids in found.prefixes}) == 1
        going = np.array([depth > root for depth, _ in depths])
        ages = [
            arrivals[i] - arrivals[j] for i, (depth, j) in enumerate(depths) if going[i] and j is not None
        ]
        parts = [
            depth / len(found.prefixes[j])
            for i, (depth, j) in enumerate(depths)
            if going[i] and j is not None
        ]
        made["chain"] = {
            "share": round(float(going.mean()), 4),
            "root": root,
            "levels": AGES,
            "ages": [round(float(age), 1) for age in np.quantile(ages, AGES)],
            "parts": [round(float(part), 3) for part in np.quantile(parts, AGES)],
        }
        made["chained"] = quantiles(prompts[going])
    made["prompt"] = quantiles(prompts[~going])
    return made


def quantiles(values: Array) -> list[float]:
    """At LEVELS, of the sorted values as steps made straight."""
    return [round(float(value), 1) for value in np.quantile(values, LEVELS)]


def compare(kind: str) -> str:
    """Marginals of a trace beside those of as many generated requests."""
    real, timed = trace(kind)
    ours = workloads.generate(kind, len(real), 1)
    lines = [f"{kind}, {len(real)} requests (real / generated)"]
    for name in ("prompts", "outputs"):
        a, b = np.array(getattr(real, name)), np.array(getattr(ours, name))
        levels = ", ".join(f"{np.quantile(a, q):.0f}/{np.quantile(b, q):.0f}" for q in (0.1, 0.5, 0.9, 0.99))
        lines.append(f"    {name:8} mean {a.mean():.1f}/{b.mean():.1f}; 10, 50, 90, 99 %: {levels}")
    if timed:
        a, b = (variation(np.array(t.arrivals)) for t in (real, ours))
        lines.append(f"    rate {real.rate:.2f}/{ours.rate:.2f}, variation {a:.2f}/{b:.2f}")
    if any(real.prefixes):
        lines.append(f"    prefix hits {hit_rate(real.prefixes):.3f}/{hit_rate(ours.prefixes):.3f}")
    return "\n".join(lines)


def calibrate(entries: dict[str, Any], kind: str) -> None:
    """Sets how many earlier requests are looked at so that generated prompts share as many blocks as real ones."""
    real = trace(kind)[0]
    aim, found = hit_rate(real.prefixes), {}
    for look in LOOKS:
        entries[kind]["chain"]["look"] = look
        write(entries)
        found[look] = abs(hit_rate(workloads.generate(kind, len(real), 0).prefixes) - aim)
    entries[kind]["chain"]["look"] = min(found, key=lambda look: found[look])
    write(entries)


def write(entries: dict[str, Any]) -> None:
    body = ",\n".join(f'"{kind}": {json.dumps(entry)}' for kind, entry in entries.items())
    text = f'{{"date": "2026-11-25", "levels": {json.dumps(LEVELS)},\n"workloads": {{\n{body}}}}}\n'
    workloads.TABLE.write_text(text, encoding="utf-8")
    workloads._table.cache_clear()


def main() -> None:
    entries = {kind: marginals(kind) for kind in TRACES}
    for kind in TRACES:
        if "chain" in entries[kind]:
            calibrate(entries, kind)
    write(entries)
    for kind in TRACES:
        print(compare(kind))
    print(f"{workloads.TABLE.name}: {workloads.TABLE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
