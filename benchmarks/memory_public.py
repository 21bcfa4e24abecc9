"""All baselines of ``memory-alloc`` on public instances: heights in percent of the lower bound, one row a file.

    python benchmarks/memory_public.py FOLDER [--least 100] [--most 1100] [--only NAME …]

FOLDER holds CSV files with ``id,lower,upper,size``, also in folders of its own, such as the challenging instances of
MiniMalloc (A to K, whose names tell the capacity that they fit into) and those of idealloc. Files of fewer
than ``--least`` or more than ``--most`` buffers are left out and named. Our own files run in this process, through
the task's adapter and referee. Beneath are the geometric means, over all files and over those whose names tell a
capacity, there also of height / capacity.
"""

from __future__ import annotations

import argparse
import runpy
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import geometric_mean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from discovery.candidate import signatures
from evaluators.memory.alloc.adapter import answer
from evaluators.memory.buffers import capacity, decode
from evaluators.registry import load
from evaluators.task import Instance, ShippedScore, Task


def height(task: Task, path: Path, instance: Instance, shipped: ShippedScore | None) -> float:
    """The height that a candidate file reaches, with its tuned numbers where they ship."""
    found = runpy.run_path(str(path))
    tuned = shipped.tuned_parameters if shipped is not None else {}
    named = {
        function: partial(found[function], **{k: tuned[k] for k in taken if k in tuned})
        for function, taken in signatures(path.read_text(encoding="utf-8"), task.interface).items()
    }
    function = named.pop(task.interface.function)
    return task.judge(instance, answer(function, instance.payload, {}, named)).value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--least", type=int, default=100)
    parser.add_argument("--most", type=int, default=1100)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    task = load("memory-alloc")
    shipped = task.shipped_scores()
    names = [n for n, b in task.baselines().items() if b.path and (not options.only or n in options.only)]
    print("  ".join(["file".ljust(24), "buffers", "fits %", *names]))
    ratios: dict[str, list[float]] = {name: [] for name in names}
    told: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    left = []
    for path in sorted(options.folder.rglob("*.csv")):
        (instance,) = task.read(path).instances
        if not options.least <= instance.size <= options.most:
            left.append(f"{path.name} ({instance.size})")
            continue
        bound = decode(instance.payload).bound
        room = capacity(instance.id, bound)
        row = [path.stem.ljust(24), f"{instance.size:7}", f"{100 * room / bound:6.1f}" if room else "     –"]
        for name in names:
            source = task.baselines()[name].path
            assert source is not None
            reached = height(task, source, instance, shipped.get(name))
            ratios[name].append(reached / bound)
            if room:
                told[name].append((reached / bound, reached / room))
            row.append(f"{100 * reached / bound:.1f}".rjust(len(name)))
        print("  ".join(row), flush=True)
    _means("geometric mean", names, ratios)
    _means("with a capacity", names, {n: [bound for bound, _ in rows] for n, rows in told.items()})
    _means("height / capacity", names, {n: [room for _, room in rows] for n, rows in told.items()})
    if left:
        print(f"left out: {', '.join(left)}")


def _means(title: str, names: Sequence[str], rows: Mapping[str, Sequence[float]]) -> None:
    if rows[names[0]]:
        cells = [f"{100 * geometric_mean(rows[n]):.1f}".rjust(len(n)) for n in names]
        print("  ".join([title.ljust(24), " " * 7, " " * 6, *cells]))


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"{time.perf_counter() - start:.0f} s")
