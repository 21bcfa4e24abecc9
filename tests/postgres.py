"""A PostgreSQL server of the tests' own, from Debian's packages, in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

PASSWORD = "hunter2 & co"
IN_URL = "hunter2%20%26%20co"


@dataclass
class Server:
    """A running server whose only user, ``discover``, owns everything."""

    port: int
    made: int = 0

    def url(self, database: str = "postgres", password: str = IN_URL) -> str:
        return f"postgresql://discover:{password}@127.0.0.1:{self.port}/{database}"

    def database(self, template: str = "template1") -> str:
        """The URL of a new database, empty or like another one."""
        self.made += 1
        name = f"ledger{self.made}"
        self.sql(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []


def missing(reason: str) -> None:
    """Skip, or fail where the server must be there (CI)."""
    if os.environ.get("REQUIRE_POSTGRESQL"):
        pytest.fail(reason)
    pytest.skip(reason)


def binaries() -> Path | None:
    """The folder of the newest installed server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    elsewhere = shutil.which("initdb")
    return found[-1].parent if found else Path(elsewhere).resolve().parent if elsewhere else None


@contextmanager
def running() -> Iterator[Server]:
    if find_spec("psycopg") is None or find_spec("langgraph.checkpoint.postgres") is None:
        missing("the extra `pg` is not installed: pip install -e '.[pg]'")
    folder = binaries()
    if folder is None:
        missing("no PostgreSQL server is installed: apt-get install postgresql")
    assert folder is not None
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    if user is not None:
        try:
            pwd.getpwnam(user)
        except KeyError:
            missing("the PostgreSQL server refuses to run as root, and there is no user postgres")
    home = Path(tempfile.mkdtemp(prefix="discover-pg-"))  # short: the path of a socket has an end
    try:
        (home / "password").write_text(PASSWORD)
        if user is not None:
            for path in (home, home / "password"):
                shutil.chown(path, user)
        made = subprocess.run(
            [folder / "initdb", "-D", home / "data", "-U", "discover", "-A", "scram-sha-256",
             "--pwfile", home / "password", "-E", "UTF8", "--locale=C", "--no-sync"],
            user=user, cwd=home, capture_output=True, text=True,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        with started(folder, home, user) as port:
            yield Server(port)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def started(folder: Path, home: Path, user: str | None) -> Iterator[int]:
    port = free_port()
    log = (home / "log").open("wb")
    process = subprocess.Popen(
        [folder / "postgres", "-D", home / "data", "-p", str(port), "-k", home,
         "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=32MB",
         "-c", "max_worker_processes=0", "-c", "autovacuum=off"],
        user=user, cwd=home, stdout=log, stderr=log,
    )  # fmt: skip
    try:
        ready = [folder / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready).returncode and process.poll() is None:
            pass
        assert process.poll() is None, (home / "log").read_text()
        yield port
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nothing in it is kept
        process.wait()
        log.close()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
