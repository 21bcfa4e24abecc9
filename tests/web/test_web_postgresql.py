"""The pages over PostgreSQL say what they say over SQLite."""

from __future__ import annotations

from pathlib import Path

import review_samples as samples
from review_samples import RUN
from starlette.testclient import TestClient
from test_web_pages import PAGES
from web_support import asked

from db.ledger import Ledger

DATA = (
    "/api/leaderboards?task=small",
    *(f"/api/runs/{RUN}/{view}" for view in ("curve", "pareto", "lineage")),
)


def test_every_page_is_the_same(pages: TestClient, filled: Path, pg_url: str) -> None:
    with Ledger.open(filled, readonly=True) as here:
        moment = here.run(RUN).created
    with Ledger.open(pg_url, clock=lambda: moment) as there:
        samples.filled(there)
    with asked(pg_url) as client:
        where = "postgresql://discover:***@127.0.0.1"
        for path in (*PAGES, *DATA):
            said, expected = client.get(path), pages.get(path)
            assert (said.status_code, expected.status_code) == (200, 200), (path, said.text)
            assert path in DATA or where in said.text
            if path in DATA:
                assert said.json() == expected.json(), path
