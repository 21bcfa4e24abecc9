"""Everything that a page tells its reader to type is typed, page by page and in order; what is not run says why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doc_pages import INLINE, PAGES, ROOT, SHELL, Block, blocks, mentioned
from doc_shell import Shell
from typer.main import get_command

from discovery.cli.main import app
from discovery.mock_llm import MockServer

REASONS = (
    "it clones the repository",
    "it needs a container engine",
    "it needs the server of a model",
    "it installs from the network",
    "it repeats this very test",
    "it is a part of a file",
)
MOST_REASONS = 16
FOREIGN = {"--no-build-isolation", "--rm", "--gpus", "--num-cpus"}
"""Flags in the text that belong to other programs."""
EVERYWHERE = {"--help", "--debug"}
COMMANDS = get_command(app)


def runs(page: Path) -> list[Block]:
    return [b for b in blocks(page) if b.reason is None and (b.language in (*SHELL, "python") or b.title)]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with MockServer() as server:
        yield server.base_url


@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if any(b.language in SHELL for b in runs(p))],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_every_command_of_a_page_runs(page: Path, tmp_path: Path, endpoint: str) -> None:
    found = runs(page)
    installs = any(re.search(r"^pip install", b.text, re.M) for b in found if b.language in SHELL)
    shell = Shell(tmp_path, endpoint, own_environment=installs)
    try:
        for block in found:
            if block.title:
                shell.write(block.title, block.text)
                continue
            for command in block.commands:
                try:
                    shell.run(command)
                except AssertionError as failed:
                    raise AssertionError(f"{block.where}: {failed}") from None
    finally:
        shell.close()


def test_what_is_not_run_says_why_and_is_little() -> None:
    skipped = [b for page in PAGES for b in blocks(page) if b.reason]
    assert not [f"{b.where}: {b.reason}" for b in skipped if not str(b.reason).startswith(REASONS)]
    assert len(skipped) <= MOST_REASONS


def test_every_file_that_a_page_shows_has_a_name() -> None:
    nameless = [
        b.where
        for page in PAGES
        for b in blocks(page)
        if b.language == "toml" and not b.title and not b.reason
    ]
    assert not nameless


def test_there_are_no_commands_outside_of_fences() -> None:
    """A line set in by four spaces is code on a forge as well, but nothing would run it."""
    loose = [f"{p.relative_to(ROOT)}: {line}" for p in PAGES for line in _loose(p)]
    assert not loose


def _loose(page: Path) -> Iterator[str]:
    text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    yield from re.findall(r"(?:\A|\n)\n((?: {4})\S*(?:discover|make|pip|python|docker) [^\n]+)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_and_flag_that_is_named_exists(page: Path) -> None:
    wrong = [f"{where}: {fault}" for where, words in mentioned(page) if (fault := unknown(words))]
    flags = all_flags()
    for span in INLINE.findall(page.read_text(encoding="utf-8")):
        wrong += [f"{page.name}: `{span}`" for f in re.findall(r"^--[a-z][a-z-]+", span) if f not in flags]
    assert not wrong


def unknown(words: list[str]) -> str | None:
    """What in ``discover WORDS`` does not exist; capitals stand for any command."""
    command: Any = COMMANDS
    at = 0
    while hasattr(command, "commands") and at < len(words) and not words[at].startswith("-"):
        if words[at].isupper() or words[at] == "…":
            return None
        if words[at] not in command.commands:
            return f"there is no command {words[at]!r}"
        command, at = command.commands[words[at]], at + 1
    known = EVERYWHERE | {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    wrong = [w for w in words[at:] if re.match(r"--?[a-z]", w) and w.split("=")[0] not in known]
    return f"no flag {wrong[0]!r}" if wrong else None


def all_flags() -> set[str]:
    def inside(command: Any) -> Iterator[str]:
        for parameter in command.params:
            yield from (*parameter.opts, *parameter.secondary_opts)
        for one in getattr(command, "commands", {}).values():
            yield from inside(one)

    return {*inside(COMMANDS), *EVERYWHERE, *FOREIGN}


@pytest.mark.parametrize(
    "words, fault",
    [
        (["run", "--task", "smtt"], None),
        (["run", "--tusk", "smtt"], "--tusk"),
        (["walk"], "walk"),
        (["db", "upgrade", "--db", "x"], None),
        (["db", "downgrade"], "downgrade"),
        (["COMMAND", "--help"], None),
        (["run", "--no-tune"], None),
        (["show", "r-1", "-x"], "-x"),
    ],
)
def test_the_check_of_names_itself(words: list[str], fault: str | None) -> None:
    found = unknown(words)
    assert found is None if fault is None else found is not None and fault in found


def test_a_command_that_fails_or_does_not_exist_is_noticed(tmp_path: Path) -> None:
    shell = Shell(tmp_path, "http://127.0.0.1:9/v1", own_environment=False)
    for command in ("discover walk", "discover tasks --tusk", "discover show r-00000000", "true && false"):
        with pytest.raises(AssertionError):
            shell.run(command)
    shell.run("cd / && export KEPT=yes")
    assert shell.run('echo "$PWD $KEPT"') == "/ yes\n"


MAKE = re.compile(r"\bmake ([a-z]+)\b(?=[`\n])")


@pytest.mark.parametrize(
    "target", sorted({t for p in PAGES for t in MAKE.findall(p.read_text(encoding="utf-8"))})
)
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)
