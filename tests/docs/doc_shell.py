"""A reader at a terminal: types what a page says, in an empty folder, and fills in what earlier commands printed.

What is changed on the way is listed here and nowhere else: placeholders, addresses of models (a scripted one answers),
and how much is done, so that CI has the time for it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

from doc_pages import ROOT

SECONDS = 900
BIN = Path(sys.executable).parent
SMALL = {"--samples": 4, "--trials": 2, "--seconds": 5}
"""The most that a flag may ask for."""
ENVIRONMENT = {"DISCOVER_SAMPLES": "4", "DISCOVER_TRIALS": "2", "OPENAI_API_KEY": "none", "PIP_NO_INDEX": "1",
               "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}  # fmt: skip
SERVERS = ("mock-llm", "ui")
ADDRESS = re.compile(r"https?://(?:127\.0\.0\.1|[\w.-]+\.example(?:\.org)?)(?::\d+)?/v1")
FOUND: dict[str, re.Pattern[str]] = {
    "RUN": re.compile(r"^run (r-[0-9a-f]{8})", re.M),
    "CANDIDATE": re.compile(r"discover show ([0-9a-f]{8}) --code"),
    "task": re.compile(r"^run r-[0-9a-f]{8}, \w+ on (\S+):", re.M),
    "ID": re.compile(r"`discover tell \S+ (\S+) FILE`"),
    "A": re.compile(r"(?:^|\s)([0-9a-f]{8})  "),
    "NAME": re.compile(r"^([a-z]+(?:-[a-z]+)*-[0-9a-f]{8}) \S+ written to", re.M),
}
"""What the words in capitals stand for: the last that a command printed. B is what A was before."""
SLOW = re.compile(r"discover (?:report|explain) (RUN|CANDIDATE)\b")
"""What takes minutes on `smtt`, whose best baseline is a search, and is done on another task instead."""
QUICK = "tsp-construct"


class Shell:
    """``endpoint`` is the address of a scripted model. Call :meth:`close` at the end."""

    def __init__(self, folder: Path, endpoint: str, *, own_environment: bool) -> None:
        self.folder, self.endpoint = folder, endpoint
        self.home = folder / "page"
        self.home.mkdir()
        self.where, self.exports = folder / "where", folder / "exports"
        self.where.write_text(str(self.home))
        self.exports.touch()
        self.seen: dict[str, str] = {}
        self.beside: dict[str, str] = {}
        self.servers: list[subprocess.Popen[str]] = []
        programs = environment(folder / "venv") if own_environment else BIN
        (self.home / ".venv").symlink_to(programs.parent)
        keep = {
            n: v for n, v in os.environ.items() if not n.startswith(("DISCOVER_", "OPENAI_", "PIP_", "UV_"))
        }
        self.environment = {
            **keep,
            **ENVIRONMENT,
            "PATH": os.pathsep.join((str(programs), str(BIN), os.environ["PATH"])),
            "OPENAI_BASE_URL": endpoint,
            "COLUMNS": "120",
        }

    def write(self, name: str, text: str) -> None:
        """A file that the page shows."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ADDRESS.sub(self.endpoint, text), encoding="utf-8")

    def run(self, command: str) -> str:
        """What a command prints. Raises AssertionError where it fails."""
        if command.startswith("make "):
            command = self.recipe(command)
        command = self.filled(command)
        if command.split()[1:2] and command.split()[1] in SERVERS:
            return self.serve(command)
        script = f"set -e\n. {self.exports}\n{command}\nexport -p > {self.exports}\npwd > {self.where}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.here, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"`{command}` ended with {done.returncode}:\n{done.stdout[-3000:]}"
        self.remember(done.stdout)
        for made in (p for p in self.home.glob("*/pyvenv.cfg") if not p.parent.is_symlink()):
            share(made.parent)
        return done.stdout

    def serve(self, command: str) -> str:
        """Start what runs until it is stopped, on a free port; from now on models are asked there."""
        words = command.split("#")[0].rstrip(" &")
        started = subprocess.Popen(
            ["bash", "-c", f"exec {words}" + ("" if "--port" in words else " --port 0")], cwd=self.here,
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.servers.append(started)
        assert started.stdout is not None
        said = ""
        for line in started.stdout:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+\S*", line):
                if "mock-llm" in words:
                    self.endpoint = self.environment["OPENAI_BASE_URL"] = found[0]
                return said
        raise AssertionError(f"`{command}` ended:\n{said[-3000:]}")

    def recipe(self, command: str) -> str:
        """What ``make TARGET`` would type, without setting up the environment again."""
        words = [
            *command.split(),
            "--no-print-directory",
            "--dry-run",
            "--always-make",
            "--directory",
            str(ROOT),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    @property
    def here(self) -> Path:
        return Path(self.where.read_text().strip())

    def remember(self, said: str) -> None:
        for word, pattern in FOUND.items():
            for found in pattern.findall(said):
                if word == "A" and found != self.seen.get("A"):
                    self.seen["B"] = self.seen.get("A", found)
                self.seen[word] = found

    def filled(self, command: str) -> str:
        """The command with this page's values in the place of words in capitals, and less work to do."""
        command = ADDRESS.sub(self.endpoint, command).replace("path/to/discover", str(ROOT))
        for flag, most in SMALL.items():
            command = re.sub(
                rf"({flag} )(\d+)", lambda m, most=most: m[1] + str(min(int(m[2]), most)), command
            )
        if "NAME" in self.seen:
            for old, new in (("-", self.seen["NAME"]), ("_", self.seen["NAME"].replace("-", "_"))):
                command = re.sub(rf"\bsmtt{old}[0-9a-f]{{8}}\b", new, command)
        if "discover" not in command:
            return command
        if re.search(r"discover baselines .*--recompute", command) and "--split" not in command:
            command = command.replace("--recompute", "--recompute --split screen")
        if (found := SLOW.search(command)) and self.seen.get("task") == "smtt":
            return command.replace(found[1], self.quick()[found[1]])
        for word, value in ((w, v) for w, v in self.seen.items() if w.isupper()):
            command = re.sub(rf"(?<![\w./-]){word}(?![\w./=-])", value, command)
        return command

    def quick(self) -> dict[str, str]:
        """What a run of the quick task prints, kept apart from what the page's own commands print."""
        if not self.beside:
            before, self.seen = self.seen, {}
            self.run(f"discover run --task {QUICK} --quiet")
            self.beside, self.seen = self.seen, before
        return self.beside

    def close(self) -> None:
        for server in self.servers:
            server.terminate()  # Ctrl-C would be ignored where the tests themselves run in the background
            server.communicate(timeout=30)


def environment(folder: Path) -> Path:
    """A virtual environment to install into that sees everything of this one; the folder of its programs."""
    venv.create(folder, with_pip=True)
    share(folder)
    program = folder / "bin" / "discover"
    program.write_text(f"#!{folder / 'bin' / 'python'}\nfrom discovery.cli.main import main\n\nmain()\n")
    program.chmod(0o755)
    return folder / "bin"


def share(folder: Path) -> None:
    """Let an environment see the packages of this one, so that nothing has to be fetched."""
    library = next((folder / "lib").glob("python*/site-packages"))
    ours = next(p for p in sys.path if p.endswith("site-packages"))
    (library / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
