"""The suite of proposers on genetic, replay, and chat against the scripted server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.proposer_conformance import TASKS, ProposerConformance, parents_of, request
from discovery.mock_llm import MockServer
from discovery.proposers.base import Proposer, Reply, Request
from discovery.proposers.cassette import Cassette
from discovery.proposers.chat import ChatProposer
from discovery.proposers.genetic import GeneticProposer
from discovery.proposers.replay import ReplayProposer


class TestGenetic(ProposerConformance):
    known_avoided = True

    def make(self) -> Proposer:
        return GeneticProposer()


class TestReplay(ProposerConformance):
    varied = False

    def make(self) -> Proposer:
        code = parents_of(TASKS[0])[1].code
        replies = {(k, 0): Reply(code + f"# {k}\n", "recorded") for k in range(5)}
        return ReplayProposer(Cassette("t", replies))

    def requests(self) -> list[Request]:
        return [request(TASKS[0], slot) for slot in range(5)]

    def test_a_slot_without_a_recording_is_refused(self) -> None:
        assert self.text(self.make(), request(TASKS[0], 5)).startswith("refused: the recording has no reply")


class TestChat(ProposerConformance):
    slots = range(3)

    @pytest.fixture(autouse=True)
    def _server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        with MockServer() as server:
            self.url = server.base_url
            yield

    def make(self) -> Proposer:
        return ChatProposer("mock", self.url, temperature=None)
