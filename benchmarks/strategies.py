"""Compares search strategies and proposers: equal samples, equal model, several seeds, held-out instances.

    python benchmarks/strategies.py --proposer genetic --samples 120                       all tasks, all strategies
    python benchmarks/strategies.py --proposer mock --tasks smtt-index --seeds 0-4           the scripted server
    python benchmarks/strategies.py --model NAME --base-url http://127.0.0.1:8085/v1 --samples 50 --seeds 0-2
    python benchmarks/strategies.py --table                                                  what is there so far

Each cell (task, proposer, model, strategy, seed, samples, batch) is one run, started as `discover run` starts it, in a
ledger of its own in ``--folder``, so that no cell profits from another's evaluations. A cell that is done is not run
again and an interrupted one is resumed, so the matrix can be run in parts, in any order and side by side. With
``--results FILE`` the figures of a finished cell are also kept in that file (JSON), which is enough for the table and
for not running the cell again: a slow matrix can grow over many sittings and machines. A row of the table is all seeds
of a cell:

- gate: the champion's score on the report blocks, which no step of a run ever sees, and its gain over the best seed
  there, relative: mean (least … most) over the seeds. A run without a promotion has the gain 0;
- valid: share of the samples that ran (scored or stopped early); new: share with scores that neither a seed nor an
  earlier candidate of the run has;
- evaluations: candidates that were run; time: processor time of everything (loop, sandbox, candidates, without the
  model), as a ratio to the row of this task that took least.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from db.ledger import Ledger
from db.records import EntryRecord, RunRecord
from discovery import run as engine
from discovery.config import RunSettings, Where, load
from discovery.errors import EnvironmentProblem, UsageError
from discovery.mock_llm import MockServer
from discovery.report import run_report
from evaluators import registry
from evaluators.task import Task, TaskError

TASKS = ("smtt", "smtt-index", "online-bin-packing", "tsp-construct")
STRATEGIES = ("islands", "best-of-n", "reflective")
TIME = "benchmark time"
"""The event that keeps the processor seconds of one sitting at a run."""
RAN = ("scored", "stopped")


@dataclass(frozen=True)
class Cell:
    """One run of the matrix. ``model`` is None for the genetic proposer."""

    task: str
    proposer: str
    model: str | None
    strategy: str
    seed: int
    samples: int
    batch: int


@dataclass(frozen=True)
class Measured:
    """What one finished cell showed."""

    gate: float
    gain: float
    valid: float
    new: float
    evaluations: int
    seconds: float


def ledger_of(cell: Cell, folder: Path) -> Path:
    """The cell's ledger."""
    words = (cell.task, cell.model or cell.proposer, cell.strategy, cell.samples, cell.batch, cell.seed)
    return folder / (re.sub(r"[^\w.-]+", "_", "--".join(map(str, words))) + ".sqlite")


def cell_of(record: RunRecord) -> Cell:
    """The cell that a run belongs to."""
    frozen = dict(record.settings["settings"])
    return Cell(
        record.task, frozen["proposer"], frozen["model"], frozen["strategy"], record.seed, frozen["samples"],
        frozen["batch"],
    )  # fmt: skip


class Results:
    """The figures of finished cells in one JSON file: a list of objects with "cell" and "measured", sorted."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        found = json.loads(path.read_text()) if path is not None and path.exists() else []
        self.cells = {Cell(**row["cell"]): Measured(**row["measured"]) for row in found}

    def keep(self, cell: Cell, measured: Measured) -> None:
        """Add a cell and write the file."""
        self.cells[cell] = measured
        if self._path is not None:
            rows = sorted(self.cells.items(), key=lambda row: repr(row[0]))
            lines = (json.dumps({"cell": asdict(c), "measured": asdict(m)}) for c, m in rows)
            self._path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(path)
    try:
        yield ledger
    finally:
        ledger.close()


def spent() -> float:
    """Processor seconds of this process and of all children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def fill(cell: Cell, folder: Path, base_url: str | None, workers: int | None) -> None:
    """Run the cell, or go on with it, unless it is done."""
    path = ledger_of(cell, folder)
    runs: tuple[RunRecord, ...] = ()
    if path.exists():
        with opened(path) as ledger:
            runs = tuple(ledger.runs())
    if any(r.status == "done" for r in runs):
        print(f"there: {cell}", flush=True)
        return
    start = spent()
    if runs:
        report = engine.resume(str(path), runs[-1].id, where=Where(workers))
    else:
        flags = {
            "proposer": cell.proposer, "model": cell.model, "base_url": base_url, "strategy": cell.strategy,
            "seed": cell.seed, "samples": cell.samples, "batch": cell.batch, "db": str(path), "workers": workers,
        }  # fmt: skip
        settings = load(flags, folder=folder, environment={}).settings
        report = engine.start(RunSettings(cell.task, settings))
    with opened(path) as ledger:
        ledger.add_event(report.run, TIME, {"seconds": spent() - start})
    print(f"done: {cell}: gate {report.best.gate}, {report.valid} valid", flush=True)


