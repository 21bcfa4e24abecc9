"""The MCP server, through the SDK's own client over standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from toy.loop import TESTS, density, rule

from db.ledger import Ledger
from discovery.cli.main import main

Call = Callable[..., Awaitable[Any]]


class Refused(Exception):
    """A tool said no, in these words."""


def conversation(site: Path, folder: Path, talk: Callable[[Client, Call], Awaitable[None]]) -> None:
    """Start the server as a client does, and talk to it. A tool's result is its data."""
    path = os.pathsep.join([str(site), str(TESTS), *filter(None, sys.path)])
    command = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from discovery.cli.main import main; main()", "mcp", "--db", "ledger.sqlite"],
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
    )

    async def whole() -> None:
        async with Client(command) as client:

            async def call(tool: str, **more: Any) -> Any:
                watch = more.pop("watch", None)
                result = await client.call_tool(tool, more, progress_callback=watch)
                if result.is_error:
                    raise Refused(" ".join(getattr(c, "text", "") for c in result.content))
                return result.structured_content

            await talk(client, call)

    asyncio.run(asyncio.wait_for(whole(), 300))


def test_a_whole_run_through_the_protocol(installed: Path, tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def watch(_done: float, _total: float | None, message: str | None) -> None:
        seen.append(message)

    async def talk(client: Client, call: Call) -> None:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        assert set(tools) == {
            "list_tasks", "get_task", "list_runs", "start_run", "next_prompt", "answer", "submit", "leaderboard",
            "show_candidate",
        }  # fmt: skip
        assert all(t.description for t in tools.values())
        assert set(tools["answer"].input_schema["required"]) == {"run", "id", "text"}
        assert "knapsack" in [t["name"] for t in (await call("list_tasks"))["tasks"]]
        task = await call("get_task", task="knapsack")
        assert task["interface"]["function"] == "rank" and task["baselines"]
        assert (await call("list_runs"))["runs"] == []
        run = (await call("start_run", task="knapsack", samples=3, options={"gate": "pool"}))["run"]
        prompt = await call("next_prompt", run=run)
        assert prompt["id"] == "0" and "def rank(" in prompt["prompt"]
        told = await call("answer", run=run, id="0", text=density(0.5), watch=watch)
        assert told["outcome"] == "scored" and told["run_status"] == "waiting" and "instances" not in told
        refused = await call("answer", run=run, id="1", text="no code")
        assert refused["outcome"] == "rejected" and refused["candidate"] is None and refused["reason"]
        assert (await call("next_prompt", run=run))["id"] == "1.1"
        await call("answer", run=run, id="1.1", text=rule("return [1 / 0]"))
        last = await call("answer", run=run, id="2", text=density(0.7))
        assert last["run_status"] == "done"
        more = await call("submit", run=run, code=density(0.6), parent=told["candidate"][:8])
        assert more["outcome"] == "scored" and more["run_status"] == "done"
        board = await call("leaderboard", run=run)
        assert board["champion"]["candidate"] == told["candidate"] and board["status"] == "done"
        assert board["members"][0]["score"] == max(m["score"] for m in board["members"])
        assert {"submitted", "own", "seed"} <= {m["kind"] for m in board["members"]}
        shown = await call("show_candidate", candidate=told["candidate"][:10])
        assert shown["code"] == density(0.5) and shown["by_class"] and "attempts" not in shown

    conversation(installed, tmp_path, talk)
    assert seen, "the client was told how it goes"
    with Ledger.open(tmp_path / "ledger.sqlite", create=False) as ledger:
        (record,) = ledger.runs()
        assert record.status == "done" and [e.kind for e in ledger.entries(record.id)].count("own") == 3


def test_a_clients_mistake_is_one_sentence_and_nothing_is_lost(installed: Path, tmp_path: Path) -> None:
    async def talk(_client: Client, call: Call) -> None:
        run = (await call("start_run", task="knapsack", samples=2))["run"]
        for tool, arguments, sentence in (
            (
                "answer",
                {"run": run, "id": "7", "text": density(0.5)},
                f"run {run} has no request 7; `discover ask",
            ),
            ("answer", {"run": run, "id": "zero", "text": "x"}, "'zero' is no id of a request"),
            ("answer", {"run": "r-none", "id": "0", "text": "x"}, "there is no run 'r-none'"),
            ("next_prompt", {"run": "r-none"}, "there is no run 'r-none'"),
            ("start_run", {"task": "nothing"}, "nothing"),
            ("start_run", {"task": "knapsack", "samples": 0}, "at least 1"),
            ("start_run", {"task": "knapsack", "samples": "many"}, "samples"),
            ("show_candidate", {"candidate": "zz"}, "'zz' is no candidate"),
            ("submit", {"run": run, "code": density(0.5), "parent": "ffffff"}, "--parent 'ffffff'"),
        ):
            with pytest.raises(Refused) as refused:
                await call(tool, **arguments)
            assert sentence in str(refused.value) and "Traceback" not in str(refused.value)
        assert (await call("next_prompt", run=run))["id"] == "0"
        assert (await call("answer", run=run, id="0", text=density(0.5)))["outcome"] == "scored"
        with pytest.raises(Refused, match=r"request 0 of run r-.* is answered already"):
            await call("answer", run=run, id="0", text=density(0.6))

    conversation(installed, tmp_path, talk)


def test_without_the_extra_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [n for n in sys.modules if n == "mcp" or n.startswith("mcp.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "discovery.mcp_server", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(SystemExit) as left:
        main(["mcp", "--db", str(tmp_path / "l.sqlite")])
    said = capsys.readouterr()
    assert left.value.code == 3 and said.out == ""
    assert said.err == (
        "discover: the MCP server needs the extra `mcp`: pip install 'discover-heuristics[mcp]'\n"
    )
