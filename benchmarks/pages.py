"""How long the lineage of ten thousand entries takes to be painted, against one of a few. Needs a browser.

    .venv/bin/python benchmarks/pages.py [--rounds 5]

Prints medians of the browser's clock from the request to the second frame after drawing, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "web")]

import review_samples  # noqa: E402
import test_web_browser as browser  # noqa: E402
import web_support  # noqa: E402

from db.ledger import Ledger  # noqa: E402

SCRIPT = """
import { chromium } from "playwright-core";
const [base, executablePath, rounds, ...runs] = process.argv.slice(1);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const found = Object.fromEntries(runs.map((run) => [run, []]));
for (let n = 0; n < Number(rounds); n += 1) for (const run of runs) {
  const page = await browser.newPage();
  await page.goto(`${base}/runs/${run}/lineage`);
  await page.waitForFunction(() => document.getElementById("lineage").dataset.painted);
  found[run].push(await page.evaluate(() => performance.now()));
  await page.close();
}
await browser.close();
console.log(JSON.stringify(found));
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    reason = browser.missing()
    if reason is not None:
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "l.sqlite"
        with Ledger.open(db) as ledger:
            review_samples.filled(ledger)
            browser.big(ledger)
        with web_support.serving(db) as served:
            runs = (review_samples.RUN, browser.BIG)
            words = [f"http://127.0.0.1:{served.port}", browser.chromium() or "", str(rounds), *runs]
            done = subprocess.run(
                ["node", "--input-type=module", "--eval", SCRIPT, "--", *words],
                cwd=browser.HERE,
                capture_output=True,
                text=True,
                check=True,
            )
    found = json.loads(done.stdout)
    few, many = (statistics.median(found[run]) for run in runs)
    fastest = min(found[browser.BIG])
    told = f"19 entries {few:.0f} ms, 10,241 entries {many:.0f} ms (fastest {fastest:.0f} ms), ratio {many / few:.1f}"
    print(f"{told}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
