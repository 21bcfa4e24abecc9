"""The JSON that pictures are drawn from and that anyone may read: what the functions of the review give, as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from db.ledger import Ledger
from discovery import review
from discovery.web.site import Site


def routes(site: Site) -> list[Route]:
    ledger = site.ledger

    def runs(_: Request) -> Mapping[str, object]:
        return {"runs": [r.to_json() for r in review.runs(ledger)]}

    def leaderboards(request: Request) -> Mapping[str, object]:
        boards = review.leaderboards(ledger, request.query_params.get("task"))
        return {"leaderboards": [b.to_json() for b in boards]}

    def compare(request: Request) -> Mapping[str, object]:
        asked = request.query_params
        return review.difference(ledger, asked.get("a", ""), asked.get("b", "")).to_json()

    def of(name: str, made: Callable[[Ledger, str], object]) -> Callable[[Request], Mapping[str, object]]:
        def given(request: Request) -> Mapping[str, object]:
            found: Mapping[str, object] = made(ledger, request.path_params[name]).to_json()  # type: ignore[attr-defined]
            return found

        return given

    def pictures(request: Request) -> Mapping[str, object]:
        asked = request.query_params.get("instance")
        made = review.pictures(ledger, request.path_params["candidate"], asked)
        return {"pictures": None} if made is None else made.to_json()

    return [
        Route("/api/runs", _json(runs)),
        Route("/api/runs/{run}", _json(of("run", review.run_summary))),
        Route("/api/runs/{run}/live", _json(of("run", review.live))),
        Route("/api/runs/{run}/curve", _json(of("run", review.curve))),
        Route("/api/runs/{run}/pareto", _json(of("run", review.pareto))),
        Route("/api/runs/{run}/lineage", _json(of("run", review.lineage))),
        Route("/api/candidates/{candidate}", _json(of("candidate", review.candidate_summary))),
        Route("/api/candidates/{candidate}/classes", _json(of("candidate", review.class_scores))),
        Route("/api/candidates/{candidate}/pictures", _json(pictures)),
        Route("/api/compare", _json(compare)),
        Route("/api/leaderboards", _json(leaderboards)),
    ]


def _json(made: Callable[[Request], Mapping[str, object]]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        return Ascii(made(request))

    return answer


class Ascii(JSONResponse):
    """JSON in ASCII, so that nothing in it acts wherever it is printed; lone surrogates are escapes too."""

    def render(self, content: object) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
