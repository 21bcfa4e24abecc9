"""The files of a package, as a pure function of its provenance, the candidate's text, some recorded calls and the
text of its licence. Exporting writes them; verifying makes them again and compares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from discovery import syntax
from discovery.installed import HEURISTIC, PROVENANCE
from discovery.plugins import wheel
from discovery.plugins.naming import VERSION, Naming, default_name, description, module_of
from discovery.plugins.picture import picture
from discovery.plugins.readme import readme
from discovery.plugins.rendering import render, render_text
from discovery.plugins.sbom import sbom
from discovery.plugins.signature import has_objects, signature
from evaluators.task import HostAdapter, Hosted, Task

NUMPY = "numpy>=1.26"
LEAST_PYTHON = (3, 11)
GOLDEN = "golden.json"
"""The recorded calls, in the folder of the package."""
Json = dict[str, Any]
Files = dict[str, bytes]
"""Bytes by path within the source tree, with forward slashes."""


def named(provenance: Json, choices: Naming, task: Task, code: str) -> Json:
    """The provenance with the package's own names in front, as it is when it has been through JSON."""
    name = choices.name or default_name(task.name, provenance["candidate"])
    package = {
        "name": name,
        "module": module_of(name),
        "version": VERSION,
        "licence": choices.licence,
        "author": choices.author,
        "requires": [NUMPY] if provenance["arguments"]["arrays"] else [],
        "requires_python": requires_python(code, provenance["run"]["versions"]),
        "extras": {h.host: list(h.requires) for h in hosts(task) if h.requires},
    }
    head = {key: provenance[key] for key in ("format", "discover")}
    told = {**head, "package": package, **{k: v for k, v in provenance.items() if k not in head}}
    plain: Json = json.loads(json.dumps(told, allow_nan=False))
    return plain


def hosts(task: Task) -> tuple[HostAdapter, ...]:
    """The host adapters that the task's family brings."""
    return task.hosts if isinstance(task, Hosted) else ()


def requires_python(code: str, versions: Mapping[str, Any]) -> str:
    """From which Python on the package installs: the least one whose grammar the code needs, as far as the parser
    tells, else the one of the run."""
    try:
        syntax.module(code, LEAST_PYTHON)
    except SyntaxError:
        return f">={versions.get('python', '3.11')}"
    return ">=" + ".".join(map(str, LEAST_PYTHON))


def licence_text(choices: Naming, created: str, name: str) -> str | None:
    """The licence's text with its year and holder filled in."""
    if choices.text is None:
        return None
    holder = choices.author or f"the authors of {name}"
    return choices.text.replace("{{ year }}", created[:4]).replace("{{ holder }}", holder)


def files(told: Json, task: Task, code: str, calls: Sequence[Json], licence: str | None) -> Files:
    """Every file of the source tree by path. ``told`` is a provenance by :func:`named`; what it has of hashes is made
    anew."""
    told = {k: v for k, v in told.items() if k not in ("files", "wheel")}
    module = told["package"]["module"]
    source = code.encode("utf-8")
    inside = _modules(told, task)
    inside[HEURISTIC] = source
    inside[GOLDEN] = _lines(calls)
    inside["sbom.cdx.json"] = dump(sbom(told, hashlib.sha256(source).hexdigest()))
    inside["py.typed"] = b""
    found = {f"src/{module}/{name}": data for name, data in inside.items()}
    drawn = picture(told)
    if drawn is not None:
        found["picture.svg"] = drawn.encode("utf-8")
    if licence is not None:
        found["LICENSE"] = licence.encode("utf-8")
    found["README.md"] = readme(told, hosts(task), len(calls), drawn is not None).encode("utf-8")
    found["pyproject.toml"] = _pyproject(told).encode("utf-8")
    found["CITATION.cff"] = _citation(told).encode("utf-8")
    told["files"] = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(found.items())}
    told["wheel"] = {
        path: hashlib.sha256(data).hexdigest()
        for path, data in sorted(wheel.information(told, found).items())
    }
    found[f"src/{module}/{PROVENANCE}"] = dump(told)
    return dict(sorted(found.items()))


def dump(value: object) -> bytes:
    """JSON as it stands in a package: ASCII, so that nothing in it acts on a terminal."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def _lines(calls: Sequence[Json]) -> bytes:
    """A JSON list with one call a line."""
    texts = [json.dumps(call, allow_nan=False) for call in calls]
    return ("[\n" + ",\n".join(texts) + "\n]\n").encode() if texts else b"[]\n"


def _modules(told: Json, task: Task) -> Files:
    """The package's own modules."""
    package, interface = told["package"], told["task"]["interface"]
    objects = has_objects(interface)
    names = {"package": package["module"], "function": interface["function"]}
    texts = {
        "__init__.py": render(
            "init.py.j2",
            **names,
            summary=interface["summary"],
            verdict=told["verdict"],
            version=package["version"],
        ),
        "_call.py": render("call.py.j2", **names, **signature(told), objects=objects),
        "_values.py": render("values.py.j2"),
        "test_golden.py": render("test_golden.py.j2", **names, objects=objects),
    }
    arguments = [a["name"] for a in interface["arguments"]]
    for host in hosts(task):
        template = host.template.read_text(encoding="utf-8")
        texts[host.file] = render_text(template, **names, arguments=arguments)
    return {name: text.encode("utf-8") for name, text in texts.items()}


def _pyproject(told: Json) -> str:
    package = told["package"]
    return render(
        "pyproject.toml.j2",
        name=package["name"],
        package=package["module"],
        function=told["task"]["interface"]["function"],
        version=package["version"],
        description=description(told),
        requires_python=package["requires_python"],
        licence=package["licence"],
        author=package["author"],
        requires=package["requires"],
        extras=list(package["extras"].items()),
    )


def _citation(told: Json) -> str:
    package = told["package"]
    return render(
        "citation.cff.j2",
        name=package["name"],
        description=description(told),
        version=package["version"],
        created=told["run"]["created"][:10],
        author=package["author"],
        licence=package["licence"],
    )
