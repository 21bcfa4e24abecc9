"""What a package is made of, as CycloneDX JSON: without a time, and with a serial number made from the candidate, so
that the same package has the same one."""

from __future__ import annotations

import uuid
from typing import Any

SPEC = "1.6"


def sbom(provenance: dict[str, Any], code_sha256: str) -> dict[str, Any]:
    """The bill of materials: the package, the heuristic's text in it, and numpy where it is needed."""
    package = provenance["package"]
    reference = f"pkg:pypi/{package['name']}@{package['version']}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": reference,
        "name": package["name"],
        "version": package["version"],
        "purl": reference,
    }
    if package["licence"]:
        component["licenses"] = [{"expression": package["licence"]}]
    needed = [_library(requirement) for requirement in package["requires"]]
    heuristic = {
        "type": "file",
        "bom-ref": "heuristic",
        "name": f"{package['module']}/heuristic.py",
        "hashes": [{"alg": "SHA-256", "content": code_sha256}],
        "properties": [{"name": "discover:candidate", "value": provenance["candidate"]}],
    }
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, provenance['candidate'] + code_sha256)}",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [{"type": "application", "name": "discover", "version": provenance["discover"]}]
            },
            "component": component,
        },
        "components": [heuristic, *needed],
        "dependencies": [
            {"ref": reference, "dependsOn": ["heuristic", *(c["bom-ref"] for c in needed)]},
            {"ref": "heuristic", "dependsOn": [c["bom-ref"] for c in needed]},
        ],
    }


def _library(requirement: str) -> dict[str, Any]:
    name, _, least = requirement.partition(">=")
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}",
        "name": name,
        "purl": f"pkg:pypi/{name}",
        "scope": "required",
        "properties": [{"name": "discover:at-least", "value": least}],
    }
