"""The pages in a headless browser, over a hand-written run, one of ten thousand entries, and one under way.

The checks are written in the browser's language (browser/pages.test.mjs); this makes what they look at. Without a
browser they are skipped with the reason; where REQUIRE_BROWSER is set, as in CI, that is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import review_samples as samples
from review_samples import CHAMPION, MDD, RUN
from web_support import PATIENCE, serving

from db.ledger import Ledger
from db.records import Edge, EntryKey, Integration, Leave, NewEntry

HERE = Path(__file__).parent / "browser"
HOSTILE = "<script>window.owned=1</script><img src=x onerror='window.owned=2'>\u202e\u2066\u200b\x1b[2J"
LONG = "cd" * 32
BIG, BATCH, BATCHES = "r-00000big", 256, 40
ENDINGS = ("stopped", "refused", "error", "timeout", "rejected")


def missing() -> str | None:
    """What there is not, as a sentence; None when the browser can be driven."""
    if chromium() is None:
        return "there is no Chromium; on Debian: apt-get install chromium"
    if shutil.which("node") is None:
        return "there is no node; the browser tests need node 20 or newer"
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        return "the driver is not installed: npm ci --prefix tests/web/browser"
    return None


def chromium() -> str | None:
    return next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


def hostile(ledger: Ledger) -> None:
    """Entries 16 and 17 of the hand-written run: text that would act, and code of 200 kB."""
    bad = samples.rule(0.31, "x")
    ledger.put_candidate("ef" * 32, f"'''{HOSTILE}'''\n{bad.code}", bad.nodes)
    ledger.put_candidate(LONG, "'" + "\u202e<b>" * 100 + "'\n" + "x = 1  # a line\n" * 13_000, 9)
    same = {"batch": 2, "operator": HOSTILE[:40], "proposer": "chat", "seed": 1, "model": HOSTILE}
    ledger.record_reply(RUN, 16, 0, **same, messages_json="[]", state="replied", text=HOSTILE)  # type: ignore[arg-type]
    entries = (
        NewEntry(16, "own", HOSTILE, "error", "ef" * 32, reason=HOSTILE),
        NewEntry(17, "own", "improve", "error", LONG),
    )
    ledger.integrate(RUN, 2, Integration(entries, (Edge(EntryKey(16, "own"), EntryKey(0, "own")),)))


def big(ledger: Ledger) -> None:
    """A run of 10,240 entries: half are scored, each has one parent or two among those before it."""
    settings = {"proposer": "genetic", "samples": BATCH * BATCHES, "batch": BATCH}
    ledger.create_run(samples.run_record(BIG, settings={"settings": settings}))
    seed = NewEntry(-1, "seed", "create", "scored", MDD.hash, score=900.0, m=samples.SIZE)
    ledger.store_seed_entries(BIG, [seed], EntryKey(-1, "seed"))
    members = [EntryKey(-1, "seed")]
    for g in range(BATCHES):
        entries, edges, enter = [], [], []
        for k in range(g * BATCH, (g + 1) * BATCH):
            key, scored = EntryKey(k, "own"), k % 2 == 0
            score = 900.0 - 0.05 * k + k * 7919 % 97 if scored else None
            outcome = "scored" if scored else ENDINGS[k // 2 % len(ENDINGS)]
            entries.append(NewEntry(k, "own", "improve", outcome, MDD.hash if scored else None, score=score))  # type: ignore[arg-type]
            parents = {members[k * 31 % len(members)], members[k * 17 % len(members)]}
            edges += [Edge(key, parent, n) for n, parent in enumerate(sorted(parents))]
            enter += [key] if scored and k % 32 == 0 else []
        leave = tuple(Leave(m) for m in members[:8]) if len(members) > 40 else ()
        members = members[len(leave) :] + enter
        ledger.integrate(BIG, g, Integration(tuple(entries), tuple(edges), tuple(enter), leave))
    ledger.set_status(BIG, "done")


@pytest.fixture
def driver() -> None:
    reason = missing()
    if reason is not None and os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def under_way(driver: None, db: Path) -> Iterator[str]:  # noqa: ARG001 - no run without a browser to show it
    """The id of a run that another process works on."""
    words = [
        "run",
        "--task",
        "smtt",
        "--samples",
        "400",
        "--batch",
        "4",
        "--no-tune",
        "--quiet",
        "--db",
        str(db),
    ]
    with Ledger.open(db) as ledger:
        known = {r.id for r in ledger.runs()}
        process = subprocess.Popen(
            [sys.executable, "-c", "from discovery.cli.main import main; main()", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not (found := [r.id for r in ledger.runs() if r.id not in known]):
                assert process.poll() is None and time.monotonic() < deadline, "the run does not begin"
                time.sleep(0.1)
            yield found[0]
        finally:
            process.kill()
            process.communicate()


def test_the_pages_in_a_browser(db: Path, under_way: str) -> None:
    with Ledger.open(db) as ledger:
        hostile(ledger)
        big(ledger)
    with serving(db) as served:
        told = {
            "BASE": f"http://127.0.0.1:{served.port}",
            "CHROMIUM": chromium() or "",
            "TOKEN": served.token,
            "LIVE": under_way,
            "RUN": RUN,
            "BIG": BIG,
            "CHAMPION": CHAMPION.hash,
            "OTHER": MDD.hash,
            "LONG": LONG,
            "HOSTILE": "own16",
        }
        done = subprocess.run(
            ["node", "--test", "pages.test.mjs"],
            cwd=HERE,
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert served.end() == (0, "")
