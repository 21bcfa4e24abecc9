"""The table of all baselines of ``lr-schedule``, class by class, as published and with the numbers that ship as tuned.

    python benchmarks/schedule_table.py [SPLIT] [--option pilot=none] [--only NAME …] [--code FILE …]

SPLIT is search (default), gate or final. Scores are ratios to linear decay's gap, geometric means; ``--code`` adds
candidate files of one's own. The final split takes several times as long as search.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from baseline_scores import judgements

from evaluators.registry import load
from evaluators.task import Task, average, in_classes
from searchspaces.space import ParameterValue


def rows(
    task: Task, only: list[str], files: list[Path]
) -> Iterator[tuple[str, Path, dict[str, ParameterValue]]]:
    """Name, file and parameters of each line of the table."""
    shipped = task.shipped_scores()
    for name, baseline in task.baselines().items():
        if baseline.path is None or (only and name not in only):
            continue
        yield name, baseline.path, {}
        if name in shipped and shipped[name].tuned_parameters:
            yield f"{name}, tuned", baseline.path, dict(shipped[name].tuned_parameters)
    yield from ((path.stem, path, {}) for path in files)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("split", nargs="?", default="search", choices=("search", "gate", "final"))
    parser.add_argument("--option", action="append", default=[], help="name=value")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--code", nargs="*", type=Path, default=[])
    asked = parser.parse_args()
    task = load("lr-schedule", dict(word.split("=", 1) for word in asked.option))
    instances = task.instances(asked.split)
    found = {}
    for name, path, parameters in rows(task, asked.only, asked.code):
        start = time.process_time()
        own = [j.score for j in judgements(task, path, instances, parameters)]
        found[name] = in_classes(instances.instances, own, "geometric"), time.process_time() - start
        print(f"{name}: {found[name][1]:.1f} s of processor time", file=sys.stderr)
    groups = list(dict.fromkeys(i.group for i in instances))
    print(f"| {asked.split} | score | {' | '.join(groups)} | time |")
    print(f"|---|---|{'---|' * (len(groups) + 1)}")
    fastest = min(seconds for _, seconds in found.values())
    for name, (means, seconds) in sorted(
        found.items(), key=lambda row: average([*row[1][0].values()], "geometric")
    ):
        whole = average([*means.values()], "geometric")
        cells = " | ".join(f"{means[g]:.3f}" for g in groups)
        print(f"| {name} | {whole:.4f} | {cells} | {seconds / fastest:.1f} × |")


if __name__ == "__main__":
    main()
