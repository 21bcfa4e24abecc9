"""The templates of exported packages and the filters that make others' text safe in them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery.escape import plain

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
_MARKUP = re.compile(r"([\\`*_\[\]<>|#!~])")


def render(name: str, /, **values: Any) -> str:
    """One of the package's own templates."""
    return _environment().get_template(name).render(**values)


def render_text(text: str, /, **values: Any) -> str:
    """A template that a task brings (a host adapter, or its usage)."""
    return _environment().from_string(text).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("svg.j2",), default=False, default_for_string=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "md": markdown,
        "toml": toml,
        "doc": docstring,
        "literal": ascii,
        "sentence": sentence,
    }
    return environment


def markdown(text: object) -> str:
    """A text as plain words in Markdown, on one line."""
    return _MARKUP.sub(r"\\\1", plain(str(text)))


def toml(text: object) -> str:
    """A text as a TOML string: a JSON string is one when nothing but quotes and backslashes is escaped."""
    return json.dumps(plain(str(text)), ensure_ascii=False)


def docstring(text: object) -> str:
    """A text within a docstring, without its full stop."""
    return plain(str(text)).replace("\\", "\\\\").replace('"', "'").rstrip(".")


def sentence(text: object) -> str:
    """A text with its first letter large."""
    words = str(text)
    return words[:1].upper() + words[1:]
