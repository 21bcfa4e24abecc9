"""The one page that writes: who may, what is refused, and that the package is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from review_samples import BROKEN, CHAMPION, CHEAT, RUN
from starlette.testclient import TestClient
from web_support import TOKEN

from db.ledger import Ledger
from discovery import plugins
from discovery.errors import NothingValid
from discovery.web.exporting import LONGEST, folder

ALLOWED = {"Authorization": f"Bearer {TOKEN}"}
WISH = {"name": CHAMPION.hash, "licence": "MIT"}


class Made:
    """What an export gives."""

    def to_json(self) -> dict[str, object]:
        return {"package": "p", "version": "1.0.0", "folder": "f", "wheel": "w"}


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Exports as they are asked for; none is made."""
    asked: list[tuple[Any, ...]] = []

    def export(ledger: Ledger, name: str, out: Path, *, wheel: bool, choices: plugins.Naming) -> Made:
        if name == CHEAT.hash:
            raise NothingValid("it was quarantined")
        ledger.add_event(RUN, "tried")  # the ledger can be written here
        asked.append((name, out.name, wheel, choices.licence))
        return Made()

    monkeypatch.setattr(plugins, "export", export)
    return asked


def test_the_token_opens_it(client: TestClient, exported: list[Any], db: Path) -> None:
    answer = client.post("/api/export", json=WISH, headers=ALLOWED)
    assert (answer.status_code, answer.json()) == (200, Made().to_json())
    assert exported == [(CHAMPION.hash, f"small-{CHAMPION.hash[:8]}-MIT", True, "MIT")]
    assert folder(str(db)) == db.parent / "exports"
    client.post("/api/export", json={"name": CHAMPION.hash[:9]}, headers=ALLOWED)
    assert exported[1] == (CHAMPION.hash, f"small-{CHAMPION.hash[:8]}", True, None)


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 403),
        ({"Authorization": "Bearer "}, 403),
        ({"Authorization": f"Bearer {TOKEN[:-1]}"}, 403),
        ({"Authorization": "Bearer ü".encode().decode("latin-1")}, 403),
        ({"Cookie": f"token={TOKEN}"}, 403),
        ({**ALLOWED, "Origin": "http://evil.example"}, 403),
        ({**ALLOWED, "Origin": "http://127.0.0.1:9999"}, 403),
        ({**ALLOWED, "Origin": "null"}, 403),
        ({**ALLOWED, "Host": "evil.example"}, 421),
        ({**ALLOWED, "Origin": "http://127.0.0.1:8765"}, 200),
    ],
)
def test_nobody_else_writes(
    client: TestClient, exported: list[Any], headers: dict[str, str], status: int
) -> None:
    raw = {k.encode(): v.encode("latin-1") for k, v in headers.items()}
    answer = client.post("/api/export", json=WISH, headers=raw)
    assert answer.status_code == status and len(exported) == (status == 200)
    assert client.post(f"/api/export?token={TOKEN}", json=WISH).status_code == 403
    assert client.get("/api/export", headers=ALLOWED).status_code == 405


@pytest.mark.parametrize(
    "body, status, sentence",
    [
        (b"", 400, "no JSON object"),
        (b"[1]", 400, "no JSON object"),
        (b"[" * 3000, 400, "no JSON object"),
        (b" " * (LONGEST + 1), 413, "at most"),
        (json.dumps({"name": 3}).encode(), 400, "expected {name, licence}"),
        (json.dumps({"name": RUN}).encode(), 404, "is no candidate"),
        (json.dumps({"name": "../../etc"}).encode(), 404, "is no candidate"),
        (json.dumps({"name": "ffffffff"}).encode(), 404, "no candidate begins with"),
        (json.dumps({**WISH, "licence": "../../x"}).encode(), 404, "--licence"),
        (json.dumps({"name": CHEAT.hash}).encode(), 409, "it was quarantined"),
    ],
)
def test_what_cannot_be_exported_is_said(
    client: TestClient, exported: list[Any], body: bytes, status: int, sentence: str
) -> None:
    answer = client.post("/api/export", content=body, headers=ALLOWED)
    assert answer.status_code == status and sentence in answer.json()["error"] and exported == []


def test_the_page_offers_it_for_what_has_a_score(pages: TestClient) -> None:
    page = pages.get(f"/candidates/{CHAMPION.hash}").text
    assert 'id="export"' in page and "<option>MIT</option>" in page and TOKEN not in page
    assert 'id="export"' not in pages.get(f"/candidates/{BROKEN.hash}").text
