"""Every attack on the whole defence: a safe verdict and no marker lit, with the check of its text and without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.bench import TASK, Bench, bench
from attacks.plain import only_as_root, run_as_plain_user
from attacks.suite import ATTACKS, BY_CATEGORY, UNBITTEN, table
from attacks.weakenings import WEAKENINGS
from attacks.world import World
from discovery.candidate import Refused, check
from discovery.sandbox.base import Layers

DOCS = Path(__file__).parents[2] / "docs" / "threat-model.md"
BENCHES = [
    pytest.param((Layers(namespaces=False), "strict"), id="bare"),
    pytest.param((Layers(), "strict"), id="namespaces", marks=pytest.mark.campaign),
    pytest.param((Layers(namespaces=False), "library"), id="library", marks=pytest.mark.campaign),
    pytest.param((Layers(), "library"), id="library and namespaces", marks=pytest.mark.campaign),
]
"""Namespaces are an extra that many machines lack, so the suite tests the guarantees without them."""
WEAKER = {"file_metadata"}
"""What the library tier gives away."""


@pytest.fixture(scope="module", params=BENCHES)
def strong(world: World, request: pytest.FixtureRequest) -> Iterator[Bench]:
    layers, tier = request.param
    with bench(world, layers, tier=tier) as made:
        assert isinstance(made, Bench)
        yield made


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(strong: Bench, name: str) -> None:
    attack = ATTACKS[name]
    trial = strong.run(attack)
    if strong.sandbox.report.tier == "library" and name in WEAKER:
        assert trial.lit, "the tier's price is told in the threat model"
        return
    assert trial.outcome in attack.safe.split(), trial
    assert not trial.lit and not trial.changed, trial
    # with namespaces the file tree is empty, so that what Landlock would refuse is not there
    assert attack.reason in trial.reason.replace("FileNotFoundError", "PermissionError")
    assert len(trial.reason) <= 400 and trial.reason.isprintable()
    try:  # what passes the check of the text is what was just tried; what does not is refused in plain words
        check(strong.code(attack), TASK.interface)
    except Refused as refused:
        assert 0 < len(str(refused)) <= 400 and str(refused).isprintable()


def test_the_suite_is_as_large_as_it_says() -> None:
    assert len(ATTACKS) == sum(map(len, BY_CATEGORY.values())), "two attacks have one name"
    assert len(ATTACKS) - len(BY_CATEGORY["control"]) >= 120
    assert table() in DOCS.read_text(encoding="utf-8")


def test_every_attack_is_seen_to_bite_or_said_not_to() -> None:
    used = Counter(name for attack in ATTACKS.values() for name in attack.off)
    assert set(used) == set(WEAKENINGS) - {"no_new_privs", "parent's death"}, (
        "these two have tests of their own"
    )
    tame = {a.name for a in ATTACKS.values() if not a.off and a.category != "control"}
    assert tame == set(UNBITTEN) and len(tame) <= len(ATTACKS) // 9


@pytest.mark.campaign
@only_as_root
def test_every_attack_on_every_set_of_layers_as_a_plain_user() -> None:
    run_as_plain_user("-m", "", f"{__file__}::test_attack")
