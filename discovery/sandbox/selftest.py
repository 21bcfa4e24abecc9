"""Does each layer hold on this machine? Found out by trying what it must refuse, with that layer alone."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

from discovery.sandbox.base import Layers, SandboxUnavailable
from discovery.sandbox.process import REQUIRED, Zygote, ZygoteDied
from evaluators.task import Tier

LAYERS = {
    "rlimits": ("memory, files and processes are bounded", "allow setrlimit for this user"),
    "no_new_privs": (
        "no program gives rights back; the kernel wants it for the next two",
        "it needs prctl, which this container or kernel refuses: choose a container profile that permits it",
    ),
    "landlock": (
        "no file of yours can be read or written",
        "it needs Linux 5.13 or newer with 'landlock' among the LSMs, and a container that lets it through",
    ),
    "seccomp": (
        "no network, no other process, no native code, a short list of system calls",
        "it needs a kernel with seccomp filters, and a container that lets them through",
    ),
}
"""What each required layer keeps up, and what to do where it is missing."""


@dataclass(frozen=True)
class LayerReport:
    """``held`` says for each layer tried whether it refused everything; ``breaches`` names what was allowed."""

    held: Mapping[str, bool]
    breaches: tuple[str, ...]
    honest: bool
    tried: tuple[str, ...]
    landlock_abi: int
    namespaces: tuple[str, ...]
    refused: str
    """Why namespaces were not entered; empty where they were or were not asked for."""
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
            told = [b for b in self.breaches if b.partition(":")[0] in missing]
            found = f" ({'; '.join(told[:3])})" if told else ""
            causes = (
                ["no_new_privs"] if "no_new_privs" in missing and "no_new_privs" in self.held else missing
            )
            advice = "; ".join(f"{name}: {LAYERS[name][1]}" for name in causes)
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
    breaches = {str(name): list(map(str, found)) for name, found in result["breaches"].items()}
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
        zygote.refused,
        platform.release(),
        platform.machine(),
        zygote.tier,
    )
