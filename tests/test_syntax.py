"""Parsing from many threads, which CPython alone does not survive everywhere."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from discovery import syntax

ROOT = Path(__file__).parents[1]


def test_trees_are_those_of_the_standard_library() -> None:
    assert ast.dump(syntax.module("x = [1]")) == ast.dump(ast.parse("x = [1]"))
    assert ast.dump(syntax.expression("a + 1")) == ast.dump(ast.parse("a + 1", mode="eval").body)


def test_many_threads_may_parse_at_once() -> None:
    text = "\n".join(f"x{k} = [(a + {k}) * f(b, c=({k},)) for a in range({k})]" for k in range(300))
    wanted = ast.dump(ast.parse(text))
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(syntax.module, [text] * 64))
    assert all(ast.dump(t) == wanted for t in trees[::16])


def test_nothing_else_parses() -> None:
    """Threads fill slots, so a parse beside the lock would bring the crash back."""
    sources = [p for room in ("discovery", "searchspaces") for p in (ROOT / room).rglob("*.py")]
    parsing = [p.name for p in sources if "ast.parse(" in p.read_text(encoding="utf-8")]
    assert parsing == ["syntax.py"]
