"""The chat proposer over real HTTP: what works, what is met half-way, what is refused, and what stops a run."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from discovery.candidate import check
from discovery.config import Price, Settings
from discovery.errors import EnvironmentProblem, UsageError
from discovery.mock_llm import MockServer
from discovery.proposers.base import (
    Brief,
    Message,
    Parent,
    Proposer,
    ProposerRefused,
    ProposerUnavailable,
    Request,
)
from discovery.proposers.chat import STRIKES, AnsweredRefused, ChatProposer
from discovery.proposers.endpoint import normalised
from discovery.proposers.prices import FREE, cost_of, is_local, price_of
from discovery.proposers.reading import candidate_text
from evaluators.registry import load

TASK = load("smtt")
MDD = TASK.baselines()["mdd"].path.read_text()  # type: ignore[union-attr]
REMOTE = "https://models.example.org/v1"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


def request(slot: int = 0, attempt: int = 0) -> Request:
    brief = Brief(TASK.interface, TASK.summary, "minimize", "%", 0.25, ("mdd", 1.3))
    return Request(slot, attempt, "improve", 7, brief, (Parent("h", MDD, 1.5, {"a": 1.0, "b": 2.0}),))


class Patient(ChatProposer):
    """Notes the waits instead of waiting."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.waits: list[float] = []
        self._sleep = self.waits.append


def ask(proposer: ChatProposer, slot: int = 0) -> Any:
    asked = request(slot)
    return proposer.ask(asked, proposer.prompt(asked))


@contextmanager
def fixed(
    status: int, body: str | bytes, headers: Sequence[tuple[str, str]] = ()
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that gives one answer to everything, and the bodies it got."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.do_GET()

        def do_GET(self) -> None:
            data = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in [("Content-Type", "application/json"), *headers]:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", got
    finally:
        server.shutdown()
        server.server_close()


def completion(**message: Any) -> str:
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": message.pop("finish", "stop"),
    }
    return json.dumps({"model": "m-2026", "choices": [choice]})


class TestReplies:
    def test_a_reply_is_readable_and_counted(self) -> None:
        with MockServer() as server:
            proposer: Proposer = ChatProposer("mock", server.base_url)
            asked = request()
            prompt = proposer.prompt(asked)
            reply = proposer.ask(asked, prompt)
        check(candidate_text(reply.text, (MDD,), TASK.interface), TASK.interface)
        assert reply.model == "mock" and reply.finish == "stop" and reply.cost == 0.0
        assert reply.prompt_tokens and reply.completion_tokens
        assert reply.prompt_tokens + reply.completion_tokens <= proposer.reserve(prompt)

    def test_what_is_sent(self) -> None:
        with MockServer() as server:
            ask(ChatProposer("a-model", server.base_url, temperature=0.3, max_tokens=77))
            body = server.chats[0].body
        assert (body["model"], body["temperature"], body["max_tokens"]) == ("a-model", 0.3, 77)
        assert [m["role"] for m in body["messages"]] == ["system", "user"]
        assert body.keys() == {"model", "messages", "temperature", "max_tokens", "seed"}

    def test_no_temperature_is_sent_when_it_is_left_to_the_server(self) -> None:
        with MockServer() as server:
            ask(ChatProposer("m", server.base_url, temperature=None))
            assert "temperature" not in server.chats[0].body

    def test_the_seed_comes_from_run_slot_and_attempt(self) -> None:
        with MockServer() as server:
            proposer = ChatProposer("m", server.base_url)
            texts = []
            for asked in (request(1), request(2), request(1, 1), request(1)):
                texts.append(proposer.ask(asked, proposer.prompt(asked)).text)
            seeds = [r.body["seed"] for r in server.chats]
        assert seeds[0] == seeds[3] and len(set(seeds)) == 3 and all(0 <= s < 2**31 for s in seeds)
        assert texts[0] == texts[3]

    def test_threads_get_the_same_replies(self) -> None:
        with MockServer(fail={"429": 0.2, "500": 0.2}, retry_after=0.01) as server:
            alone = Patient("m", server.base_url)
            expected = [ask(alone, k).text for k in range(16)]
        with (
            MockServer(fail={"429": 0.2, "500": 0.2}, retry_after=0.01) as server,
            ThreadPoolExecutor(8) as pool,
        ):
            shared = Patient("m", server.base_url)
            got = [r.text for r in pool.map(lambda k: ask(shared, k), range(16))]
        assert got == expected

    def test_missing_usage_is_unknown_not_zero(self) -> None:
        with MockServer(fail={"no-usage": 1}) as server:
            prices = {"m": Price(1.0, 2.0)}
            reply = ask(ChatProposer("m", server.base_url, prices=prices))
        assert (reply.prompt_tokens, reply.completion_tokens, reply.cost) == (None, None, None)

    def test_cost_by_the_table_with_cached_tokens(self) -> None:
        usage = {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 600},
        }
        body = json.loads(completion(content="x")) | {"usage": usage}
        with fixed(200, json.dumps(body)) as (url, _):
            prices = {"m": Price(2.0, 10.0, 0.5)}
            reply = ask(ChatProposer("m", url, prices=prices))
        assert reply.cost == pytest.approx((400 * 2.0 + 600 * 0.5 + 100 * 10.0) / 1e6)
        assert reply.model == "m-2026"

    @pytest.mark.parametrize(
        "usage", ["none", 3, [], {"prompt_tokens": "many"}, {"prompt_tokens": -1, "completion_tokens": True}]
    )
    def test_odd_usage_is_unknown(self, usage: object) -> None:
        with fixed(200, json.dumps(json.loads(completion(content="x")) | {"usage": usage})) as (url, _):
            reply = ask(ChatProposer("m", url))
        assert (reply.prompt_tokens, reply.completion_tokens) == (None, None)

    def test_content_in_parts_and_characters_no_database_takes(self) -> None:
        parts = '[{"type": "text", "text": "a\\u0000\\ud800"}, {"text": "b"}, 1]'
        body = f'{{"choices": [{{"message": {{"content": {parts}}}}}]}}'
        with fixed(200, body) as (url, _):
            assert ask(ChatProposer("m", url)).text == "a\ufffd?b"

    def test_a_cut_off_reply_says_so(self) -> None:
        with MockServer(fail={"cut": 1}) as server:
            assert ask(ChatProposer("m", server.base_url)).finish == "length"


