"""The scripted server: answers by content, fails on demand, writes code that passes the check."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from discovery.candidate import check
from discovery.errors import EnvironmentProblem, UsageError
from discovery.mock_llm import FAILURES, MockServer, main, parse_failures, serve
from discovery.prompts.render import messages
from discovery.proposers.base import Brief, Fault, Operator, Parent, Request
from discovery.proposers.notes import note_text
from discovery.proposers.reading import Unreadable, candidate_text
from discovery.seeds import baseline_code
from evaluators.registry import load
from evaluators.task import Interface, Value

SMTT, INDEX = load("smtt").interface, load("smtt-index").interface
POLICY = Interface(
    "admit",
    "Say yes or no.",
    (Value("load", "scalar", "float64", "load now"),),
    Value("yes", "scalar", "bool", "1 = yes"),
)
BASELINES = sorted((Path(__file__).parents[2] / "evaluators/smtt/baselines").glob("*.py"))


def post(
    url: str, body: Any, path: str = "/chat/completions", **headers: str
) -> tuple[int, dict[str, str], Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", parts.path + path, data, {"Content-Type": "application/json", **headers})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    try:
        return response.status, dict(response.headers.items()), json.loads(text)
    except ValueError:
        return response.status, dict(response.headers.items()), text


def prompt(interface: Interface, *codes: str) -> list[dict[str, str]]:
    brief = Brief(interface, "A problem.", "minimize", "%", 1.0)
    parents = tuple(Parent("h", code, 1.0) for code in codes)
    request = Request(0, 0, "improve" if codes else "create", 0, brief, parents)
    return [{"role": m.role, "content": m.content} for m in messages(request, budget_tokens=4_000)]


def ask(server: MockServer, body: Any) -> str:
    status, _, data = post(server.base_url, body)
    assert status == 200
    return str(data["choices"][0]["message"]["content"])


def test_the_same_content_gets_the_same_reply_from_any_thread() -> None:
    code = BASELINES[0].read_text()
    bodies = [{"messages": prompt(SMTT, code), "seed": i} for i in range(12)]
    with MockServer() as first:
        expected = [ask(first, b) for b in bodies]
    with MockServer() as second, ThreadPoolExecutor(6) as pool:
        shuffled = list(pool.map(lambda b: ask(second, b), reversed(bodies)))
    assert shuffled[::-1] == expected
    assert len(set(expected)) > 6, "the seed varies the reply"


@pytest.mark.parametrize("path", BASELINES, ids=lambda p: p.stem)
def test_edits_of_real_code_pass_the_check_and_change_it(path: Path) -> None:
    code = path.read_text()
    before = check(code, SMTT)
    with MockServer() as server:
        for seed in range(8):
            text = candidate_text(ask(server, {"messages": prompt(SMTT, code), "seed": seed}), (code,), SMTT)
            assert check(text, SMTT).hash != before.hash


def test_a_rule_without_numbers_gets_a_term_that_counts() -> None:
    task = load("tsp-construct")
    code = baseline_code(task, "nearest-neighbour")
    with MockServer() as server:
        for seed in range(4):
            asked = {"messages": prompt(task.interface, code), "seed": seed}
            text = candidate_text(ask(server, asked), (code,), task.interface)
            assert "return distances + w1 * " in text and check(text, task.interface).space


@pytest.mark.parametrize("interface", [SMTT, INDEX, POLICY], ids=lambda i: i.function)
def test_without_a_parent_a_first_function_is_written(interface: Interface) -> None:
    with MockServer() as server:
        text = candidate_text(ask(server, {"messages": prompt(interface)}), (), interface)
    assert check(text, interface).defaults.keys() == {"weight"}


def asked(operator: Operator, **more: Any) -> list[dict[str, str]]:
    brief = Brief(SMTT, "A problem.", "minimize", "%", 1.0)
    parents = (Parent("h", BASELINES[0].read_text(), 1.0),)
    request = replace(Request(0, 0, operator, 0, brief, parents), **more)
    return [{"role": m.role, "content": m.content} for m in messages(request, budget_tokens=4_000)]


def test_a_reflection_is_answered_with_a_note() -> None:
    with MockServer() as server:
        notes = {ask(server, {"messages": asked("reflect"), "seed": s}) for s in range(12)}
    assert len(notes) > 1 and all(note_text(n) == n for n in notes)
    with MockServer(fail={"code": 1.0}) as server, pytest.raises(Unreadable, match="instead of a note"):
        note_text(ask(server, {"messages": asked("reflect"), "seed": 1}))


@pytest.mark.parametrize("works", [True, False])
def test_a_repair_is_answered_with_code_that_does_not_fail(works: bool) -> None:
    fault = Fault("def schedule(a, b):\n    return nothing + here\n", "error: NameError: 'nothing'")
    more = {} if works else {"parents": ()}
    with MockServer() as server:
        for seed in range(6):
            reply = ask(server, {"messages": asked("repair", fault=fault, **more), "seed": seed})
            text = candidate_text(reply, (fault.code,), SMTT)
            check(text, SMTT)
            assert "nothing" not in text


def test_a_model_can_give_back_what_it_got_or_code_that_fails_when_it_runs() -> None:
    code = BASELINES[0].read_text()
    with MockServer(fail={"same": 1.0}) as server:
        text = candidate_text(ask(server, {"messages": prompt(SMTT, code), "seed": 1}), (code,), SMTT)
        assert check(text, SMTT).hash == check(code, SMTT).hash
    with MockServer(fail={"broken": 1.0}) as server:
        text = candidate_text(ask(server, {"messages": prompt(SMTT, code), "seed": 1}), (code,), SMTT)
        assert "1 // 0" in check(text, SMTT).code


def test_chains_of_edits_stay_valid() -> None:
    code = BASELINES[0].read_text()
    with MockServer() as server:
        for seed in range(30):
            code = candidate_text(ask(server, {"messages": prompt(SMTT, code), "seed": seed}), (code,), SMTT)
            check(code, SMTT)


def test_usage_models_and_log() -> None:
    with MockServer(model="abc") as server:
        status, _, data = post(server.base_url, {"messages": prompt(SMTT), "seed": 1}, **{"X-Test": "1"})
        assert status == 200 and data["model"] == "abc" and data["choices"][0]["finish_reason"] == "stop"
        assert data["usage"]["prompt_tokens"] > 100 and data["usage"]["completion_tokens"] > 10
        assert [r.body["seed"] for r in server.chats] == [1] and server.chats[0].headers["x-test"] == "1"
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.base_url).port or 0, timeout=5)
        connection.request("GET", "/v1/models")
        assert json.loads(connection.getresponse().read())["data"][0]["id"] == "abc"
        connection.close()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": []}', b'{"messages": [1]}', b"\xff" * 40])
def test_bad_requests_get_an_error_and_do_no_harm(body: bytes) -> None:
    with MockServer() as server:
        assert post(server.base_url, body)[0] == 400
        assert post(server.base_url, {"messages": prompt(SMTT)})[0] == 200
        assert post(server.base_url, {"messages": prompt(SMTT)}, path="/nowhere")[0] == 404


def test_transient_failures_fail_the_first_try_of_each_request_only() -> None:
    with MockServer(fail={"429": 0.5, "500": 0.5}, retry_after=3) as server:
        seen = set()
        for i in range(12):
            body = {"messages": [{"role": "user", "content": f"{i}"}]}
            status, headers, _ = post(server.base_url, body)
            seen.add(status)
            assert headers.get("Retry-After") == ("3" if status == 429 else None)
            assert post(server.base_url, body)[0] == 200
        assert seen == {429, 500}


def test_shares_are_kept_by_content() -> None:
    def kinds() -> list[str | None]:
        with MockServer(fail={"prose": 0.3, "empty": 0.2}) as server:
            for i in range(200):
                post(server.base_url, {"messages": [{"role": "user", "content": f"{i}"}]})
            return [r.failure for r in server.chats]

    first = kinds()
    assert first == kinds()
    assert 40 <= first.count("prose") <= 80 and 20 <= first.count("empty") <= 60


@pytest.mark.parametrize("kind", sorted(FAILURES.keys() - {"hang"}))
def test_every_failure_plays(kind: str) -> None:
    body = {"messages": prompt(SMTT), "temperature": 1, "max_tokens": 5, "seed": 2}
    with MockServer(fail={kind: 1.0}, slow=0.01) as server:
        status, _, data = post(server.base_url, body)
        assert server.chats[0].failure == kind
    failing = {"429": 429, "500": 500, "key": 401, "context": 400} | {
        k: 400 for k in FAILURES if k.startswith("no-")
    }
    failing.pop("no-usage")
    assert status == failing.get(kind, 200)
    if kind in ("html", "json"):
        assert isinstance(data, str)
    elif kind == "cut":
        assert data["choices"][0]["finish_reason"] == "length"
        with pytest.raises(Exception, match="cut off"):
            candidate_text(data["choices"][0]["message"]["content"], (), SMTT)
    elif kind == "no-usage":
        assert "usage" not in data


def test_a_hanging_request_ends_with_the_server() -> None:
    start = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        with MockServer(fail={"hang": 1.0}) as server:
            hanging = pool.submit(post, server.base_url, {"messages": prompt(SMTT)})
            while not server.chats:
                time.sleep(0.01)
            assert not hanging.done()
        assert isinstance(hanging.exception(5), OSError | http.client.HTTPException)
    assert time.monotonic() - start < 5


def test_shares_are_read_and_checked() -> None:
    assert parse_failures("429=0.1, hang") == {"429": 0.1, "hang": 1.0}
    assert parse_failures("") == {}
    for wrong in ("503=1", "429=2", "429=x", "429=nan"):
        with pytest.raises(UsageError):
            parse_failures(wrong)


def test_a_taken_port_is_one_sentence() -> None:
    with MockServer() as server, pytest.raises(EnvironmentProblem, match="another port"):
        MockServer(port=urlsplit(server.base_url).port or 0)


def test_serve_announces_and_stops() -> None:
    told: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(
        target=serve, kwargs={"port": 0, "announce": told.append, "stop": stop, "model": "m"}
    )
    thread.start()
    while not told:
        time.sleep(0.01)
    assert post(told[0], {"messages": prompt(SMTT)})[0] == 200
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_help_lists_the_failures(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(kind in text for kind in FAILURES)


def test_importing_it_loads_no_client() -> None:
    code = "import sys, discovery.mock_llm; assert not {'openai', 'numpy', 'jinja2', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
