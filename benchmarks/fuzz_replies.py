"""10,000 hostile and half-right replies, each through reading, check, sandbox, tuning, gate and ledger of a real run.

    python benchmarks/fuzz_replies.py [--replies 10000] [--shard 1000] [--first 1]

Runs tests/proposers/test_fuzz_replies.py once a shard, each with replies of another seed, and prints how they ended.
Any crash, lost slot or end without a reason fails the shard and is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEST = "tests/proposers/test_fuzz_replies.py::test_every_reply_ends_scored_or_with_a_reason"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replies", type=int, default=10_000)
    parser.add_argument("--shard", type=int, default=1_000, help="replies in one run")
    parser.add_argument("--first", type=int, default=1, help="seed of the first shard")
    options = parser.parse_args()
    ends: Counter[str] = Counter()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.first, options.first + -(-options.replies // options.shard)):
            report = Path(folder) / f"{number}.json"
            told = {
                "FUZZ_REPLIES": str(options.shard),
                "FUZZ_SEED": str(number),
                "FUZZ_REPORT": str(report),
            }
            words = [sys.executable, "-m", "pytest", "-q", "-x", TEST]
            ran = subprocess.run(words, cwd=ROOT, env={**os.environ, **told}, capture_output=True, text=True)
            failed += ran.returncode != 0
            ends += Counter(json.loads(report.read_text())) if report.exists() else Counter()
            print(
                f"seed {number}: {'held' if not ran.returncode else 'FAILED'}; so far {dict(ends)}",
                flush=True,
            )
            if ran.returncode:
                print(ran.stdout[-6_000:], ran.stderr[-2_000:], sep="\n", flush=True)
    print(f"{sum(ends.values())} replies: {dict(ends)}; {failed} shards failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