class TestRetries:
    def test_rate_limits_wait_as_long_as_the_server_says(self) -> None:
        with MockServer(fail={"429": 1}, retry_after=3) as server:
            proposer = Patient("m", server.base_url)
            ask(proposer)
            first, second = server.chats
        assert proposer.waits == [3.0] and first.body == second.body

    @pytest.mark.parametrize(("header", "wait"), [("Retry-After-Ms", 0.25), ("Retry-After", 0.0)])
    def test_other_forms_of_retry_after(self, header: str, wait: float) -> None:
        value = "250" if wait else "Wed, 21 Oct 2015 07:28:00 GMT"
        with fixed(429, "{}", [(header, value)]) as (url, _):
            proposer = Patient("m", url, retries=1)
            with pytest.raises(ProposerUnavailable):
                ask(proposer)
        assert proposer.waits == [wait]

    def test_server_errors_back_off_and_succeed(self) -> None:
        with MockServer(fail={"500": 1}) as server:
            proposer = Patient("m", server.base_url)
            ask(proposer)
        assert len(proposer.waits) == 1 and 0.3 < proposer.waits[0] < 0.7

    def test_a_lasting_rate_limit_stops_the_run(self) -> None:
        with fixed(429, '{"error": {"message": "slow down"}}', [("Retry-After", "2")]) as (url, got):
            proposer = Patient("m", url, retries=3)
            with pytest.raises(ProposerUnavailable, match=r"limits the rate: slow down.*4 tries.*later"):
                ask(proposer)
        assert len(got) == 4 and proposer.waits == [2.0] * 3

    def test_nobody_waits_an_hour(self) -> None:
        with fixed(429, "{}", [("Retry-After", "3600")]) as (url, got):
            proposer = Patient("m", url)
            with pytest.raises(ProposerUnavailable):
                ask(proposer)
        assert len(got) == 1 and proposer.waits == []

    def test_lasting_server_errors_lose_the_slot_and_then_stop_the_run(self) -> None:
        with fixed(503, "busy") as (url, got):
            proposer = Patient("m", url, retries=1)
            for _ in range(STRIKES - 1):
                with pytest.raises(ProposerRefused, match="503: busy"):
                    ask(proposer)
            with pytest.raises(ProposerUnavailable, match="in a row"):
                ask(proposer)
        assert len(got) == 2 * STRIKES

    def test_a_hanging_server_is_left_after_the_timeout(self) -> None:
        with MockServer(fail={"hang": 1}) as server:
            start = time.monotonic()
            with pytest.raises(ProposerRefused, match=r"did not answer within 0\.3 s"):
                ask(Patient("m", server.base_url, timeout=0.3, retries=1))
            assert len(server.chats) == 2
        assert time.monotonic() - start < 20

    def test_a_closed_port_stops_the_run(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        proposer = Patient("m", url, retries=2)
        with pytest.raises(ProposerUnavailable, match=r"cannot be reached.*is the server running"):
            ask(proposer)
        assert len(proposer.waits) == 2


class TestHalfWay:
    @pytest.mark.parametrize(
        ("kind", "dropped", "instead"),
        [
            ("no-temperature", "temperature", None),
            ("no-max-tokens", "max_tokens", "max_completion_tokens"),
            ("no-seed", "seed", None),
        ],
    )
    def test_a_refused_parameter_is_dropped_and_remembered(
        self, kind: str, dropped: str, instead: str | None
    ) -> None:
        with MockServer(fail={kind: 1}) as server:
            proposer = ChatProposer("m", server.base_url)
            ask(proposer, 0), ask(proposer, 1)
            bodies = [r.body for r in server.chats]
        assert [dropped in b for b in bodies] == [True, False, False]
        assert instead is None or [instead in b for b in bodies] == [False, True, True]

    def test_a_refused_system_message_joins_the_user_message(self) -> None:
        with MockServer(fail={"no-system": 1}) as server:
            proposer = ChatProposer("m", server.base_url)
            ask(proposer, 0), ask(proposer, 1)
            sent = [r.body["messages"] for r in server.chats]
        assert [len(m) for m in sent] == [2, 1, 1]
        assert (
            sent[1][0]["role"] == "user"
            and sent[1][0]["content"] == f"{sent[0][0]['content']}\n{sent[0][1]['content']}"
        )

    def test_everything_at_once(self) -> None:
        kinds = ("no-temperature", "no-max-tokens", "no-seed", "no-system")
        with MockServer(fail=dict.fromkeys(kinds, 1.0)) as server:
            ask(ChatProposer("m", server.base_url))
            assert len(server.chats) == 5

    def test_an_error_about_something_else_is_not_met_half_way(self) -> None:
        body = '{"error": {"message": "the field seed_x is bad", "param": "messages"}}'
        with fixed(400, body) as (url, got):
            with pytest.raises(ProposerRefused, match="seed_x"):
                ask(ChatProposer("m", url))
            assert len(got) == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("kind", "said"), [("empty", "empty"), ("filter", "content filter"), ("context", "too long")]
    )
    def test_kinds(self, kind: str, said: str) -> None:
        with MockServer(fail={kind: 1}) as server:
            with pytest.raises(ProposerRefused, match=said):
                ask(Patient("m", server.base_url))
            assert len(server.chats) == 1, "not tried again"

    def test_tokens_that_were_spent_are_told(self) -> None:
        with MockServer(fail={"empty": 1}) as server, pytest.raises(AnsweredRefused) as caught:
            ask(ChatProposer("m", server.base_url))
        assert caught.value.reply.prompt_tokens and caught.value.reply.cost == 0.0

    @pytest.mark.parametrize(
        ("message", "said"),
        [
            ({"content": None, "refusal": "I will not."}, "refused: I will not"),
            ({"content": None, "tool_calls": [{"id": "1"}]}, "empty"),
            ({"content": "", "reasoning_content": "Hm.", "finish": "length"}, "reasoning"),
        ],
    )
    def test_messages_without_text(self, message: dict[str, Any], said: str) -> None:
        with fixed(200, completion(**message)) as (url, _), pytest.raises(ProposerRefused, match=said):
            ask(ChatProposer("m", url))

    @pytest.mark.parametrize("kind", ["prose", "refusal", "language"])
    def test_text_without_code_is_left_to_the_reader(self, kind: str) -> None:
        with MockServer(fail={kind: 1}) as server:
            assert ask(ChatProposer("m", server.base_url)).text

    def test_the_reason_is_safe_to_print(self) -> None:
        body = json.dumps({"error": {"message": "bad \x1b[31m\u202e" + "x" * 5000}})
        with fixed(400, body) as (url, _), pytest.raises(ProposerRefused) as caught:
            ask(ChatProposer("m", url))
        assert str(caught.value).isprintable() and len(str(caught.value)) < 500


