"""Several models: who is asked is a function of seed, slot and what was known; runs with them repeat like any other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loop_processes import command
from toy.loop import Toy

from db.attempts import attempts
from db.records import Attempt
from discovery import config, review
from discovery import run as engine
from discovery.errors import UsageError
from discovery.mock_llm import MockServer
from discovery.progress import StopSignal
from discovery.proposers.choice import CHEAPEST, Arm, Choice, Tally, improved, relative_costs
from discovery.proposers.panel import arms, chat_proposers, single
from discovery.values import Model


def choice(*names: str, rule: Any = "bandit", seed: int = 3, **arm: Any) -> Choice:
    return Choice(seed, [Arm(n, **arm) for n in names], rule, islands=2, direction="minimize")


def attempt(k: int, arm: str, score: float | None = 1.0, **more: Any) -> Attempt:
    made = Attempt(k, k // 8, "improve", arm, None, 1, 1, 100, 0.01, "scored", True, False, score, (2.0,))
    return replace(made, **more)


# -- the choice --


def test_weights_are_kept_in_the_long_run() -> None:
    chosen = Choice(1, [Arm("a", 3.0), Arm("b", 1.0)], "weights", islands=2, direction="minimize")
    counts = Counter(chosen.choose(k, {})[0] for k in range(2000))
    assert counts["a"] / 2000 == pytest.approx(0.75, abs=0.03)
    again = Choice(1, [Arm("a", 3.0), Arm("b", 1.0)], "weights", islands=2, direction="minimize")
    assert [again.choose(k, {}) for k in range(50)] == [chosen.choose(k, {}) for k in range(50)]


def test_every_model_is_tried_first_and_in_every_round() -> None:
    bandit = choice("a", "b", "c")
    names = [bandit.choose(k, {})[0] for k in range(12)]
    assert all(set(names[i : i + 3]) == {"a", "b", "c"} for i in range(0, 12, 3))
    assert {bandit.choose(k, {"a": Tally(5, 5, 1, 1), "b": Tally(5, 5, 1, 1)})[0] for k in range(20)} == {"c"}


def test_the_better_for_its_cost_is_asked_more() -> None:
    bandit = choice("dear", "cheap")

    def share(dear: Tally, cheap: Tally) -> float:
        known = {"dear": dear, "cheap": cheap}
        return sum(bandit.choose(k, known)[0] == "cheap" for k in range(400)) / 400

    same = Tally(40, 10, 4000, 40, 0.4, 40)
    assert share(same, same) == pytest.approx(0.5, abs=0.1)
    assert share(replace(same, cost=4.0), same) > 0.95, "equal gains at a tenth of the cost"
    assert share(replace(same, improved=30), replace(same, improved=1)) < 0.05
    assert share(replace(same, improved=30, cost=1.2), same) == pytest.approx(0.5, abs=0.2)


def test_costs_without_figures_and_free_ones_divide_by_no_zero() -> None:
    free, paid = Tally(4, 1, 400, 4, 0.0, 4), Tally(4, 1, 800, 4, 0.2, 4)
    assert relative_costs({"free": free, "paid": paid}) == {"free": CHEAPEST, "paid": 1.0}
    assert relative_costs({"a": free, "b": replace(free, tokens=200)}) == {"a": 1.0, "b": 0.5}, (
        "all free: tokens"
    )
    unpriced = replace(paid, priced=0, cost=0.0)
    assert relative_costs({"a": unpriced, "b": replace(paid, tokens=400)}) == {"a": 1.0, "b": 0.5}
    silent = Tally(4, 1, 0, 0, 0.0, 0)
    assert relative_costs({"a": silent, "b": free}) == {"a": 1.0, "b": 1.0}
    assert relative_costs({"a": silent}) == {"a": 1.0}
    assert relative_costs({"a": Tally(4, 1, 0, 4, 0.0, 4)}) == {"a": 1.0}


def test_it_learns_from_integrated_batches_only() -> None:
    bandit = choice("a", "b")
    bandit.learn(0, [attempt(0, "a"), attempt(1, "b", None, outcome="refused", checked=False)])
    bandit.learn(1, [attempt(8, "a", 3.0), attempt(9, "a", operator="reflect"), attempt(10, "old")])
    assert bandit.known(-1) == {}
    assert bandit.known(0) == {"a": Tally(1, 1, 100, 1, 0.01, 1), "b": Tally(1, 0, 100, 1, 0.01, 1)}
    assert bandit.known(1)["a"] == Tally(2, 1, 200, 2, 0.02, 2)


def test_better_than_each_parent_is_an_improvement() -> None:
    assert improved(attempt(0, "a", parents=(2.0, 1.5)), "minimize")
    assert not improved(attempt(0, "a", parents=(2.0, 0.5)), "minimize")
    assert improved(attempt(0, "a", parents=(0.5,)), "maximize")
    assert improved(attempt(0, "a", parents=(None, 2.0)), "minimize"), "what is repaired has no score"
    assert not improved(attempt(0, "a", duplicate=True), "minimize")
    assert not improved(attempt(0, "a", None), "minimize") and not improved(
        attempt(0, "a", parents=()), "minimize"
    )


def test_each_island_climbs_the_whole_ladder() -> None:
    ladder = choice("a", temperatures=(0.2, 0.6, 1.0))
    rungs = [ladder.choose(k, {})[1] for k in range(12)]
    assert rungs == [0.2, 0.2, 0.6, 0.6, 1.0, 1.0] * 2
    assert {rungs[k] for k in range(0, 12, 2)} == {rungs[k] for k in range(1, 12, 2)} == {0.2, 0.6, 1.0}
    assert choice("a").choose(5, {}) == ("a", None)


# -- the settings --


def loaded(tmp_path: Path, text: str, **flags: Any) -> config.Settings:
    (tmp_path / "discover.toml").write_text(text)
    return config.load(flags, folder=tmp_path, environment={}).settings


TABLE = """
model = ["a", "b"]
base_url = "http://127.0.0.1:1/v1"
temperature = [0.2, 1]
[models.b]
base_url = "http://127.0.0.1:2/v1"
weight = 2
temperature = 0.5
max_tokens = 300
"""


def test_models_from_a_list_and_a_table(tmp_path: Path) -> None:
    settings = loaded(tmp_path, TABLE)
    assert settings.named_models == ("a", "b") and settings.proposer == "chat"
    assert arms(settings) == (Arm("a", 1.0, (0.2, 1.0)), Arm("b", 2.0, (0.5,)))
    assert single(settings, "b").base_url == "http://127.0.0.1:2/v1"
    proposers = chat_proposers(settings)
    assert (proposers["a"].max_tokens, proposers["b"].max_tokens) == (1500, 300)
    assert config.load({"model": "x, y,x"}, folder=tmp_path, environment={}).settings.named_models == (
        "x",
        "y",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models.a]\nweigt = 2", "unknown key 'weigt'"),
        ("[models.a]\nweight = -1", "models.a.weight is -1; expected a number of at least 0"),
        ("[models]\na = 3", r"expected \[models.\"name\"\]"),
        ('temperature = "hot"', "expected one number of at least 0, or several with commas between"),
        ("temperature = []", "expected one number"),
        ("temperature = [0.2, -1]", "expected one number"),
    ],
)
def test_broken_tables_and_ladders_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        loaded(tmp_path, text)


def test_models_that_nobody_may_ask(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="all of them have weight 0"):
        arms(loaded(tmp_path, 'model = "a"\n[models.a]\nweight = 0'))


# -- whole runs --


class After(StopSignal):
    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks

    @property
    def finishing(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with MockServer(fail={"prose": 0.2, "no-usage": 0.1}) as made:
        yield made


def chosen(toy: Toy, url: str, **more: Any) -> engine.RunSettings:
    tables = {"free": Model(max_tokens=400), "paid": Model(temperature=(0.4, 0.9)), "third": Model()}
    settings = toy.settings(
        proposer="chat", model="free,paid,third", base_url=url, models=tables, model_choice="bandit",
        prices={"paid": config.Price(1.0, 2.0)}, tune=False, samples=28, **more,
    )  # fmt: skip
    return engine.RunSettings("knapsack", settings)


def asked(toy: Toy, run: str, db: str = "ledger") -> list[tuple[int, int, str | None, float | None]]:
    with toy.ledger(db) as ledger:
        return [(p.k, p.r, p.arm, p.temperature) for p in ledger.proposals(run)]


def test_a_bandit_run_is_the_same_in_parts_with_more_workers_and_by_replay(
    toy: Toy, server: MockServer
) -> None:
    whole = engine.start(chosen(toy, server.base_url, db="whole"))
    rows, digest = asked(toy, whole.run, "whole"), toy.digest(whole.run, "whole")
    assert len({arm for _, _, arm, _ in rows}) == 3
    assert {t for _, _, arm, t in rows if arm == "paid"} == {0.4, 0.9}
    repairs = [(k, arm, t) for k, r, arm, t in rows if r == 1]
    assert repairs and all((k, 0, arm, t) in rows for k, arm, t in repairs), "a repair goes to the same model"

    report = engine.start(chosen(toy, server.base_url, db="parts", in_flight=1), stop=After(1))
    sittings = 1
    while report.interrupted:
        report = toy.resume(report.run, db="parts", stop=After(1))
        sittings += 1
        assert sittings < 60, "each sitting goes on by a step"
    assert asked(toy, report.run, "parts") == rows and toy.digest(report.run, "parts") == digest

    settings = toy.settings(proposer="replay", db="whole")
    replayed = engine.start(engine.RunSettings("knapsack", settings, replay=whole.run))
    assert toy.digest(replayed.run, "whole") == digest
    sent = Counter(r.body["model"] for r in server.chats)
    assert set(sent) == {"free", "paid", "third"} and all(
        "temperature" in r.body for r in server.chats if r.body["model"] == "paid"
    )


def test_what_the_bandit_knew_is_a_function_of_the_ledger(toy: Toy, server: MockServer) -> None:
    report = engine.start(chosen(toy, server.base_url))
    settings = chosen(toy, server.base_url).settings
    bandit = Choice(0, arms(settings), "bandit", islands=2, direction="maximize")
    with toy.ledger() as ledger:
        slots = attempts(ledger, report.run)
        assert len(slots) == 28 and slots == tuple(
            a for g in range(7) for a in attempts(ledger, report.run, g)
        )
    for g in range(7):
        for slot in slots[4 * g : 4 * g + 4]:
            assert bandit.choose(slot.k, bandit.known(g - 2))[0] == slot.arm
        bandit.learn(g, slots[4 * g : 4 * g + 4])
    assert sum(t.slots for t in bandit.known(6).values()) == 28


def test_rates_by_model_and_temperature_add_up(toy: Toy, server: MockServer) -> None:
    report = engine.start(chosen(toy, server.base_url, temperature=(0.1, 0.7)))
    with toy.ledger() as ledger:
        data = review.summary(ledger, report.run).to_json()
        spent = ledger.spent(report.run)
    rows: Any = data["models"]
    assert [r["model"] for r in rows] == ["free", "paid", "third"]
    total = {n: sum(r[n] for r in rows) for n in ("samples", "requests", "valid", "new", "checked")}
    outcomes: Any = data["outcomes"]
    assert total["samples"] == 28 and total["requests"] == spent.requests
    assert total["new"] == outcomes["scored"] + outcomes["stopped"] == report.valid
    assert total["checked"] == 28 - outcomes["refused"] - outcomes["lost"]
    assert all(r["replies"] <= r["requests"] and r["improved"] <= r["new"] <= r["valid"] for r in rows)
    assert any(r["tokens"] is None for r in rows), "a reply without counts makes a sum unknown"
    ladder: Any = data["temperatures"]
    assert [r["temperature"] for r in ladder] == [0.1, 0.4, 0.7, 0.9]
    assert sum(r["samples"] for r in ladder) == 28


def test_a_limit_of_cost_needs_the_price_of_every_model(toy: Toy) -> None:
    with pytest.raises(UsageError, match="price of model 'free'"):
        engine.start(chosen(toy, "https://models.example.org/v1", cost=1.0))


def test_the_command_line(installed: Path, tmp_path: Path, server: MockServer) -> None:
    words = ["run", "--task", "knapsack", "--base-url", server.base_url, "--samples", "6", "--batch", "3"]
    words += ["--no-tune", "--db", "l.sqlite", "--model", "a", "--model", "b,c", "--temperature", "0.3,0.9"]
    process = command(installed, tmp_path, *words, "--model-choice", "bandit")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    run = json.loads(out)["run"]
    process = command(installed, tmp_path, "resume", run, "--db", "l.sqlite")
    assert json.loads(process.communicate(timeout=120)[0])["samples"] == 6
    assert {r.body["model"] for r in server.chats} == {"a", "b", "c"}
    assert {r.body["temperature"] for r in server.chats} == {0.3, 0.9}
    refused = command(
        installed, tmp_path, "run", "--task", "knapsack", "--model", "a", "--model-choice", "bandit"
    )
    assert "no effect with one model" in refused.communicate(timeout=60)[1] and refused.returncode == 2


def test_a_row_from_before_has_one_temperature(toy: Toy, server: MockServer) -> None:
    """Runs that began when a temperature was one number go on."""
    report = engine.start(chosen(toy, server.base_url), stop=After(2))
    with toy.ledger() as ledger:
        record = ledger.run(report.run)
    frozen: Any = record.settings
    old = {**frozen, "settings": {**frozen["settings"], "temperature": 0.3}}
    del old["settings"]["models"], old["settings"]["model_choice"], old["settings"]["wait"]
    from discovery.frozen import thaw

    plan = thaw(replace(record, settings=old), "x")
    assert plan.settings.temperature == (0.3,) and plan.settings.models == {} and plan.settings.wait == 5.0
