"""The command line: what there is, and how every failure becomes one sentence and an exit code.

0 done, 1 nothing valid came out, 2 usage, 3 environment, 130 interrupted after a clean checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from discovery.cli import explain, people, plugins, recording, review, run, score, system, tasks, training, ui
from discovery.cli.output import mute, note
from discovery.errors import DiscoverError
from discovery.escape import plain

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""Read when numpy is imported, which is later: candidates share the cores already, and threads that wait for each other
make a small product of matrices six times as dear."""

app = typer.Typer(
    name="discover",
    help="Discovers heuristics: a model proposes code, a sandbox runs it, a referee scores it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from discovery.cli.checks import own_version

        typer.echo(f"discover {own_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of every failure.")] = False,
) -> None:
    del version, debug  # the one ends by its callback; the other may stand anywhere on the line: see main


for group in (tasks, score, training, recording, run, people, review, explain, plugins, ui, system):
    group.register(app)


def main(words: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        result = app(args=[w for w in words if w != "--debug"], prog_name="discover", standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except SystemExit as left:  # the parser's own way to end where the reader of a pipe has left
        code = _unread(left.__context__)
    except Exception as error:
        code = _report(error, debug)
    else:
        code = result if isinstance(result, int) else 0
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _unread(error)
    sys.exit(code)


def _unread(error: BaseException | None) -> int:
    """Say that stdout could not be written; the exit code."""
    mute(sys.stdout.fileno())
    why = error.strerror if isinstance(error, OSError) else "it is closed"
    note(f"discover: the output could not be written ({why}); what was done is kept")
    return 3


def _report(error: Exception, debug: bool) -> int:
    """Say what went wrong; the exit code. A defect of ours keeps its traceback, a user's mistake never has one."""
    known = _sentence(error)
    if known is None or debug:
        sys.stderr.write(plain("".join(traceback.format_exception(error)), lines=True))
    if known is None:
        note("discover: this is a defect of discover, not a mistake of yours; please report the lines above")
        return 1
    code, sentence = known
    if sentence:
        note(f"discover: {sentence}")
    return code


def _sentence(error: Exception) -> tuple[int, str] | None:
    from discovery.sandbox.base import SandboxUnavailable
    from evaluators.task import Missing, TaskError

    ledger = sys.modules.get("db.errors")  # loaded wherever one was raised; not worth a second of import else
    if isinstance(error, DiscoverError):
        return error.exit_code, str(error)
    if isinstance(error, TaskError):
        return 3 if isinstance(error, Missing) else 2, str(error)
    if ledger is not None and isinstance(error, ledger.LedgerError):
        return 2 if isinstance(error, ledger.LedgerUnknown) else 3, str(error)
    if isinstance(error, SandboxUnavailable):
        return 3, f"{error}; README.md, section “Machines that cannot isolate”, says what to do"
    if isinstance(error, typer.Abort):
        return 130, "interrupted"
    if isinstance(error, typer.TyperException):
        return error.exit_code, _usage(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return 3, f"{where}{error.strerror or error}"
    return None


def _usage(error: typer.TyperException) -> str:
    """The parser's sentence, and where to read on. Help for a bare command was printed already: nothing to add."""
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(error.format_message() + "\n")
        return ""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "discover"
    # The prefix is pydantic's and tells a user nothing.
    said = error.format_message().rstrip(".").replace(": Value error, ", ": ")
    return f"{said}; see `{command} --help`"
