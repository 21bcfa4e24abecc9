"""A user's own templates, tried before a run: every operator with the least and the most that a prompt may hold."""

from __future__ import annotations

from pathlib import Path

from discovery.prompts.render import LOCAL_BUDGET, OPERATORS, REMOTE_BUDGET, messages
from discovery.proposers.base import Brief, Case, Failure, Fault, Parent, Request, Rival


def try_templates(brief: Brief, code: str, templates: Path) -> None:
    """Raises UsageError naming file and line when a template fails on a request that a run may make."""
    for operator in OPERATORS:
        least = Request(0, 0, operator, 0, brief, (Parent("a", code, 1.0),))
        most = Request(
            0,
            1,
            operator,
            0,
            brief,
            tuple(
                Parent(h, code, s, {"class": s}, 9, (Case("instance", "class", 9, s, 0.0),))
                for h, s in (("a", 1.0), ("b", 2.0))
            ),
            rejected=("an idea that failed",),
            notes=("a note",),
            rival=Rival("seed", 3.0, {"class": 3.0}),
            failure=Failure("a reply", "a reason"),
            fault=Fault(code, "a reason") if operator == "repair" else None,
        )
        for request in (least, most):
            for budget in (LOCAL_BUDGET, REMOTE_BUDGET):
                messages(request, budget_tokens=budget, templates=templates)
