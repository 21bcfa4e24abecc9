"""What people see of a run's leases: in the JSON object, on the terminal and on its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import review_samples as samples
from review_samples import CHILD, HOSTILE, MDD, PARENT, RUN, undocumented

from db.ledger import Ledger
from db.records import LeaseRecord
from discovery import review
from discovery.cli.main import main
from discovery.web.app import application
from discovery.web.site import Site
from evaluators import registry


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        samples.filled(ledger)
        ledger.write_leases(
            RUN,
            [
                lease(1, MDD.hash, node="10.0.0.8"),
                lease(2, PARENT.hash, purpose="trial", parameters={"w": 0.5}),
                lease(3, CHILD.hash),
                lease(4, PARENT.hash, state="queued", lost=2),
                lease(5, CHILD.hash, state="quarantined", lost=4, node=HOSTILE),
                lease(6, MDD.hash, state="left"),
            ],
        )
    yield tmp_path / "l.sqlite"


def lease(number: int, candidate: str, **changes: Any) -> LeaseRecord:
    values: dict[str, Any] = {
        "job": f"{number:064x}",
        "candidate": candidate,
        "purpose": "search",
        "set_digest": "d" * 64,
        "set_size": 8,
        "parameters": {},
        "node": "10.0.0.7",
        "state": "held",
        "lost": 0,
        "taken": 1_700_000_000.0 + number,
    }
    return LeaseRecord(**(values | changes))


def told(path: Path) -> Any:
    with Ledger.open(path) as ledger:
        data = review.summary(ledger, RUN).to_json()
    assert undocumented("show RUN", data) == []
    return data["leases"]


def test_a_run_under_way_says_who_has_what(path: Path) -> None:
    with Ledger.open(path) as ledger, ledger.holding(RUN):
        ledger.set_status(RUN, "running")
        found = told(path)
    assert found["nodes"] == [
        {
            "node": "10.0.0.7",
            "jobs": 2,
            "since": "2023-11-14T22:13:22Z",
            "candidate": PARENT.hash,
            "purpose": "trial",
        },
        {
            "node": "10.0.0.8",
            "jobs": 1,
            "since": "2023-11-14T22:13:21Z",
            "candidate": MDD.hash,
            "purpose": "search",
        },
    ]
    assert (found["queued"], found["left"]) == (1, 1)
    assert [(j["candidate"], j["state"], j["lost"]) for j in found["lost"]] == [
        (PARENT.hash, "queued", 2),
        (CHILD.hash, "quarantined", 4),
    ]


def test_nobody_is_at_work_for_a_run_whose_process_is_gone(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.set_status(RUN, "running")  # and nobody holds it
    found = told(path)
    assert found["nodes"] == [] and (found["queued"], found["left"]) == (0, 5)
    assert [j["state"] for j in found["lost"]] == ["left", "quarantined"]


def show(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["show", RUN, "--db", str(path)])
    assert ended.value.code == 0
    return capsys.readouterr().out


def page(path: Path) -> str:
    from starlette.testclient import TestClient

    with Ledger.open(path, readonly=True) as ledger:
        client = TestClient(application(Site(ledger, str(path), "t" * 43)), base_url="http://127.0.0.1:8765")
        return client.get(f"/runs/{RUN}").text


def test_the_terminal_and_the_page_tell_it_too(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in (show(path, capsys), page(path)):
        assert (
            "quarantined" in text and CHILD.hash[:8] in text and "\x1b" not in text and "\u202e" not in text
        )
    assert "leases:" in show(path, capsys) and "On the cluster" in page(path)
    with Ledger.open(path) as ledger:
        ledger.write_leases(RUN, [], [f"{k:064x}" for k in range(1, 7)])
    assert told(path) is None
    assert "leases" not in show(path, capsys) and "On the cluster" not in page(path)
