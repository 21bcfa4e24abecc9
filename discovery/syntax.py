"""Parsing in one thread at a time.

CPython counts the depth of the tree under construction in one place for all threads, and a switch between threads (or
a collection) in the middle can end in ``SystemError: AST constructor recursion depth mismatch``. Slots are filled by
several threads, so every parse of this package goes through here.
"""

from __future__ import annotations

import ast
import threading

_LOCK = threading.Lock()


def module(text: str, version: tuple[int, int] | None = None) -> ast.Module:
    """The tree of a module, by the grammar of an older ``version`` of Python where one is named. Raises what
    ``ast.parse`` raises."""
    with _LOCK:
        return ast.parse(text, feature_version=version)


def expression(text: str) -> ast.expr:
    """The tree of an expression. Raises what ``ast.parse`` raises."""
    with _LOCK:
        return ast.parse(text, mode="eval").body
