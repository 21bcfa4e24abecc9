"""Which value wins, where it came from, and what a broken one says."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from discovery.config import Price, RunSettings, Settings, cores, load, masked, rules
from discovery.errors import UsageError


def test_flag_beats_variable_beats_file_beats_default(tmp_path: Path) -> None:
    def seed(flags: dict[str, object], environment: dict[str, str]) -> tuple[int, str]:
        loaded = load(flags, folder=tmp_path, environment=environment)
        return loaded.settings.seed, loaded.origins["seed"]

    assert seed({}, {}) == (0, "default")
    (tmp_path / "pyproject.toml").write_text("[tool.discover]\nseed = 1\n")
    assert seed({}, {}) == (1, "pyproject.toml [tool.discover]")
    (tmp_path / "discover.toml").write_text("seed = 2\n")
    assert seed({}, {}) == (2, "discover.toml")
    assert seed({}, {"DISCOVER_SEED": "3"}) == (3, "DISCOVER_SEED")
    assert seed({"seed": 4}, {"DISCOVER_SEED": "3"}) == (4, "flag")
    assert seed({"seed": None}, {"DISCOVER_SEED": ""}) == (2, "discover.toml"), "not given is not a value"


def test_every_setting_has_a_rule_an_origin_and_a_place_in_the_data(tmp_path: Path) -> None:
    loaded = load(folder=tmp_path, environment={})
    names = [f.name for f in fields(Settings)]
    assert set(names) == {*rules(), "options", "prices", "models"}
    assert set(loaded.origins) == set(names) == set(loaded.settings.to_json())
    assert all(rule.about for rule in rules().values())


def test_the_defaults_obey_their_own_rules(tmp_path: Path) -> None:
    settings = load(folder=tmp_path, environment={}).settings
    given = {name: value for name in rules() if (value := getattr(settings, name)) is not None}
    assert load(given, folder=tmp_path, environment={}).settings == settings


@pytest.mark.parametrize(
    "flags, expected",
    [
        ({}, ("genetic", 120, None)),
        ({"model": "m"}, ("chat", 50, 200_000)),
        ({"model": "m", "samples": 5, "tokens": 9}, ("chat", 5, 9)),
        ({"model": "m", "proposer": "genetic"}, ("genetic", 120, None)),
        ({"proposer": "replay"}, ("replay", None, None)),
    ],
)
def test_caps_follow_the_proposer(
    tmp_path: Path, flags: dict[str, object], expected: tuple[object, ...]
) -> None:
    s = load(flags, folder=tmp_path, environment={}).settings
    assert (s.proposer, s.samples, s.tokens) == expected


def test_a_key_in_the_environment_names_no_model(tmp_path: Path) -> None:
    assert load(folder=tmp_path, environment={"OPENAI_API_KEY": "sk-x"}).settings.proposer == "genetic"


def test_workers_follow_cores_and_batch(tmp_path: Path) -> None:
    assert load(folder=tmp_path, environment={}).settings.workers == min(cores(), 8)
    assert load({"batch": 1}, folder=tmp_path, environment={}).settings.workers == 1
    assert load({"workers": 99}, folder=tmp_path, environment={}).settings.workers == 99


def test_the_base_url_of_openai_is_a_last_resort(tmp_path: Path) -> None:
    environment = {"OPENAI_BASE_URL": "http://a/v1"}
    assert load(folder=tmp_path, environment=environment).origins["base_url"] == "OPENAI_BASE_URL"
    assert (
        load({"base_url": "http://b"}, folder=tmp_path, environment=environment).settings.base_url
        == "http://b"
    )


@pytest.mark.parametrize(
    "text, words",
    [
        ("sampels = 3", ["discover.toml", "'sampels'", "did you mean 'samples'"]),
        ("samples = 'many'", ["discover.toml: samples is 'many'", "whole number of at least 1"]),
        ("samples = 2.5", ["whole number"]),
        ("samples = true", ["whole number"]),
        ("samples = 0", ["at least 1"]),
        ("tune = 1", ["true or false"]),
        ("cost = 0", ["above 0"]),
        ("cost = nan", ["a number above 0"]),
        ("timeout = inf", ["a number above 0"]),
        ("proposer = 'luck'", ["one of chat, genetic, manual, replay"]),
        ("model = ''", ["non-empty text"]),
        ("a = 1\nsamples = \n", ["not valid TOML", "line 2"]),
        ("options = 3", ["[options.smtt]"]),
        ("[options.smtt]\nfamilies = ['pvw']", ["options.smtt.families", "text or number"]),
        ("[prices.m]\ninput = 1", ["prices.m", "output"]),
        ("[prices.m]\ninput = 1\noutput = -1", ["prices.m.output", "at least 0"]),
    ],
)
def test_a_broken_file_names_file_key_and_what_was_expected(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "discover.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        load(folder=tmp_path, environment={})
    assert error.value.exit_code == 2
    for word in words:
        assert word in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "discover.toml").write_bytes(b"model = '\xff'")
    with pytest.raises(UsageError, match="not UTF-8"):
        load(folder=tmp_path, environment={})
    (tmp_path / "discover.toml").unlink()
    (tmp_path / "discover.toml").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        load(folder=tmp_path, environment={})


@pytest.mark.parametrize("text", ["tool = 3", "[tool]\ndiscover = 3", "[tool.discover]\nnope = 1"])
def test_a_broken_project_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    if text == "tool = 3":
        assert load(folder=tmp_path, environment={}).settings.seed == 0, "another tool's matter"
        return
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        load(folder=tmp_path, environment={})


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("TUNE", "off", False),
        ("TUNE", "true", True),
        ("COST", "0.5", 0.5),
        ("SAMPLES", "12", 12),
        ("MODEL", "7", "7"),
    ],
)
def test_variables_are_read_as_their_setting_wants(
    tmp_path: Path, name: str, text: str, expected: object
) -> None:
    settings = load(folder=tmp_path, environment={"DISCOVER_" + name: text}).settings
    value = getattr(settings, name.lower())
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    "name, text", [("TUNE", "maybe"), ("SAMPLES", "1e3"), ("COST", "much"), ("WORKERS", "-1")]
)
def test_a_broken_variable_is_named(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"DISCOVER_{name} is"):
        load(folder=tmp_path, environment={"DISCOVER_" + name: text})


def test_options_merge_word_by_word_and_belong_to_their_task(tmp_path: Path) -> None:
    (tmp_path / "discover.toml").write_text('[options.smtt]\na = "1"\nb = 2\n[options.other]\na = "9"\n')
    settings = load({"options": {"smtt": {"a": "3"}}}, folder=tmp_path, environment={}).settings
    assert RunSettings("smtt", settings).options == {"a": "3", "b": "2"}
    assert RunSettings("other", settings).options == {"a": "9"}
    assert RunSettings("third", settings).options == {}


def test_prices(tmp_path: Path) -> None:
    (tmp_path / "discover.toml").write_text('[prices."a/b"]\ninput = 1\noutput = 2.5\ncached = 0.1\n')
    assert load(folder=tmp_path, environment={}).settings.prices == {"a/b": Price(1.0, 2.5, 0.1)}


def test_passwords_in_urls_are_masked() -> None:
    assert masked("postgresql://me:secret@host/db") == "postgresql://***@host/db"
    assert masked(".discover/ledger.sqlite") == ".discover/ledger.sqlite"
