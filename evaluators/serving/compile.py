"""Compiles the core of the simulator with mypyc: ``python -m evaluators.serving.compile`` (``make fast``).

The extension modules do what the sources do, event by event, some three times as fast. They stand in ``core/compiled``
and are used by everything that simulates, until a source changes; ``--remove`` takes them away. It needs mypy and
setuptools (extra ``dev``) and a C compiler.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluators.serving import core

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("batch", "cache", "calls", "costs", "energy", "instance", "link", "moves", "plans", "simulation")
"""Not the views, tuples with properties, which mypyc does not make, nor the metrics, which are asked once a run."""


class CannotCompile(Exception):
    """What is missing, and what to do."""


def build(folder: Path = core.COMPILED) -> list[Path]:
    """Compile the core into ``folder``, which is made anew. Returns the extension modules. Raises CannotCompile."""
    try:
        from mypyc.build import mypycify
        from setuptools import Distribution
        from setuptools.command.build_ext import build_ext
    except ImportError as error:
        raise CannotCompile(
            f"{error.name} is not installed; install the extra `dev` and setuptools"
        ) from None
    made_from = core.digest()  # what is edited meanwhile is not what was compiled
    sources = [os.path.relpath(core.SOURCES / f"{name}.py", ROOT) for name in MODULES]
    told = io.StringIO()
    with TemporaryDirectory() as work, contextlib.chdir(ROOT):
        try:
            with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
                extensions = mypycify(
                    sources, opt_level="3", target_dir=work, group_name=f"{core.__name__}.core"
                )
                command = build_ext(Distribution({"ext_modules": extensions}))
                command.build_lib, command.build_temp = f"{work}/lib", work
                command.ensure_finalized()
                command.run()
        except (Exception, SystemExit) as error:
            last = told.getvalue().strip().splitlines()[-1:] or [""]
            raise CannotCompile(
                f"the core could not be compiled ({error}; {last[0]}); is there a C compiler?"
            ) from None
        remove(folder)
        shutil.copytree(Path(work, "lib", *core.__name__.split(".")), folder)
    (folder / "sources").write_text(made_from, encoding="ascii")
    return sorted(folder.glob("*.so"))


def remove(folder: Path) -> None:
    """First what says that the modules may be used."""
    (folder / "sources").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--remove", action="store_true", help="use the sources again")
    if parser.parse_args().remove:
        remove(core.COMPILED)
        sys.stdout.write("the sources are used\n")
        return 0
    try:
        found = build()
    except CannotCompile as error:
        sys.stderr.write(f"compile: {error}\n")
        return 1
    size = sum(path.stat().st_size for path in found)
    sys.stdout.write(f"{len(found)} extension modules, {size / 1e6:.1f} MB, in {core.COMPILED}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
