"""A link that carries caches: to the host's memory, or to another instance. One transfer after another."""

from __future__ import annotations

from evaluators.serving.core.costs import SECOND


class Link:
    """``bandwidth`` in bytes a second, ``latency`` in ps for each transfer."""

    __slots__ = ("bandwidth", "bytes", "latency", "until")

    def __init__(self, bandwidth: int, latency: int) -> None:
        self.bandwidth, self.latency = bandwidth, latency
        self.until = self.bytes = 0

    def send(self, now: int, size: int) -> int:
        """Queue a transfer of ``size`` bytes. Returns when it ends."""
        self.until = max(now, self.until) + self.latency + size * SECOND // self.bandwidth
        self.bytes += size
        return self.until