def measure(ledger: Ledger, task: Task, record: RunRecord) -> Measured:
    """What a finished run showed."""
    report = run_report(ledger, task, record.id, seconds=0.0)
    champion, seed = report.best.gate, report.seed[2]
    if champion is None or seed is None:
        raise SystemExit(f"run {record.id} has no score on the report blocks")
    sign = 1 if task.direction == "minimize" else -1
    own = [e for e in ledger.entries(record.id) if e.kind == "own"]
    seeds = [e for e in ledger.entries(record.id) if e.kind == "seed"]
    seconds = sum(float(e.data["seconds"]) for e in ledger.events(record.id, TIME))
    return Measured(
        gate=champion,
        gain=100 * sign * (seed - champion) / abs(seed),
        valid=100 * sum(e.outcome in RAN for e in own) / len(own),
        new=100 * new_behaviours(ledger, task, seeds, own) / len(own),
        evaluations=report.evaluated,
        seconds=seconds,
    )


def new_behaviours(
    ledger: Ledger, task: Task, seeds: Sequence[EntryRecord], own: Sequence[EntryRecord]
) -> int:
    """How many candidates have scores on search, as far as they were looked at, that none before them has."""
    digest = task.instances("search").digest
    known: list[tuple[float, ...]] = []
    new = 0
    for entry in (*seeds, *sorted(own, key=lambda e: e.k)):
        if entry.outcome not in RAN or entry.candidate is None or entry.duplicate_of is not None:
            continue
        found = ledger.evaluation(entry.candidate, digest, task.version, True)
        if found is None:
            continue
        scores = found.scores[: entry.m]
        fresh = not any(scores == other[: len(scores)] for other in known)
        new += fresh and entry.kind == "own"
        known.append(scores)
    return new


def finished(folder: Path, known: Container[Cell]) -> Iterator[tuple[Cell, Measured]]:
    """The finished cells whose ledgers are in the folder, without the ``known`` ones."""
    for path in sorted(folder.glob("*.sqlite")):
        with opened(path) as ledger:
            done = next((r for r in ledger.runs() if r.status == "done"), None)
            if done is not None and cell_of(done) not in known:
                task = registry.load(done.task, {k: str(v) for k, v in done.options.items()})
                yield cell_of(done), measure(ledger, task, done)


def table(cells: Mapping[Cell, Measured]) -> str:
    """The cells as a Markdown table, a row for all seeds of one."""
    rows: dict[tuple[Any, ...], list[Measured]] = defaultdict(list)
    for cell, measured in cells.items():
        name = (cell.task, f"{cell.samples} / {cell.batch}", cell.model or cell.proposer, cell.strategy)
        rows[name].append(measured)
    least: dict[tuple[Any, ...], float] = {}
    for name, found in rows.items():
        seconds = mean(m.seconds for m in found)
        if seconds:  # a ledger from elsewhere does not say
            least[name[:2]] = min(least.get(name[:2], seconds), seconds)
    heads = (
        "task", "samples / batch", "proposer", "strategy", "seeds", "gate", "gain over the best seed %", "valid %",
        "new %", "evaluations", "time",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, found in sorted(rows.items()):
        gains = [m.gain for m in found]
        ratio = mean(m.seconds for m in found) / least[name[:2]] if name[:2] in least else 0.0
        figures = (
            len(found), f"{mean(m.gate for m in found):.3f}",
            f"{mean(gains):.1f} ({min(gains):.1f} … {max(gains):.1f})", f"{mean(m.valid for m in found):.0f}",
            f"{mean(m.new for m in found):.0f}", f"{mean(m.evaluations for m in found):.0f}",
            f"{ratio:.1f} ×" if ratio else "",
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, (*name, *figures))) + " |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--seeds", default="0-4", help="one seed or a range such as 0-4")
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--proposer", choices=("genetic", "mock", "chat"), help="default: chat with --model")
    parser.add_argument("--model")
    parser.add_argument("--base-url")
    parser.add_argument(
        "--workers", type=int, help="candidates run at once; no figure but the time depends on it"
    )
    parser.add_argument("--folder", type=Path, default=Path("strategies"), help="the cells' ledgers")
    parser.add_argument("--results", type=Path, help="a file that keeps the figures of finished cells")
    parser.add_argument("--table", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    chosen.proposer = chosen.proposer or ("chat" if chosen.model else "genetic")
    if (chosen.proposer == "chat") != (chosen.model is not None):
        parser.error("--model NAME goes with --proposer chat, and chat needs it")
    return chosen


def main() -> None:
    chosen = arguments()
    chosen.folder.mkdir(exist_ok=True)
    low, _, high = chosen.seeds.partition("-")
    cells = [
        Cell(
            task, "genetic" if chosen.proposer == "genetic" else "chat",
            "mock" if chosen.proposer == "mock" else chosen.model, strategy, seed, chosen.samples,
            chosen.batch,
        )
        for seed in range(int(low), int(high or low) + 1)
        for task in chosen.tasks
        for strategy in chosen.strategies
    ]  # fmt: skip
    results = Results(chosen.results)
    server = MockServer() if chosen.proposer == "mock" and not chosen.table else None
    with server or nullcontext():
        for cell in [] if chosen.table else cells:
            if cell in results.cells:
                continue
            try:
                fill(cell, chosen.folder, server.base_url if server else chosen.base_url, chosen.workers)
            except (UsageError, TaskError) as error:
                print(f"left out: {cell}: {error}", flush=True)
            except EnvironmentProblem as error:
                sys.exit(f"{error}\nThe cells so far are kept; start again to go on.")
            for done, measured in list(finished(chosen.folder, results.cells)):
                results.keep(done, measured)
    print(table(results.cells | dict(finished(chosen.folder, results.cells))))


if __name__ == "__main__":
    main()
