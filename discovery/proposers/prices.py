"""What replies cost, by the user's own price table (``[prices."model"]`` of the settings). A model without a price has
an unknown cost, never 0."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from discovery.config import Price

REPLIES_PER_SAMPLE = 1.2
"""Requests of an average sample: one slot in five needs its immediate repair."""


FREE = Price(0.0, 0.0)


def price_of(model: str, base_url: str, prices: Mapping[str, Price]) -> Price | None:
    """The table's price; else free for a model on this machine or network; else None, unknown."""
    return prices.get(model) or (FREE if is_local(base_url) else None)


def cost_of(price: Price, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
    """US dollars of one reply. Cached tokens are part of the prompt tokens; without a price of their own they cost
    as much as others."""
    cached = min(cached_tokens, prompt_tokens)
    cached_price = price.input if price.cached is None else price.cached
    fresh = (prompt_tokens - cached) * price.input
    return (fresh + cached * cached_price + completion_tokens * price.output) / 1e6


def is_local(base_url: str) -> bool:
    """Whether the host of ``base_url`` is this machine or an address of a private network. Names are not resolved."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    if host in ("localhost", "host.docker.internal") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_link_local


@dataclass(frozen=True)
class Estimate:
    """What a run will use at most and probably. ``cost`` figures are US dollars, None when the price is unknown."""

    samples: int
    tokens: int
    most_tokens: int
    cost: float | None
    most_cost: float | None

    def __str__(self) -> str:
        used = f"{self.samples} samples use about {self.tokens:,} tokens (at most {self.most_tokens:,})"
        if self.cost is None or self.most_cost is None:
            return f"{used}; cost unknown (the settings hold no price for this model)"
        if self.most_cost == 0:
            return f"{used}; no cost (local server)"
        return f"{used}; about ${_dollars(self.cost)} (at most ${_dollars(self.most_cost)})"


def _dollars(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def price_estimate(
    samples: int,
    *,
    model: str,
    base_url: str,
    prices: Mapping[str, Price],
    budget_tokens: int,
    max_tokens: int,
) -> Estimate:
    """The estimate printed before a run. Probably: 1.2 requests a sample, prompts at three quarters of their budget,
    replies at half of their limit. At most: both requests of every sample at both limits."""
    prompt = round(REPLIES_PER_SAMPLE * samples * budget_tokens * 0.75)
    reply = round(REPLIES_PER_SAMPLE * samples * max_tokens * 0.5)
    most_prompt, most_reply = 2 * samples * budget_tokens, 2 * samples * max_tokens
    price = price_of(model, base_url, prices)
    return Estimate(
        samples,
        prompt + reply,
        most_prompt + most_reply,
        cost_of(price, prompt, reply) if price else None,
        cost_of(price, most_prompt, most_reply) if price else None,
    )
