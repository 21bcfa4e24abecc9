"""What replies cost, by the user's own price table (``[prices."model"]`` of the settings). A model without a price has
an unknown cost, never 0."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from discovery.values import Price

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
