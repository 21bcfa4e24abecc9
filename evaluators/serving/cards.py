"""The accelerators of the serving tasks: plain figures of their data sheets, in SI units.

``flops`` is the dense bf16 tensor peak; links are one way. Watts and prices feed the energy and cost figures only:
``watts_idle`` and ``price`` are assumptions (a typical idle reading, a typical price to rent for an hour in 2025): no
data sheet states them.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.task import TaskError

GIB = 2**30


@dataclass(frozen=True)
class Card:
    """One accelerator and its links."""

    name: str
    title: str
    flops: float
    """Peak, floating-point operations a second."""
    bandwidth: float
    """Of its memory, bytes a second."""
    memory: int
    """Bytes."""
    pcie: float
    """To the host, bytes a second."""
    nvlink: float
    """To its peers in the machine, bytes a second; 0 where peers talk over PCIe."""
    network: float
    """To another machine, bytes a second."""
    watts_idle: float
    watts_peak: float
    price: float
    """US dollars an hour."""

    @property
    def peer(self) -> float:
        """Bytes a second to a card of the same machine."""
        return self.nvlink or self.pcie


CARDS: dict[str, Card] = {
    card.name: card
    for card in (
        Card("a100", "A100 SXM 80 GB", 312e12, 2039e9, 80 * GIB, 32e9, 300e9, 25e9, 60, 400, 1.8),
        Card("h100", "H100 SXM 80 GB", 989e12, 3352e9, 80 * GIB, 64e9, 450e9, 50e9, 70, 700, 3.0),
        Card("h200", "H200 SXM 141 GB", 989e12, 4800e9, 131 * GIB, 64e9, 450e9, 50e9, 75, 700, 3.8),
        Card("l40s", "L40S 48 GB", 362e12, 864e9, 45 * GIB, 32e9, 0, 25e9, 35, 350, 1.0),
        Card(
            "rtx-pro-6000",
            "RTX PRO 6000 Blackwell 96 GB",
            504e12,
            1792e9,
            95 * GIB,
            64e9,
            0,
            25e9,
            35,
            600,
            1.7,
        ),
    )
}


def card(name: str) -> Card:
    """The card of this name. Raises TaskError that lists the names."""
    if name not in CARDS:
        raise TaskError(f"there is no card {name!r}; choose one of {', '.join(CARDS)}")
    return CARDS[name]
