"""From a request to messages: a pure function of the request, the budget and the templates.

The system message (task, interface, rules) is the same for all requests of a run, so that servers can cache it; the
user message ends with the parents and the instruction. What comes from candidates, replies and task texts is data:
it is escaped and fenced before a template sees it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery.candidate import ALLOWED_IMPORTS
from discovery.errors import UsageError
from discovery.prompts.ideas import idea_of, shape
from discovery.prompts.quoting import beginning, clean, fenced, one_line
from discovery.prompts.words import cases, described, groups, hook, number, signature, skeleton, wins
from discovery.proposers.base import Message, Operator, Parent, Request

if TYPE_CHECKING:
    from jinja2 import Environment

LOCAL_BUDGET, REMOTE_BUDGET = 1_500, 8_000
"""Prompt tokens by default: what a model of 1.5 billion parameters still follows, and what a large one uses well."""
EDITS_FROM = 4_000
"""From this budget on a reply may be edits; a small model does better with the whole function."""
OPERATORS: tuple[Operator, ...] = ("create", "improve", "combine", "simplify", "repair", "reflect")
BUILT_IN = Path(__file__).parent
MAX_REJECTED, MAX_REASON, MAX_NOTE = 12, 400, 600
LEAST_LINES = 8


def tokens(text: str) -> int:
    """Estimated tokens, rather too many: 3.2 ASCII characters each (code measures 3.3 to 4), 1.5 tokens for any
    other character."""
    plain = sum(map(str.isascii, text)) if not text.isascii() else len(text)
    return math.ceil(plain / 3.2 + (len(text) - plain) * 1.5)


def message_tokens(messages: tuple[Message, ...]) -> int:
    """Estimated tokens of a prompt, with 8 for the frame of each message."""
    return sum(tokens(m.content) + 8 for m in messages)


def messages(request: Request, *, budget_tokens: int, templates: Path | None = None) -> tuple[Message, ...]:
    """The prompt of a request. When it is above the budget it loses, in this order: rejected ideas, then notes (the
    oldest first), the worst instances, scores by class, further parents, the baseline, the end of a refused reply, and
    last the end of the code that is edited (and says so). The interface always stays, so a budget below it is exceeded.

    Raises UsageError naming file and line when a template fails."""
    environment = _environment(templates)
    system = Message("system", _rendered(environment, "system", _task(request, budget_tokens)))
    prompt: tuple[Message, ...] = ()
    for content in _contents(request):
        prompt = (system, Message("user", _user(environment, request, content, budget_tokens)))
        if message_tokens(prompt) <= budget_tokens:
            break
    return prompt


def template_hashes(templates: Path | None = None) -> dict[str, str]:
    """File name → SHA-256 of every template in use, the user's own first. Recorded with the run."""
    files = {f.name: f for f in BUILT_IN.glob("*.j2")} | {f.name: f for f in _own(templates)}
    return {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in sorted(files)}


# --- what a prompt may hold, from all of it to the least ---


@dataclass(frozen=True)
class _Content:
    parents: tuple[Parent, ...]
    rejected: tuple[str, ...]
    notes: tuple[str, ...]
    cases: bool = True
    groups: bool = True
    baseline: bool = True
    reply_lines: int | None = None
    code_lines: int | None = None


