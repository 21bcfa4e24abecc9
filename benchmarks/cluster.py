"""What a job costs on a Ray cluster, next to the local pool: a cluster of two nodes on this machine, two workers each.

Run: ``python benchmarks/cluster.py [jobs]``, or ``python benchmarks/cluster.py --leases [URL]`` for what leases cost
the driver and its ledger with up to 1,000 workers (which are not there: only their leases are). Ratios carry over to
other machines, the figures do not.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from db.ledger import Ledger
from db.records import RunRecord
from discovery.execution import ray as executors
from discovery.execution.base import Executor, StageJob
from discovery.execution.leases import Lease, LeaseBook, name_of
from discovery.execution.make import make_executor
from discovery.seeds import baseline_code
from evaluators.registry import load
from evaluators.task import InstanceSet

TASK = load("smtt")
CODE = baseline_code(TASK, "edd")
ROUNDS = 3


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes with one core each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        made.add_node(num_cpus=1)
        yield made.address
    finally:
        made.shutdown()


def rate(executor: Executor, instances: InstanceSet, jobs: int) -> float:
    """Jobs a second, many at once; the best of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for future in [executor.submit(StageJob(CODE, instances, {})) for _ in range(jobs)]:
            assert future.result().outcome == "scored"
        found.append(jobs / (time.perf_counter() - begun))
    return max(found)


def alone(executor: Executor, instances: InstanceSet, jobs: int) -> float:
    """Median seconds of a job, one at a time."""
    found = []
    for _ in range(jobs):
        begun = time.perf_counter()
        executor.submit(StageJob(CODE, instances, {})).result()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


def main(jobs: int) -> None:
    print(f"load before: {os.getloadavg()[0]:.1f}")
    sets = {
        "screen, 6 instances": TASK.instances("screen"),
        "search, 120 instances": TASK.instances("search"),
    }
    figures: dict[tuple[str, str], tuple[float, float]] = {}
    with closing(make_executor(TASK, "local", 2)) as executor:
        for name, instances in sets.items():
            figures["local", name] = rate(executor, instances, jobs), alone(executor, instances, jobs // 3)
    with cluster() as address:
        for seconds in (1e-9, executors.CHUNK_SECONDS):
            executors.CHUNK_SECONDS = seconds
            way = "ray, one job a message" if seconds < 1e-6 else f"ray, messages of {seconds * 1000:g} ms"
            with closing(make_executor(TASK, "ray", 2, address=address)) as executor:
                for name, instances in sets.items():
                    figures[way, name] = (
                        rate(executor, instances, jobs),
                        alone(executor, instances, jobs // 3),
                    )
    for (way, name), (many, one) in figures.items():
        base = figures["local", name]
        print(
            f"{name:>22}  {way:<26} {many:7.1f} jobs/s ({many / base[0]:.2f} of local)  "
            f"{one * 1000:6.1f} ms alone ({(one - base[1]) * 1000:+.1f} ms)"
        )


RUN = RunRecord(
    id="r-leases", task="smtt", options={}, settings={}, seed=1, evaluator_version="1", versions={}, templates={},
    isolated=True, layers={},
)  # fmt: skip
SECONDS = 10.0


def lease(number: int) -> Lease:
    job = StageJob(f"{CODE}\n# {number}", TASK.instances("search"), {})
    return Lease(job, name_of(job), 0)


def transactions(ledger: Ledger) -> None:
    """What so many leases in one transaction take: first new, then over."""
    for count in (1, 10, 100, 1000):
        held = [replace(lease(k), node="10.0.0.7").record("held") for k in range(count)]
        for what, rows, ended in (("taken", held, []), ("over", [], [one.job for one in held])):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(ROUNDS):
                ledger.write_leases(RUN.id, rows, ended)
            wall, cpu = (time.perf_counter() - wall) / ROUNDS, (time.process_time() - cpu) / ROUNDS
            print(
                f"{count:>5} {what:<6} {1000 * wall:7.2f} ms, {1000 * cpu:6.2f} ms of processor time, "
                f"{count / wall:8.0f} rows/s"
            )


def load(ledger: Ledger, workers: int, chunk: float, jobs: int) -> None:
    """So many workers, each with a chunk of ``jobs`` for ``chunk`` seconds, one after another."""
    written: list[tuple[int, float]] = []
    write = Ledger.write_leases

    def timed(self: Ledger, run: str, changed: list[object], ended: list[str], *more: object) -> None:
        begun = time.perf_counter()
        write(self, run, changed, ended, *more)  # type: ignore[arg-type]
        written.append((len(changed) + len(ended), time.perf_counter() - begun))

    chunks = [[lease(jobs * w + k) for k in range(jobs)] for w in range(workers)]
    with patch.object(Ledger, "write_leases", timed), LeaseBook(ledger).of(RUN.id) as book:
        wall, cpu, handed = time.perf_counter(), time.process_time(), 0
        while (now := time.perf_counter() - wall) < SECONDS:
            if handed > now * workers / chunk:
                time.sleep(0.001)
                continue
            now_at = chunks[handed % workers]
            if handed >= workers:
                book.done(now_at)
            book.taken(now_at, f"10.0.0.{handed % workers // 16}")
            handed += 1
        cpu = time.process_time() - cpu
    rows, longest = sum(n for n, _ in written), max(s for _, s in written)
    print(
        f"{workers:>5} workers, {jobs} jobs in {1000 * chunk:.0f} ms: {handed / SECONDS:7.0f} chunks/s handed out, "
        f"{rows / SECONDS:6.0f} rows/s in {len(written) / SECONDS:.1f} transactions/s (the longest "
        f"{1000 * longest:.0f} ms), {100 * cpu / SECONDS:.0f} % of a core"
    )


def leases(url: str) -> None:
    print(f"load before: {os.getloadavg()[0]:.1f}; {'PostgreSQL' if '://' in url else 'SQLite'}")
    begun = time.process_time()
    for number in range(1000):
        lease(number)
    print(f"a job's name: {time.process_time() - begun:.3f} ms of processor time")
    with Ledger.open(url) as ledger:
        ledger.create_run(RUN)
        transactions(ledger)
        for workers, chunk, jobs in (
            (10, 0.1, 1),
            (100, 0.1, 1),
            (1000, 0.1, 1),
            (100, 0.1, 10),
            (1000, 1.0, 1),
        ):
            load(ledger, workers, chunk, jobs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--leases"]:
        with tempfile.TemporaryDirectory() as folder:
            leases(sys.argv[2] if len(sys.argv) > 2 else str(Path(folder) / "ledger.sqlite"))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
