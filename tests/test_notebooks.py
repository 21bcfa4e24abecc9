"""The notebooks run from top to bottom, and what is committed of them is small, thin and of no machine."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = (
    "diffusion",
    "from_idea_to_plugin",
    "lr_schedule",
    "memory",
    "polyhedral",
    "review",
    "serving",
    "smtt",
)
PICTURES = {
    "diffusion": 5,
    "from_idea_to_plugin": 0,
    "lr_schedule": 4,
    "memory": 4,
    "polyhedral": 6,
    "review": 6,
    "serving": 5,
    "smtt": 3,
}
LARGEST = 300_000
LINES = 25
"""Of code in a cell: what is longer belongs into a function of ours."""


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_make", FOLDER / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MAKE = loaded()


def test_these_are_all() -> None:
    assert tuple(p.stem for p in sorted(FOLDER.glob("*.ipynb"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_from_top_to_bottom(name: str) -> None:
    if name == "polyhedral":
        pytest.importorskip("islpy")
        if shutil.which("gcc") is None:
            pytest.skip("gcc is not installed")
    done = MAKE.execute(FOLDER / f"{name}.ipynb")
    pictured = [o for c in done.cells for o in c.get("outputs", ()) if "image/png" in o.get("data", {})]
    assert len(pictured) == PICTURES[name]
    if name == "from_idea_to_plugin":
        said = "".join(o.text for c in done.cells for o in c.get("outputs", ()) if o.get("name") == "stdout")
        assert "made anew by this version: yes" in said, "it was verified"
        assert re.search(r"press\D+\d+", said), "a CSV file was sequenced"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_is_small_thin_and_of_no_machine(name: str) -> None:
    path = FOLDER / f"{name}.ipynb"
    text, notebook = path.read_text(encoding="utf-8"), nbformat.read(path, as_version=4)
    assert path.stat().st_size < LARGEST
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        assert cell.source.count("\n") < LINES and "matplotlib" not in cell.source
        assert (
            (cell.execution_count is None and cell.outputs)
            or "write_text" in cell.source
            or "=" in cell.source
        )
        assert all(o.output_type != "error" and o.get("name") != "stderr" for o in cell.outputs)
    for noise in (r"[ \"'(]/(home|tmp|root|usr|opt|var)/", r"\br-[0-9a-f]{8}\b", r"site-packages"):
        assert not re.search(noise, text), noise


def test_noise_is_left_out_and_measured_cells_keep_their_output() -> None:
    def notebook(value: str) -> nbformat.NotebookNode:
        cells = [new_code_cell("a", id="a"), new_code_cell("b", id="b", metadata={"tags": ["measured"]})]
        for cell in cells:
            cell.execution_count = 3
            cell.metadata["execution"] = {"started": "now"}
            cell.outputs = [
                new_output("stream", name="stdout", text=f"run r-0123abcd {value} "),
                new_output("stream", name="stdout", text="in /tmp/discover-x1y2/rule took 3.5 s"),
                new_output("stream", name="stderr", text="a warning"),
            ]
        return new_notebook(cells=cells)

    done = MAKE.quiet(notebook("new"), notebook("old"))
    first, second = (cell.outputs for cell in done.cells)
    assert [o.text for o in first] == ["run r-… new in rule took … s"]
    assert "old" in second[0].text and "new" not in second[0].text
    assert all(c.execution_count is None and "execution" not in c.metadata for c in done.cells)
    assert MAKE.quiet(notebook("new"), new_notebook(cells=[])).cells[1].outputs[0].text.count("new") == 1
