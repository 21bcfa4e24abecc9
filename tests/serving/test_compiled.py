"""What `make fast` makes of the core does what the sources do, and is used only as long as it is made of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from compiled_runs import happened

import evaluators
from evaluators.serving.compile import CannotCompile, build

SEEDS = 300
HERE = Path(__file__).parent
ASK = "from evaluators.serving.core import simulation; print(simulation.__file__)"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the core compiled in it."""
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("needs a C compiler")
    root = tmp_path_factory.mktemp("fast")
    source = Path(evaluators.__file__).parent
    shutil.copytree(source, root / "evaluators", ignore=shutil.ignore_patterns("__pycache__", "compiled"))
    assert len(build(root / "evaluators/serving/core/compiled")) == 11
    return root


def run(root: Path, *words: str, core: str = "") -> list[str]:
    variables = {**os.environ, "PYTHONPATH": str(root), "SERVING_CORE": core}
    ended = subprocess.run(
        [sys.executable, *words], cwd=root, env=variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_the_compiled_core_does_what_the_sources_do(tree: Path) -> None:
    """Clusters by chance, with prefixes, swaps, hand-overs, migrations, changes of role and answers that are refused:
    every event, figure and view."""
    used, *told = run(tree, str(HERE / "compiled_runs.py"), "0", str(SEEDS))
    assert used.endswith(".so")
    refused = ended = turned = 0
    for seed, line in enumerate(told):
        expected = json.loads(json.dumps(happened(seed)))
        assert json.loads(line) == expected, seed
        refused += len(expected[3])
        ended += sum(call[5] >= 0 for call in expected[0])
        turned += expected[2][2]
    assert len(told) == SEEDS and refused > 100 and ended > 1000 and turned > 20


def test_it_is_used_until_a_source_changes(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    assert run(copy, "-c", ASK)[0].endswith(".so")
    assert run(copy, "-c", ASK, core="sources")[0].endswith("simulation.py")
    with (copy / "evaluators/serving/core/link.py").open("a") as file:
        file.write("# changed\n")
    assert run(copy, "-c", ASK)[0].endswith("simulation.py")


def test_a_machine_that_cannot_compile_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mypyc.build", None)
    with pytest.raises(CannotCompile, match=r"mypyc\.build is not installed; install the extra `dev`"):
        build(tmp_path / "none")
    monkeypatch.undo()
    monkeypatch.setenv("CC", "/bin/false")
    with pytest.raises(CannotCompile, match=r"could not be compiled .*; is there a C compiler"):
        build(tmp_path / "none")
    assert not (tmp_path / "none").exists()
