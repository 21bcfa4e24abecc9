"""The built-in proposer as the loop sees it: equal requests, valid replies, nothing known twice, bounded size."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_genetic_samples import (
    BASELINES,
    COUNTS,
    FILTERED,
    INDEX,
    MASKED,
    PARAMETRISED,
    PROGRAMS,
    STATIC,
    brief,
    request,
    sequencing,
)

import discovery.proposers.genetic
from discovery.candidate import check
from discovery.proposers.base import Operator, Request
from discovery.proposers.genetic import GeneticProposer
from discovery.proposers.genetic.program import MAX_NODES, MAX_PARAMETERS
from discovery.proposers.genetic.trees import size
from evaluators.smtt.index_task import SmttIndex
from evaluators.smtt.task import Smtt
from evaluators.task import Interface

OPERATORS: tuple[Operator, ...] = ("improve", "combine", "simplify", "create", "repair")
HERE = Path(__file__).parent


def ask(made: Request) -> str:
    return GeneticProposer().ask(made, ()).text


def baselines() -> list[tuple[str, Interface]]:
    found = [(p.read_text(), Smtt.interface) for p in sorted(BASELINES.glob("*.py"))]
    return found + [(p.read_text(), SmttIndex.interface) for p in sorted((BASELINES / "index").glob("*.py"))]


ALL = [*PROGRAMS, *baselines()]


def test_is_a_free_proposer_without_messages() -> None:
    proposer = GeneticProposer()
    assert (proposer.name, proposer.model, proposer.paid) == ("genetic", None, False)
    made = request(sequencing(), STATIC)
    assert proposer.prompt(made) == () and proposer.reserve(()) == 0
    reply = proposer.ask(made, ())
    assert reply.model == "genetic" and reply.cost is None and reply.prompt_tokens is None


def digest() -> str:
    """Replies to many requests, as one hash; also run in another process."""
    h = hashlib.sha256()
    for k in range(60):
        code, interface = PROGRAMS[k % len(PROGRAMS)]
        others = [c for c, i in PROGRAMS if i == interface]
        made = request(
            interface, code, others[k % len(others)], slot=k, operator=OPERATORS[k % 5], seed=k % 3
        )
        h.update(ask(made).encode())
    return h.hexdigest()


@pytest.mark.parametrize("hashes", ["1", "77"])
def test_equal_requests_get_equal_replies_in_other_processes(hashes: str) -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import test_genetic; print(test_genetic.digest())"
    root = str(HERE.parents[1])
    environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": root}
    out = subprocess.run(
        [sys.executable, "-c", script, str(HERE)], env=environment, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == digest() == digest()


def test_threads_do_not_disturb_one_another() -> None:
    interface = sequencing()
    made = [
        request(interface, FILTERED, MASKED, slot=k, operator=("improve", "combine")[k % 2])
        for k in range(24)
    ]
    proposer = GeneticProposer()
    alone = [proposer.ask(m, ()).text for m in made]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda m: proposer.ask(m, ()).text, made * 3))
    assert together == alone * 3


def test_seed_slot_and_attempt_decide() -> None:
    base = request(sequencing(), FILTERED)
    texts = {ask(base)}
    for slot, attempt, seed in ((1, 0, 1), (2, 0, 1), (0, 1, 1), (0, 0, 2), (0, 0, 3)):
        texts.add(ask(Request(slot, attempt, "improve", seed, base.brief, base.parents)))
    assert len(texts) >= 5


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.integers(0, 10_000),
    st.integers(0, 50),
    st.sampled_from(range(len(ALL))),
    st.integers(0, 100),
    st.sampled_from(OPERATORS),
)
def test_every_reply_passes_the_check(
    seed: int, slot: int, which: int, other: int, operator: Operator
) -> None:
    code, interface = ALL[which]
    mates = [c for c, i in ALL if i == interface]
    text = ask(request(interface, code, mates[other % len(mates)], slot=slot, seed=seed, operator=operator))
    candidate = check(text, interface)
    assert candidate.hash != check(code, interface).hash
    assert set(candidate.space) <= set(candidate.defaults)


def test_known_candidates_are_not_proposed_again() -> None:
    interface, known = sequencing(), set()
    for slot in range(80):
        text = ask(request(interface, FILTERED, slot=slot, known=frozenset(known)))
        found = check(text, interface).hash
        assert found not in known
        known.add(found)


def test_a_reply_that_is_known_is_drawn_again() -> None:
    interface = sequencing()
    first = ask(request(interface, FILTERED))
    second = ask(request(interface, FILTERED, known=frozenset({check(first, interface).hash})))
    assert check(second, interface).hash != check(first, interface).hash


def test_names_no_task() -> None:
    folder = Path(discovery.proposers.genetic.__file__).parent
    words = r"due|processing|tardi|waiting|schedul|\bjobs?\b|makespan|smtt|mdd|\bedd|deadline|priorit"
    for path in folder.glob("*.py"):
        assert not re.search(words, path.read_text(), re.IGNORECASE), path.name
    imports = "\n".join(p.read_text() for p in folder.glob("*.py"))
    assert "evaluators.smtt" not in imports and "registry" not in imports


@pytest.mark.parametrize("operator", ["improve", "combine", "simplify", "create"])
def test_other_argument_names_give_the_same_replies_under_those_names(operator: Operator) -> None:
    renamed = {"lengths": "alpha", "wanted": "beta"}

    def rename(text: str) -> str:
        return re.sub(r"\b(lengths|wanted)\b", lambda m: renamed[m.group()], text)

    for slot in range(25):
        ours = ask(request(sequencing(), FILTERED, MASKED, slot=slot, operator=operator))
        theirs = ask(
            request(
                sequencing("alpha", "beta"), rename(FILTERED), rename(MASKED), slot=slot, operator=operator
            )
        )
        assert rename(ours) == theirs


@pytest.mark.parametrize("operator", ["improve", "create", "combine"])
def test_size_and_parameters_stay_bounded_over_long_chains(operator: Operator) -> None:
    interface = sequencing()
    codes = [FILTERED, MASKED]
    for slot in range(200):
        text = ask(request(interface, codes[-1], codes[-2], slot=slot, operator=operator))
        candidate = check(text, interface)
        assert size(ast.parse(text)) <= MAX_NODES
        assert len(candidate.defaults) <= MAX_PARAMETERS
        codes.append(text)
    assert len(set(codes[-100:])) > 50


def test_simplify_takes_away() -> None:
    interface = sequencing()
    before = size(ast.parse(PARAMETRISED))
    after = [
        size(ast.parse(ask(request(interface, PARAMETRISED, slot=k, operator="simplify")))) for k in range(40)
    ]
    assert sum(a < before for a in after) >= 30


def test_without_parents_it_starts_from_the_interface() -> None:
    for interface in (sequencing(), INDEX, COUNTS, Smtt.interface, SmttIndex.interface):
        for slot in range(10):
            made = Request(slot, 0, "create", 1, brief(interface), ())
            check(ask(made), interface)


def test_new_weights_are_parameters_with_a_range() -> None:
    interface, added = sequencing(), 0
    for slot in range(60):
        candidate = check(ask(request(interface, FILTERED, slot=slot)), interface)
        assert set(candidate.space) == set(candidate.defaults)
        added += bool(candidate.space)
    assert added >= 30


def test_a_docstring_is_dropped_and_comments_too() -> None:
    interface = sequencing()
    code = '"""About."""\n' + STATIC.replace("    return", '    """Why."""\n    # how\n    return')
    text = ask(request(interface, code, slot=3))
    assert "About" not in text and "Why" not in text and "how" not in text


RUN = """
import json, sys, warnings
import numpy as np
warnings.simplefilter("ignore"); np.seterr(all="ignore")
cases = json.load(sys.stdin)
rng = np.random.default_rng(5)
out = []
for code, name in cases:
    ok = True
    try:
        space = {}
        exec(code, space)
        for n in (1, 2, 7, 25):
            if name == "rank":
                got = np.asarray(space[name](rng.uniform(0, 9, n), rng.uniform(.1, 9, n), rng.random(n) < .5, 4.0))
                ok &= got.shape == (n,) and got.dtype.kind in "iuf" and bool(np.isfinite(got).all())
            elif name == "share":
                got = np.asarray(space[name](rng.uniform(0, 90, n), 30))
                ok &= got.shape == (n,) and got.dtype == np.int64 and got.min() >= 0 and got.max() <= 50
            else:
                got = list(space[name](rng.integers(1, 99, n), rng.integers(0, 99 * n, n)))
                ok &= sorted(map(int, got)) == list(range(n))
    except Exception as error:
        ok = False
    out.append(bool(ok))
print(json.dumps(out))
"""


@pytest.mark.parametrize("which", range(len(PROGRAMS)))
def test_replies_run_and_return_valid_answers(which: int) -> None:
    code, interface = PROGRAMS[which]
    mates = [c for c, i in PROGRAMS if i == interface]
    cases = []
    for slot in range(60):
        operator = OPERATORS[slot % 4]
        first = code if slot < 30 else cases[slot - 30][0]
        text = ask(request(interface, first, mates[slot % len(mates)], slot=slot, operator=operator))
        cases.append((text, interface.function))
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    ran = json.loads(done.stdout)
    bad = [c[0] for c, ok in zip(cases, ran, strict=True) if not ok]
    assert sum(ran) >= 0.9 * len(ran), bad[0]
