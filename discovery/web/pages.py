"""The pages: each asks the review for its data and hands them to a template."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db.errors import LedgerUnknown
from discovery import review
from discovery.errors import UsageError
from discovery.plugins.naming import LICENCES
from discovery.web import face
from discovery.web.site import Site

PAGE = 200
"""Entries on one page of a run's table."""
DIFFERENCE = 400_000
"""Characters of a difference that are shown at most."""
TRIALS = 12
"""Tuning trials that are shown, the best ones."""

Answer = Callable[[Request], Response]


def routes(site: Site) -> list[Route]:
    """All pages of a site."""
    pages = (_Lists(site), _Runs(site), _Candidates(site))
    return [Route(path, answer) for page in pages for path, answer in page.routes().items()]


class _Lists:
    """What spans runs: their list, leaderboards, a word looked up."""

    def __init__(self, site: Site) -> None:
        self._site, self._ledger = site, site.ledger

    def routes(self) -> Mapping[str, Answer]:
        return {"/": self.runs, "/leaderboards": self.leaderboards, "/find": self.find}

    def runs(self, request: Request) -> Response:
        rows, task = review.runs(self._ledger), request.query_params.get("task", "")
        tasks = sorted({r.task for r in rows})
        shown = [r for r in rows if task in ("", r.task)]
        return self._site.page("runs.html", {"runs": shown, "tasks": tasks, "task": task})

    def leaderboards(self, request: Request) -> Response:
        task = request.query_params.get("task") or None
        boards = review.leaderboards(self._ledger, task)
        if task and not boards:
            raise LedgerUnknown(f"there is no run of task {task!r} in {self._ledger.where}")
        tasks = sorted({r.task for r in self._ledger.runs()})
        return self._site.page("leaderboards.html", {"boards": boards, "tasks": tasks, "task": task or ""})

    def find(self, request: Request) -> Response:
        """The run or candidate that a word names."""
        word = request.query_params.get("name", "").strip()
        if review.is_candidate(word):
            found = f"/candidates/{review.candidate_entry(self._ledger, word).candidate}"
        else:
            found = f"/runs/{self._ledger.run(word).id}"
        return RedirectResponse(found, 303)