def _contents(request: Request) -> Iterator[_Content]:
    content = _Content(request.parents, request.rejected[-MAX_REJECTED:], request.notes)
    yield content
    while content.rejected:
        content = replace(content, rejected=content.rejected[(len(content.rejected) + 1) // 2 :])
        yield content
    while content.notes:
        content = replace(content, notes=content.notes[1:])
        yield content
    content = replace(content, cases=False)
    yield content
    content = replace(content, groups=False)
    yield content
    while len(content.parents) > (0 if request.fault else 1):
        content = replace(content, parents=content.parents[:-1])
        yield content
    content = replace(content, baseline=False)
    yield content
    lines = request.failure.reply.count("\n") + 1 if request.failure else 0
    while lines > LEAST_LINES:
        lines = max(LEAST_LINES, lines * 2 // 3)
        content = replace(content, reply_lines=lines)
        yield content
    lines = request.edited[0].count("\n") + 1 if request.edited else 0
    while lines > LEAST_LINES:
        lines = max(LEAST_LINES, lines * 4 // 5)
        content = replace(content, code_lines=lines)
        yield content


def _user(environment: Environment, request: Request, content: _Content, budget: int) -> str:
    operator: Operator = request.operator
    if request.failure and operator != "reflect":
        operator = "repair"
    if operator not in OPERATORS:
        raise ValueError(f"the operator {operator!r} is not a request to a model")
    if operator == "combine" and len(content.parents) < 2:
        operator = "improve"
    brief = request.brief
    baseline = None
    if content.baseline and brief.baseline:
        baseline = {"name": one_line(brief.baseline[0], 80), "score": number(brief.baseline[1])}
    rejected = "\n".join(f"- {one_line(idea, 200)}" for idea in content.rejected)
    values = {
        "baseline": baseline,
        "better": _better(request),
        "rejected": fenced(rejected, "text") if rejected else "",
        "notes": fenced("\n".join(f"- {one_line(note, MAX_NOTE)}" for note in content.notes), "text")
        if content.notes
        else "",
        "parents": [_parent(p, request, content) for p in content.parents],
        "fault": _quoted(request.fault.code, "python", content.code_lines, request.fault.reason)
        if request.fault
        else None,
        "failure": _quoted(request.failure.reply, "text", content.reply_lines, request.failure.reason)
        if request.failure
        else None,
        "edits": budget >= EDITS_FROM
        and request.failure is None
        and (operator == "improve" or request.fault is not None)
        and content.code_lines is None
        and bool(request.edited),
        "idea": idea_of(request) if budget < EDITS_FROM and request.failure is None else None,
        "small": budget < EDITS_FROM,
        "shape": shape(brief.interface),
        "function": brief.interface.function,
        "arguments": ", ".join(a.name for a in brief.interface.arguments),
        "signature": signature(brief.interface),
        "hooks": [signature(h) for h in brief.interface.hooks],
    }
    return _rendered(environment, operator, values)


def _parent(parent: Parent, request: Request, content: _Content) -> dict[str, object]:
    direction = request.brief.direction
    code, left_out = beginning(parent.code, None if request.fault else content.code_lines)
    others = [p for p in content.parents if p is not parent]
    return {
        "code": fenced(code, "python"),
        "left_out": left_out,
        "score": number(parent.score),
        "nodes": parent.nodes,
        "groups": groups(parent, request.rival, direction) if content.groups else "",
        "wins": wins(parent, others, direction) if content.groups else "",
        "cases": cases(parent) if content.cases else "",
    }


def _quoted(text: str, language: str, lines: int | None, reason: str) -> dict[str, object]:
    """What was refused or failed, and the reason. A reply keeps its name in templates, code too."""
    shown, left_out = beginning(text, lines)
    block = fenced(shown, language)
    said = fenced(one_line(reason, MAX_REASON), "text")
    return {"reply": block, "code": block, "left_out": left_out, "reason": said}


def _task(request: Request, budget: int) -> dict[str, object]:
    brief, interface = request.brief, request.brief.interface
    return {
        "better": _better(request),
        "unit": one_line(brief.unit, 120),
        "summary": clean(brief.summary).strip(),
        "interface_summary": clean(interface.summary).strip(),
        "skeleton": fenced(skeleton(interface), "python"),
        "arguments": [described(v) for v in interface.arguments],
        "returns": described(interface.returns),
        "facts": [one_line(f, 600) for f in interface.facts],
        "hooks": [hook(h) for h in interface.hooks],
        "call_limit": f"{brief.call_limit:g} s",
        "imports": ", ".join(["numpy", *sorted(ALLOWED_IMPORTS - {"numpy", "__future__"})]),
        "small": budget < EDITS_FROM,
    }


def _better(request: Request) -> str:
    return "lower" if request.brief.direction == "minimize" else "higher"


# --- templates ---


def _own(templates: Path | None) -> list[Path]:
    if templates is None:
        return []
    if not templates.is_dir():
        raise UsageError(f"the template folder {templates} does not exist")
    files, known = sorted(templates.glob("*.j2")), {f.name for f in BUILT_IN.glob("*.j2")}
    for file in files:
        if file.name not in known and not file.name.startswith("_"):
            raise UsageError(
                f"{file} overrides no template; the names are {', '.join(sorted(known))} "
                "(a name that begins with '_' is free for parts of your own)"
            )
    return files


def _environment(templates: Path | None) -> Environment:
    stamps = tuple((f.name, f.stat().st_mtime_ns) for f in _own(templates))
    return _built(templates, stamps)


@cache
def _built(templates: Path | None, _stamps: tuple[tuple[str, int], ...]) -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        loader=FileSystemLoader([str(p) for p in (templates, BUILT_IN) if p is not None]),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _rendered(environment: Environment, name: str, values: dict[str, Any]) -> str:
    from jinja2 import TemplateNotFound, TemplateSyntaxError

    try:
        text = environment.get_template(f"{name}.j2").render(values)
    except TemplateSyntaxError as error:
        raise UsageError(
            f"template {error.filename or error.name}, line {error.lineno}: {error.message}"
        ) from None
    except TemplateNotFound as error:
        raise UsageError(f"template {name}.j2 includes {error.name!r}, which does not exist") from None
    except Exception as error:
        place = _place(error) or f"{name}.j2"
        raise UsageError(f"template {place}: {type(error).__name__}: {one_line(str(error), 200)}") from None
    return text.strip() + "\n"


def _place(error: BaseException) -> str | None:
    """File and line of the template in which rendering failed."""
    place, trace = None, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.endswith(".j2"):
            place = f"{file}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place
