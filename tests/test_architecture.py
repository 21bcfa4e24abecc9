"""The rooms and their one-way arrows, read from the syntax trees: no module is imported for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("discovery", "evaluators", "searchspaces", "db")
LEVELS = (
    # What everything may use; it knows nothing of proposing, running or judging.
    ("candidate", "config", "draws", "errors", "escape", "progress", "syntax", "values", "wording"),
    # The rooms of the loop (every module of discovery that is named nowhere else here).
    (),
    # A whole run, and what is read from one.
    ("graph", "run", "scoring", "review", "people", "audit", "plugins", "explain", "pictures"),
    # What people touch in a browser, or an agent through its tools.
    ("web", "mcp_server"),
    ("cli",),
)
CHILD = {"discovery/sandbox/child.py"}
"""Where candidate code is executed: inside the sandbox, nowhere else."""
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
READS_OBJECTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "joblib", "copyreg"}
RUNS_FILES = {"runpy", "code", "codeop", "imp"}


def modules() -> list[Path]:
    return sorted(p.relative_to(ROOT) for name in PACKAGES for p in (ROOT / name).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all modules imported anywhere in it, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def level(module: str) -> int:
    """The level of ``discovery.<room>…``."""
    room = module.split(".")[1]
    return next((number for number, rooms in enumerate(LEVELS) if room in rooms), 1)


def forbidden(module: str, imported: str) -> bool:
    """Whether the arrow from one of our modules to another breaks the order of the rooms."""
    package, target = module.split(".")[0], imported.split(".")[0]
    if target not in PACKAGES:
        return False
    if package != "discovery":
        return target != package
    if target != "discovery" or "." not in imported:
        return False
    return level(imported) > level(module)


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize(
    "module, imported, expected",
    [
        ("discovery.cli.run", "discovery.run", False),
        ("discovery.run", "discovery.cli.run", True),
        ("discovery.cli.ui", "discovery.web.server", False),
        ("discovery.web.pages", "discovery.review", False),
        ("discovery.review.curve", "discovery.web.app", True),
        ("discovery.web.app", "discovery.cli.output", True),
        ("discovery.graph", "discovery.evaluation", False),
        ("discovery.evaluation", "discovery.graph", True),
        ("discovery.proposers.chat", "discovery.population.archive", False),
        ("discovery.config", "discovery.proposers.base", True),
        ("discovery.evaluation", "db.ledger", False),
        ("db.ledger", "discovery.draws", True),
        ("evaluators.smtt.task", "searchspaces.space", True),
        ("evaluators.smtt.task", "evaluators.task", False),
        ("searchspaces.tuner", "optuna", False),
    ],
)
def test_the_rule_itself(module: str, imported: str, expected: bool) -> None:
    assert forbidden(module, imported) is expected


def test_the_modules_are_found() -> None:
    found = {dotted(p) for p in modules()}
    assert {
        "discovery.cli.main",
        "discovery.sandbox.child",
        "evaluators.task",
        "searchspaces.space",
        "db",
    } <= found


def test_arrows_point_one_way() -> None:
    wrong = {f"{dotted(p)} → {i}" for p in modules() for i in imports(tree(p)) if forbidden(dotted(p), i)}
    assert not wrong


def test_nothing_but_the_child_runs_text_or_reads_objects() -> None:
    wrong = []
    for path in modules():
        if path.as_posix() in CHILD:
            continue
        found = tree(path)
        wrong += [f"{path}:{line} {what}" for line, what in dangerous(found)]
    assert not wrong


def dangerous(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines where text is run, objects are read or a name of the builtins is reached by a detour."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in RUNS_TEXT:
            yield node.lineno, node.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in ("builtins", "__builtins__"):
                yield node.lineno, f"builtins.{node.attr}"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                yield node.lineno, "allow_pickle"
    for name in imports(tree):
        if name.split(".")[0] in READS_OBJECTS | RUNS_FILES or name.removeprefix("builtins.") in RUNS_TEXT:
            yield 0, f"imports {name}"


@pytest.mark.parametrize(
    "text",
    ["eval('1')", "exec(x)", "f = compile", "__import__('x')", "import builtins; builtins.exec(x)", "import pickle",
     "from shelve import open", "numpy.load(f, allow_pickle=True)", "import runpy", "from builtins import exec as e"],
)  # fmt: skip
def test_what_is_dangerous_is_seen(text: str) -> None:
    assert list(dangerous(ast.parse(text)))


@pytest.mark.parametrize(
    "text", ["ast.literal_eval(x)", "re.compile(x)", "numpy.load(f, allow_pickle=False)"]
)
def test_what_is_not_dangerous_is_not(text: str) -> None:
    assert not list(dangerous(ast.parse(text)))


def test_the_sandbox_child_imports_no_more_of_us_than_the_sandbox() -> None:
    for name in ("child.py", "zygote.py", "frames.py", "kernel.py"):
        path = Path("discovery/sandbox") / name
        ours = {i for i in imports(tree(path)) if i.split(".")[0] in PACKAGES}
        assert all(i.startswith("discovery.sandbox") for i in ours), f"{path}: {ours}"


def test_baselines_are_candidates_and_import_nothing_of_ours() -> None:
    for path in modules():
        if "baselines" in path.parts and path.name != "__init__.py":
            assert not [i for i in imports(tree(path)) if i.split(".")[0] in PACKAGES], path


def test_the_top_of_the_command_line_is_light() -> None:
    """Modules of the command line import the standard library, typer and light modules of ours at their top."""
    light = (
        "typer",
        "discovery.cli",
        "discovery.config",
        "discovery.errors",
        "discovery.escape",
        "discovery.progress",
        "discovery.wording",
    )
    for path in modules():
        if path.parts[:2] != ("discovery", "cli"):
            continue
        for node in tree(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name in imports(node):
                    ours = name.split(".")[0] in (
                        *PACKAGES,
                        "rich",
                        "numpy",
                        "sqlalchemy",
                        "openai",
                        "optuna",
                    )
                    assert not ours or name.startswith(light), f"{path}: {name}"


AVERAGING = {
    "aggregate": 3,
    "in_classes": 3,
    "average": 2,
    "class_means": 3,
    "paired_test": 0,
    "paired_interval": 5,
}
AVERAGING |= {"EarlyStop": 3, "class_gains": 5, "Tuner": 0}
"""What averages or compares scores, and the number of its positional arguments when the mean is the last one."""


@pytest.mark.parametrize("module", [m for m in modules() if m.parts[0] == "discovery"], ids=dotted)
def test_no_score_is_averaged_without_the_tasks_mean(module: Path) -> None:
    """A mean that is left out would be the arithmetic one, whatever the task says."""
    for node in ast.walk(tree(module)):
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if isinstance(node, ast.Call) and name in AVERAGING:
            told = len(node.args) == AVERAGING[name] or any(k.arg == "mean" for k in node.keywords)
            assert told, f"line {node.lineno}: {name} without the mean of the task"