class _Runs:
    """One run: its progress, lineage, prices, entries."""

    def __init__(self, site: Site) -> None:
        self._site, self._ledger = site, site.ledger

    def routes(self) -> Mapping[str, Answer]:
        return {
            "/runs/{run}": self.progress,
            "/runs/{run}/lineage": self.lineage,
            "/runs/{run}/pareto": self.pareto,
            "/runs/{run}/entries": self.entries,
        }

    def _page(self, template: str, request: Request, **data: object) -> Response:
        """A view of a run under its head."""
        head = review.run_head(self._ledger, request.path_params["run"]).to_json()
        return self._site.page(template, {"run": head, **face.of_head(head), **data})

    def progress(self, request: Request) -> Response:
        name = request.path_params["run"]
        live = review.live(self._ledger, name)
        told = {
            "run": review.run_summary(self._ledger, name).to_json(),
            "status": live.status,
            "texts": face.texts(live),
            "bars": face.bars(live),
            "losses": face.losses(live),
            "seen": face.seen(live),
        }
        return self._site.page("run.html", told)

    def lineage(self, request: Request) -> Response:
        return self._page("lineage.html", request, selected=request.query_params.get("entry", ""))

    def pareto(self, request: Request) -> Response:
        made = review.pareto(self._ledger, request.path_params["run"])
        return self._page("pareto.html", request, points=[p for p in made.points if p.front])

    def entries(self, request: Request) -> Response:
        asked = request.query_params
        kind, page = asked.get("ending", ""), _positive(asked.get("page", "1"))
        made = review.lineage(self._ledger, request.path_params["run"])
        nodes = [n for n in made.nodes if kind in ("", n.ending)]
        if asked.get("order") != "time":
            nodes.sort(key=lambda n: n.y)  # stable, so equal scores stay in the order of time
        pages = max(1, -(-len(nodes) // PAGE))
        page = min(page, pages)
        return self._page(
            "entries.html",
            request,
            nodes=nodes[(page - 1) * PAGE : page * PAGE],
            total=len(nodes),
            at=page,
            pages=pages,
            ending=kind,
            endings=sorted({n.ending for n in made.nodes}),
            order=asked.get("order", "score"),
        )


class _Candidates:
    """One candidate, or an entry that is none, and two beside one another."""

    def __init__(self, site: Site) -> None:
        self._site, self._ledger = site, site.ledger

    def routes(self) -> Mapping[str, Answer]:
        return {
            "/candidates/{candidate}": self.candidate,
            "/candidates/{candidate}/code": self.code,
            "/runs/{run}/entries/{entry}": self.entry,
            "/compare": self.compare,
        }

    def candidate(self, request: Request) -> Response:
        summary = review.candidate_summary(self._ledger, request.path_params["candidate"])
        return self._shown(request, summary.to_json())

    def entry(self, request: Request) -> Response:
        run, name = request.path_params["run"], request.path_params["entry"]
        return self._shown(request, review.entry_summary(self._ledger, run, name).to_json())

    def code(self, request: Request) -> Response:
        """The source as a file to keep, to the letter."""
        name = review.candidate_entry(self._ledger, request.path_params["candidate"]).candidate or ""
        text = self._ledger.candidate_code(name).encode("utf-8", "surrogatepass")
        headers = {"Content-Disposition": f'attachment; filename="{name[:8]}.py"'}
        return Response(text, media_type="text/plain; charset=utf-8", headers=headers)

    def _shown(self, request: Request, data: dict[str, Any]) -> Response:
        hash_ = data["candidate"]
        code = self._ledger.candidate_code(hash_) if hash_ else None
        drawn = review.pictures(self._ledger, hash_, request.query_params.get("instance")) if hash_ else None
        shown = {
            "it": data,
            "code": code,
            "differences": self._differences(data, code),
            "trials": _best_trials(data),
            "drawn": drawn,
            "champion": self._is_champion(data),
            "licences": sorted(path.stem for path in LICENCES.glob("*.txt")),
        }
        return self._site.page("candidate.html", shown)

    def _is_champion(self, data: Mapping[str, Any]) -> bool:
        champion = self._ledger.champion(data["run"])
        return champion is not None and champion.candidate == data["candidate"] is not None

    def _differences(self, data: Mapping[str, Any], code: str | None) -> list[dict[str, object]]:
        """What the candidate changes in each parent."""
        found = []
        for parent in data["parents"] if code is not None else ():
            if parent["candidate"] is None:
                continue
            text = review.unified(
                self._ledger.candidate_code(parent["candidate"]), code or "", "parent", "this"
            )
            found.append({"parent": parent, **_cut(text)})
        return found

    def compare(self, request: Request) -> Response:
        names = [request.query_params.get(side, "").strip() for side in ("a", "b")]
        if not all(names):
            return self._site.page("compare.html", {"made": None, "names": names})
        made = review.difference(self._ledger, *names).to_json()
        drawn = self._beside(names, request.query_params.get("instance")) if made["comparable"] else {}
        shown = {"made": made, "names": names, "drawn": drawn, **_cut(str(made["diff"]))}
        return self._site.page("compare.html", shown)

    def _beside(self, names: Sequence[str], instance: str | None) -> dict[str, review.Pictures]:
        """The pictures of A and B, of one instance: by default that on which their scores differ most. Only of the one
        of which the ledger keeps answers."""
        sides = dict(zip("AB", names, strict=True))
        found = {s: p for s, name in sides.items() if (p := review.pictures(self._ledger, name, instance))}
        if instance is not None or len(found) < 2:
            return found
        scores = {c.instance: c.score for c in found["A"].choices}
        apart = max(found["B"].choices, key=lambda c: abs(c.score - scores[c.instance])).instance
        return self._beside(names, apart)


def _cut(text: str) -> dict[str, object]:
    return {"text": text[:DIFFERENCE], "cut": len(text) > DIFFERENCE}


def _best_trials(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The trials of a study, the best first, at most :data:`TRIALS`; those without a value come last."""
    if data["tuning"] is None:
        return []
    sign = 1 if data["direction"] == "minimize" else -1
    trials: Sequence[Mapping[str, Any]] = data["tuning"]["trials"]
    ordered = sorted(trials, key=lambda t: (t["value"] is None, sign * (t["value"] or 0.0), t["number"]))
    return list(islice(ordered, TRIALS))


def _positive(word: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,6}", word, re.ASCII):
        raise UsageError(f"there is no page {word!r}")
    return int(word)
