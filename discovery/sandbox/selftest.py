"""Does each layer hold on this machine? Found out by trying what it must refuse, with that layer alone."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

from discovery.sandbox.base import Layers, SandboxUnavailable
from discovery.sandbox.process import REQUIRED, Zygote, ZygoteDied
from evaluators.task import Tier

_ADVICE = {
    "rlimits": "allow setrlimit for this user",
    "no_new_privs": "it needs prctl, which this container or kernel refuses",
    "landlock": "it needs Linux 5.13 or newer with 'landlock' among the LSMs, and a container that lets it through",
    "seccomp": "it needs a kernel with seccomp filters, and a container that lets them through",
}


@dataclass(frozen=True)
class LayerReport:
    """``held`` says for each layer tried whether it refused everything; ``breaches`` names what was allowed."""

    held: Mapping[str, bool]
    breaches: tuple[str, ...]
    honest: bool
    tried: tuple[str, ...]
    landlock_abi: int
    namespaces: tuple[str, ...]
    kernel: str
    machine: str
    tier: Tier

    def missing(self) -> list[str]:
        """The required layers that are off or do not hold."""
        return [name for name in REQUIRED if not self.held.get(name, False)]

    def complaint(self) -> str:
        """One sentence on what is missing and what to do; empty when nothing is."""
        missing = self.missing()
        if missing:
            found = f" ({'; '.join(self.breaches[:3])})" if self.breaches else ""
            advice = "; ".join(f"{name}: {_ADVICE[name]}" for name in missing)
            return f"the sandbox lacks {', '.join(missing)}{found}. {advice}"
        return "" if self.honest else "the sandbox refuses even honest code on this machine"

    def to_json(self) -> dict[str, object]:
        """As it is stored with a run."""
        return {
            **self.held,
            "breaches": list(self.breaches),
            "landlock_abi": self.landlock_abi,
            "namespaces": list(self.namespaces),
            "kernel": self.kernel,
            "machine": self.machine,
            "tier": self.tier,
        }


def probe(
    layers: Layers = Layers(),  # noqa: B008 - frozen
    memory: int = 256 << 20,
    tier: Tier = "strict",
) -> LayerReport:
    """The full self-test in a zygote of its own. Raises SandboxUnavailable when not even a zygote starts."""
    zygote = Zygote(None, memory, layers, tier)
    try:
        return examine(zygote, layers, full=True)
    finally:
        zygote.close()


def examine(zygote: Zygote, layers: Layers, *, full: bool) -> LayerReport:
    """The self-test in ``zygote``. Raises SandboxUnavailable when it dies of it."""
    asked = [name for name in REQUIRED if getattr(layers, name)]
    try:
        result = zygote.probe(asked, full)
    except ZygoteDied as error:
        raise SandboxUnavailable(f"the sandbox's self-test failed: {error}") from None
    breaches = {name: list(map(str, found)) for name, found in result["breaches"].items()}
    held = {name: not breaches[name] for name in asked}
    if zygote.landlock_abi == 0 and "landlock" in held:
        held["landlock"] = False
    return LayerReport(
        held,
        tuple(f"{layer}: {what}" for layer, found in breaches.items() for what in found),
        bool(result["honest"]),
        tuple(result["tried"]),
        zygote.landlock_abi,
        zygote.namespaces,
        platform.release(),
        platform.machine(),
        zygote.tier,
    )
