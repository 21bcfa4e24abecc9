"""What a job costs on a Ray cluster, next to the local pool: a cluster of two nodes on this machine, two workers each.

Run: ``python benchmarks/cluster.py [jobs]``. Ratios carry over to other machines, the figures do not.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from discovery.execution import ray as executors
from discovery.execution.base import Executor, StageJob
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


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