class TestUnavailable:
    @pytest.mark.parametrize(
        ("status", "body", "said"),
        [
            (401, "{}", "refuses the key.*OPENAI_API_KEY"),
            (403, "<html>", "refuses the key"),
            (402, '{"error": "no money"}', "credit: no money"),
            (
                404,
                '{"error": {"message": "model \\"m\\" not found, try pulling it first"}}',
                "no model 'm'.*try pulling",
            ),
            (400, '{"error": {"message": "The model `m` does not exist"}}', "no model 'm'"),
            (429, '{"error": {"code": "insufficient_quota", "message": "pay"}}', "credit: pay"),
            (405, "", "status 405"),
            (200, "<!DOCTYPE html><html></html>", "a web page instead"),
            (200, "", "something else instead"),
            (200, "null", "something else"),
            (200, "[]", "something else"),
            (200, '{"choices": []}', "something else"),
            (200, '{"choices": [null]}', "something else"),
            (200, '{"choices": {"0": 1}}', "something else"),
            (200, '{"choices": [{"message": "text"}]}', "something else"),
            (200, '{"choices": [{"message": {"content"', "something else"),
            (200, "[" * 100_000, "something else"),
            (200, b"\xff\xfe\x00", "something else"),
        ],
    )
    def test_one_sentence_with_url_and_model(self, status: int, body: str | bytes, said: str) -> None:
        with fixed(status, body) as (url, got):
            with pytest.raises(ProposerUnavailable, match=said) as caught:
                ask(Patient("m", url))
            assert len(got) == 1 and url in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("kind", ["html", "json", "odd"])
    def test_bodies_of_the_mock_server(self, kind: str) -> None:
        with (
            MockServer(fail={kind: 1}) as server,
            pytest.raises(ProposerUnavailable, match="instead of a chat completion"),
        ):
            ask(Patient("m", server.base_url))

    def test_an_error_inside_a_success(self) -> None:
        with fixed(200, '{"error": {"message": "upstream broke", "code": 502}}') as (url, got):
            with pytest.raises(ProposerRefused, match="upstream broke"):
                ask(Patient("m", url, retries=1))
            assert len(got) == 2


