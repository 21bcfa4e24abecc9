"""Executes the notebooks and keeps their outputs, without what differs from machine to machine.

`python notebooks/make.py` writes all of them anew, `python notebooks/make.py NAME…` some. Run ids, folders, hashes of
files and times are written as an ellipsis; what goes to stderr (warnings of libraries) is left out. A cell tagged
``measured`` shows times: it keeps the output that it has.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).parent
SECONDS = 900
"""Longest time of a cell; a loaded machine is no failure."""
NOISE = (
    (re.compile(r"\br-[0-9a-f]{8}\b"), "r-…"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "…"),
    (re.compile(r"/[\w./-]*discover-[\w-]+/?"), ""),
    (re.compile(r"\d+(\.\d+)? (s|seconds|ms)\b"), "… s"),
    (re.compile(r"\d+(\.\d+)? kB\b"), "… kB"),
)


def execute(path: Path) -> NotebookNode:
    """The notebook with fresh outputs. Raises nbclient's CellExecutionError when a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    # Over sockets in a folder of its own, not over ports that everybody on the machine can reach.
    with TemporaryDirectory() as folder:
        manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{folder}/kernel")
        try:
            NotebookClient(notebook, km=manager, timeout=SECONDS).execute()
        finally:
            manager.shutdown_kernel(now=True)
    return notebook


def quiet(notebook: NotebookNode, before: NotebookNode) -> NotebookNode:
    """``notebook`` as it is committed; ``before`` has the outputs that measured cells keep."""
    kept = {cell.id: cell for cell in before.cells}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        old = kept.get(cell.id)
        if "measured" in cell.metadata.get("tags", ()) and old is not None and old.outputs:
            cell.outputs = old.outputs
        cell.metadata.pop("execution", None)
        cell.execution_count = None
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = None
            if "text" in output:
                output.text = scrubbed(output.text)
            if "text/plain" in output.get("data", {}):
                output.data["text/plain"] = scrubbed(output.data["text/plain"])
        cell.outputs = joined([o for o in cell.outputs if o.get("name") != "stderr"])
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Pieces of one stream as one: where they were cut is chance."""
    found: list[NotebookNode] = []
    for output in outputs:
        same = found and output.output_type == "stream" == found[-1].output_type
        if same and output.name == found[-1].name:
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def scrubbed(text: str) -> str:
    for pattern, word in NOISE:
        text = pattern.sub(word, text)
    return text


def main(names: list[str]) -> None:
    for path in [HERE / name for name in names] or sorted(HERE.glob("*.ipynb")):
        before = nbformat.read(path, as_version=4)
        nbformat.write(quiet(execute(path), before), path)
        print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
