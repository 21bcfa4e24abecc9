"""A real Ray cluster of two nodes on this machine, in processes of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from toy.loop import TESTS

STORE = 80 * 2**20
"""Bytes of a node's object store, about the least that Ray takes."""


class Nodes:
    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.address: str = cluster.address
        self.second: Any = None

    def add(self) -> None:
        """A second node with one core."""
        self.second = self._cluster.add_node(num_cpus=1, object_store_memory=STORE)

    def remove(self) -> None:
        """The second node dies, with all its processes."""
        self._cluster.remove_node(self.second, allow_graceful=False)
        self.second = None

    def behead(self) -> None:
        """The head's own service dies; its node and the others are still there."""
        os.kill(self._cluster.head_node.all_processes["gcs_server"][0].process.pid, signal.SIGKILL)

    def actors(self) -> list[Process]:
        """Our actors on both nodes."""
        raylets = {
            p.process.pid for n in self._cluster.list_all_nodes() for p in n.all_processes.get("raylet", ())
        }
        return [
            one for one, parent, words in processes() if parent in raylets and words.startswith("ray::Worker")
        ]

    def freeze(self, count: int) -> list[Process]:
        """Stop ``count`` actors, so that whoever waits for them waits until they are killed."""
        end = time.monotonic() + 120
        while len(found := self.actors()) < count:
            assert time.monotonic() < end, "no actor is there"
            time.sleep(0.01)
        for actor in found:
            os.kill(actor.pid, signal.SIGSTOP)
        return found

    def thaw(self, frozen: Collection[Process]) -> None:
        """Let them go on, also one whose node is gone: only then it sees that."""
        for one, _, _ in processes():
            if one in frozen:
                os.kill(one.pid, signal.SIGCONT)


class Process(NamedTuple):
    """A process. The number alone names another one after 32,768 forks, which the suite does in half a minute."""

    pid: int
    started: int
    """Ticks of the clock since the machine's start."""


def processes() -> Iterator[tuple[Process, int, str]]:
    """All processes with the number of their parent and their command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_text().replace("\0", " ")
            yield Process(int(folder.name), int(stat[19])), int(stat[1]), words
        except (OSError, ValueError):
            continue


@contextmanager
def running(site: Path) -> Iterator[Nodes]:
    """The cluster, whose nodes know the packages announced in ``site``. Skips, or fails in CI, without Ray."""
    if find_spec("ray") is None:
        (pytest.fail if os.environ.get("REQUIRE_RAY") else pytest.skip)("the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(TESTS)]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            nodes = Nodes(cluster)
            nodes.add()
            yield nodes
        finally:
            cluster.shutdown()
            for number, handler in handlers.items():
                signal.signal(number, handler)