class TestSetUp:
    def test_a_model_must_be_named(self) -> None:
        for name in ("", "  "):
            with pytest.raises(UsageError, match="name a model"):
                ChatProposer(name, "http://127.0.0.1:1/v1")

    def test_a_remote_server_needs_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(EnvironmentProblem, match="MY_KEY"):
            ChatProposer("m", REMOTE, api_key_env="MY_KEY")
        monkeypatch.setenv("MY_KEY", "two words")
        with pytest.raises(EnvironmentProblem, match="holds no key") as caught:
            ChatProposer("m", REMOTE, api_key_env="MY_KEY")
        assert "two words" not in str(caught.value)

    def test_the_key_of_a_paid_service_stays_away_from_local_servers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        monkeypatch.setenv("OWN_KEY", "own")
        with MockServer(key="own") as server:
            ask(ChatProposer("m", server.base_url, api_key_env="OWN_KEY"))
            with pytest.raises(ProposerUnavailable, match="name another variable") as caught:
                ask(ChatProposer("m", server.base_url))
            sent = [r.headers["authorization"] for r in server.chats]
        assert sent == ["Bearer own", "Bearer local"] and "sk-secret" not in str(caught.value)

    def test_the_key_is_nowhere_in_the_object(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        proposer = ChatProposer("m", REMOTE)
        assert "sk-secret" not in repr(vars(proposer)) + proposer.describe()

    @pytest.mark.parametrize(
        ("given", "used"),
        [
            ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            ("localhost:8000", "http://localhost:8000/v1"),
            ("http://[::1]:8080/v1/", "http://[::1]:8080/v1"),
            ("https://a.example/openai/v1/chat/completions", "https://a.example/openai/v1"),
            (None, "https://api.openai.com/v1"),
        ],
    )
    def test_base_urls(self, given: str | None, used: str) -> None:
        assert normalised(given) == used

    @pytest.mark.parametrize(
        "given",
        [
            "ftp://x",
            "models.example.org/v1",
            "http://",
            "https://u:p@x/v1",
            "http://x/v1?key=1",
            "http://x:99999",
            "http://[bad",
        ],
    )
    def test_addresses_that_are_none(self, given: str) -> None:
        with pytest.raises(UsageError) as caught:
            normalised(given)
        assert "u:p" not in str(caught.value)

    def test_the_environment_names_the_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        assert ChatProposer("m").base_url == "http://127.0.0.1:9/v1"

    def test_defaults_follow_the_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        near, far = ChatProposer("m", "http://10.0.0.7:8000/v1"), ChatProposer("m", REMOTE)
        assert (near.budget_tokens, far.budget_tokens) == (1_500, 8_000)
        assert near.max_tokens < far.max_tokens

    def test_from_settings(self) -> None:
        settings = Settings(
            model="m", base_url="http://127.0.0.1:9", max_tokens=99, timeout=3.0, temperature=(0.1,)
        )
        proposer = ChatProposer.from_settings(settings)
        assert (proposer.model, proposer.base_url, proposer.max_tokens) == ("m", "http://127.0.0.1:9/v1", 99)
        assert (proposer.timeout, proposer.temperature) == (3.0, 0.1)

    def test_a_proxy_does_not_stand_before_a_local_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        with MockServer() as server:
            assert ask(ChatProposer("m", server.base_url)).text

    def test_the_client_is_loaded_late(self) -> None:
        code = (
            "import sys; from discovery.proposers.chat import ChatProposer; ChatProposer('m', 'http://127.0.0.1:9/v1');"
            "assert not {'openai', 'httpx2', 'jinja2'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestProbe:
    def test_a_server_with_the_model(self) -> None:
        with MockServer(model="m") as server:
            probe = ChatProposer("m", server.base_url).probe()
            assert (probe.reachable, probe.models) == (True, ("m",)) and not server.chats

    def test_a_server_without_the_model_names_what_it_has(self) -> None:
        with MockServer(model="other") as server:
            probe = ChatProposer("m", server.base_url).probe()
        assert probe.reachable and "does not list model m" in probe.sentence and "other" in probe.sentence

    @pytest.mark.parametrize(
        ("status", "body", "reachable"),
        [
            (401, "{}", False),
            (404, "", True),
            (200, "<html>", False),
            (200, "[]", False),
            (200, '{"data": [1]}', True),
        ],
    )
    def test_other_answers(self, status: int, body: str, reachable: bool) -> None:
        with fixed(status, body) as (url, _):
            assert ChatProposer("m", url).probe().reachable is reachable

    def test_nobody_there(self) -> None:
        probe = ChatProposer("m", "http://127.0.0.1:9/v1").probe()
        assert not probe.reachable and "cannot be reached" in probe.sentence

    def test_describe_names_model_place_and_cost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        assert (
            ChatProposer("m", "http://127.0.0.1:9").describe()
            == "model m at http://127.0.0.1:9/v1 (local, no cost)"
        )
        assert "cost unknown" in ChatProposer("m", REMOTE).describe()


class TestInFlight:
    def test_no_more_requests_at_once_than_allowed(self) -> None:
        with MockServer(delay=0.05) as server:
            proposer = ChatProposer("mock", server.base_url, in_flight=2)
            asked = [request(slot=k) for k in range(6)]
            with ThreadPoolExecutor(6) as pool:
                list(pool.map(lambda r: proposer.ask(r, proposer.prompt(r)), asked))
            assert server.most_at_once == 2


class TestPrices:
    @pytest.mark.parametrize(
        ("url", "local"),
        [
            ("http://localhost/v1", True), ("http://127.0.0.9:1", True), ("http://[::1]/", True),
            ("http://192.168.1.5/", True),
            ("http://10.1.1.1", True), ("http://host.docker.internal:1", True), ("https://api.openai.com/v1", False),
            ("http://8.8.8.8", False), ("http://localhost.example.org", False), ("http://127.0.0.1.example.org", False),
        ],
    )  # fmt: skip
    def test_local_addresses(self, url: str, local: bool) -> None:
        assert is_local(url) is local

    def test_table_then_place_then_unknown(self) -> None:
        prices = {"m": Price(1, 2)}
        assert price_of("m", "http://127.0.0.1", prices) == Price(1, 2)
        assert price_of("n", "http://127.0.0.1", prices) == FREE
        assert price_of("n", REMOTE, prices) is None

    def test_cached_tokens_cost_as_others_without_a_price_of_their_own(self) -> None:
        assert cost_of(Price(2, 4), 1_000_000, 500_000, 400_000) == 4.0
        assert cost_of(Price(2, 4, 0.0), 1_000_000, 0, 2_000_000) == 0.0


def test_reserve_covers_prompt_and_reply() -> None:
    proposer = ChatProposer("m", "http://127.0.0.1:9", max_tokens=100)
    assert proposer.reserve((Message("user", "a" * 320),)) == 100 + 8 + 100
