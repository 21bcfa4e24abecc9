"""How hosts use an exported heuristic of ``smtt`` and ``smtt-index``: the command that sequences a CSV file."""

from __future__ import annotations

from pathlib import Path

from evaluators.task import HostAdapter

USAGE = """\
The command reads the columns `job`, `processing_time` and `due_date` (whole numbers in one unit) and prints each job's
start, end and tardiness in the order of processing; `--json` prints them as one object.

    python -m {{ package }} jobs.csv
"""

CSV_COMMAND = HostAdapter("csv", "__main__.py", Path(__file__).parent / "csv_command.py.j2", USAGE)
HOSTS = (CSV_COMMAND,)
