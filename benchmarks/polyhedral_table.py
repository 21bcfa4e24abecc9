"""Speed-ups over gcc -O3 by program, everything measured in one run on this machine.

    python benchmarks/polyhedral_table.py [--split search gate] [--option polly=clang-19] [--option pluto=polycc]
        [--candidate FILE …] [--only NAME …] [--ranks 12] [--out TABLE.json]

Columns: the reference policies (isl's scheduler twice, the learned model's beam search, Polly and Pluto where options
name them) and the candidate files that ship, with their own numbers. Below: geometric means as the task takes them;
candidates over the better of isl and pluto-like, program by program; the A/A ratio, which is the same program under two
names, 10 repetitions; how the model ranks measured schedules of the kernels of search, on none of which it was trained.
"""

from __future__ import annotations

import argparse
import json
import math
import runpy
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from baseline_scores import asking

from evaluators.polyhedral import codegen, measuring, policies, referee, splits
from evaluators.polyhedral.codegen import TooLong
from evaluators.polyhedral.compiler import compiler_of
from evaluators.polyhedral.dependences import OutOfOperations
from evaluators.polyhedral.learned import beam, sampler
from evaluators.polyhedral.learned.features import Featurer
from evaluators.polyhedral.learned.moves import schedule_of
from evaluators.polyhedral.measuring import Measurer
from evaluators.polyhedral.problem import opened
from evaluators.polyhedral.task import Polyhedral
from evaluators.polyhedral.toolchain import Failure
from evaluators.task import Instance, InvalidAnswer, aggregate

BEST_KNOWN = ("isl-fused", "isl-apart", "pluto-like", "pluto")
"""What a candidate is to beat: the best of these on each program."""


@dataclass
class Table:
    """Speed-ups by split, program and column, and what could not be done."""

    task: Polyhedral
    columns: list[str]
    rows: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def means(self, split: str) -> dict[str, float]:
        instances = self.task.instances(split).instances  # type: ignore[arg-type]
        rows = self.rows[split]
        return {
            c: aggregate(instances, [rows[i.id][c] for i in instances], "geometric") for c in self.columns
        }

    def over_known(self, split: str, column: str) -> float:
        """The geometric mean, as the task takes it, of a column over the best known of each program."""
        instances = self.task.instances(split).instances  # type: ignore[arg-type]
        known = [c for c in self.columns if c in BEST_KNOWN and c != column]
        ratios = [r[column] / max(r[c] for c in known) for r in (self.rows[split][i.id] for i in instances)]
        return aggregate(instances, ratios, "geometric")


def column(name: str, path: Path | None, task: Polyhedral, measurer: Measurer) -> Callable[[Instance], float]:
    """What scores an instance for a policy or a candidate file. Raises Unable where that cannot do anything."""
    if path is None:

        def policy(instance: Instance) -> float:
            compiler, sizes, _ = opened(instance.payload, instance.id)
            return policies.speed(name, compiler, sizes, measurer, task.settings).ratio

        return policy
    function = runpy.run_path(str(path))[task.interface.function]
    answer = runpy.run_path(str(task.adapter))["answer"]

    def candidate(instance: Instance) -> float:
        try:
            given = answer(function, instance.payload, {}, *asking(task, instance))
            return referee.judge(instance, given, measurer).score
        except (InvalidAnswer, RuntimeError) as error:
            raise policies.Unable(str(error)) from None

    return candidate


def same_twice(task: Polyhedral, instances: Sequence[Instance]) -> list[float]:
    """Ratios of each program to itself, compiled under another name."""
    found = []
    for instance in instances:
        compiler, sizes, _ = opened(instance.payload, instance.id)
        text = codegen.reference(compiler.program) + "/* the same */\n"
        found.append(
            measuring.speed(
                compiler.program, sizes, text, task.compiler, repetitions=measuring.THOROUGH
            ).ratio
        )
    return found


def ranking(task: Polyhedral, count: int) -> tuple[float, float, int]:
    """Spearman's rank correlation of the model on measured random schedules of the kernels of search: over all, the
    mean within a kernel, and how many there were."""
    from scipy.stats import spearmanr

    model = beam.model_of(task.settings.get("model", ""))
    pairs: list[list[tuple[float, float]]] = []
    for number, kernel in enumerate(splits.SEARCH):
        compiler = compiler_of(splits.text_of(kernel), kernel)
        sizes, mine = compiler.program.at(splits.MIDDLE), [(0.0, 0.0)]
        featurer = Featurer(compiler, sizes)
        for plan in sampler.plans(compiler, number, count):
            try:
                text = compiler.text(schedule_of(compiler, plan))
                ratio = measuring.speed(compiler.program, sizes, text, task.compiler).ratio
            except (OutOfOperations, TooLong, Failure):
                continue
            mine.append((math.log2(ratio), float(model.predict(featurer.vector(plan))[0])))
        pairs.append(mine)
    within = [spearmanr(np.array(p)).statistic for p in pairs if len(p) > 2]
    everything = np.array([pair for p in pairs for pair in p])
    return float(spearmanr(everything).statistic), float(np.mean(within)), len(everything)


def spread(ratios: Sequence[float]) -> tuple[float, float, float]:
    """Geometric mean, standard deviation of the logarithms, and the ratio furthest from 1."""
    logs = [math.log(r) for r in ratios]
    return math.exp(statistics.fmean(logs)), statistics.pstdev(logs), math.exp(max(logs, key=abs))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--split", nargs="+", default=["search", "gate"], choices=["search", "gate", "final"])
    parser.add_argument("--option", action="append", default=[], help="name=value")
    parser.add_argument("--candidate", nargs="*", default=[], type=Path, help="further candidate files")
    parser.add_argument("--only", nargs="*", default=[], help="columns")
    parser.add_argument(
        "--ranks", type=int, default=12, help="schedules of each kernel for the model's ranking"
    )
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    options = parser.parse_args()
    task = Polyhedral(dict(word.split("=", 1) for word in options.option))
    measurer = Measurer(task.compiler)
    known = {**{n: b.path for n, b in task.baselines().items()}, **{p.stem: p for p in options.candidate}}
    known = {n: p for n, p in known.items() if n != "trivial" and (not options.only or n in options.only)}
    scorers = {name: column(name, path, task, measurer) for name, path in known.items()}
    table = Table(task, list(known))
    start = time.perf_counter()
    for split in options.split:
        table.rows[split] = {}
        for instance in task.instances(split):
            row = table.rows[split].setdefault(instance.id, {})
            for name, scorer in scorers.items():
                try:
                    row[name] = scorer(instance)
                except policies.Unable as error:
                    row[name] = 1.0
                    table.notes.append(f"{name} on {instance.id} counts as 1: {str(error)[:200]}")
            sys.stderr.write(f"{split} {instance.id} {time.perf_counter() - start:.0f} s\n")
    report(table, task, options.split, known)
    twice = spread(same_twice(task, [i for s in options.split for i in task.instances(s)]))
    print(
        f"\nA/A, 10 repetitions: {twice[0]:.4f}, standard deviation {twice[1]:.2%}, furthest {twice[2]:.3f}"
    )
    ranks: tuple[float, ...] = ()
    if "learned" in known and options.ranks:
        ranks = ranking(task, options.ranks)
        held = beam.model_of(task.settings.get("model", "")).ranking
        print(
            f"Spearman of the model: {ranks[0]:.2f} over {ranks[2]} schedules of the kernels of search, {ranks[1]:.2f} "
            f"within a kernel; {held[0]:.2f} and {held[1]:.2f} on random programs held out"
        )
    if options.out:
        data: dict[str, Any] = {"machine": task.compiler.version, "rows": table.rows, "notes": table.notes,
                                "same": twice, "ranks": ranks}  # fmt: skip
        options.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def report(table: Table, task: Polyhedral, chosen: Sequence[str], known: dict[str, Path | None]) -> None:
    """The table as Markdown."""
    print(f"{task.compiler.version}; gcc alone is 1\n")
    for split in chosen:
        print(f"| {split} | {' | '.join(table.columns)} |\n|{'---|' * (len(table.columns) + 1)}")
        for name, row in table.rows[split].items():
            print(f"| {name} | {' | '.join(f'{row[c]:.2f}' for c in table.columns)} |")
        means = table.means(split)
        print(f"| geometric mean | {' | '.join(f'{means[c]:.2f}' for c in table.columns)} |")
        if set(table.columns) & set(BEST_KNOWN):
            cells = [f"{table.over_known(split, c):.2f}" if known[c] else "" for c in table.columns]
            print(
                f"| over the better of {', '.join(c for c in table.columns if c in BEST_KNOWN)} | {' | '.join(cells)} |"
            )
        print()
    for note in table.notes:
        print(f"- {note}")


if __name__ == "__main__":
    main()
