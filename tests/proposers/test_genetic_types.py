"""Types inferred from examples, and the edits and crossovers built on them."""

from __future__ import annotations

import ast

from test_genetic_samples import (
    COUNTS,
    FILTERED,
    INDEX,
    LISTED,
    MASKED,
    PARAMETRISED,
    RANKED,
    SHARED,
    STATIC,
    sequencing,
)

from discovery.candidate import check
from discovery.proposers.genetic import crossover
from discovery.proposers.genetic.chance import Chance, rounded
from discovery.proposers.genetic.crossover import combine
from discovery.proposers.genetic.edits import Bench
from discovery.proposers.genetic.expressions import Site
from discovery.proposers.genetic.growth import Scope
from discovery.proposers.genetic.program import Change, changed, read, text
from discovery.proposers.genetic.types import NONNEGATIVE, POSITIVE, root, times
from evaluators.task import Interface

SECONDS = (("s", 2),)


class Stream:
    """Uniform numbers of a fixed kind, for tests that need one path."""

    def __init__(self, seed: int) -> None:
        import random

        self._draws = random.Random(seed)

    def random(self) -> float:
        return self._draws.random()


def chance(seed: int = 0) -> Chance:
    return Chance(Stream(seed))  # type: ignore[arg-type]


def sites(code: str, interface: Interface) -> dict[str, Site]:
    return {ast.unparse(s.node): s for s in read(code, interface).analysis.sites}


def test_a_mask_loop() -> None:
    found = sites(MASKED, sequencing())
    key = found["np.maximum(wanted[open_ones], time + lengths[open_ones])"].type
    assert key.rank == 1 and key.dtype == "int" and key.unit == SECONDS and key.sign == POSITIVE
    assert found["wanted[open_ones]"].type.sign == NONNEGATIVE
    assert found["wanted[open_ones]"].type.dim == key.dim != ("n",)
    time = found["time"].type
    assert time.rank == 0 and time.unit == SECONDS and time.sign == NONNEGATIVE
    env = found["key"].env
    assert env["open_ones"].indexes == ("n",) and env["open_ones"].dim == key.dim
    assert env["waiting"].dtype == "bool" and env["waiting"].dim == ("n",)
    assert "job" not in env and "found" not in env, "not assigned yet, and np.empty holds nothing"
    assert "n" not in found and "k" not in found and "range(n)" not in found


def test_positions_filtered_in_a_while_loop() -> None:
    found = sites(FILTERED, sequencing())
    key = found["np.maximum(wanted[waiting], time + lengths[waiting])"]
    assert key.type.rank == 1 and key.type.unit == SECONDS and key.role == "=key"
    assert key.env["waiting"].indexes == ("n",) and key.env["waiting"].dim == key.type.dim != ("n",)
    assert found["key"].role == "key" and found["key"].type.dim == key.type.dim
    assert found["lengths[chosen]"].type.rank == 0
    assert not any("len(" in word or "!=" in word for word in found)


def test_a_list_with_a_key_function() -> None:
    found = sites(LISTED, sequencing())
    key = found["max(wanted[j], time + lengths[j])"]
    assert key.type.rank == 0 and key.type.unit == SECONDS and key.role == "key"
    assert key.env["j"].indexes == ("n",)


def test_units_dtypes_and_masks() -> None:
    found = sites(RANKED, INDEX)
    assert found["cost / weight"].type.unit == (("eur", 2), ("kg", -2))
    assert found["cost * 0.5"].type.unit == (("eur", 2),)
    assert found["value - cost * 0.5"].role == "return"
    assert found["cost"].env["usable"].dtype == "bool"
    assert (
        times(SECONDS, SECONDS) == (("s", 4),)
        and root((("s", 4),)) == SECONDS
        and root(SECONDS) == (("s", 1),)
    )
    assert root((("s", 1),)) is None


def test_aggregates_and_indexed_terminals_are_of_the_wanted_dimension() -> None:
    site = sites(MASKED, sequencing())["np.maximum(wanted[open_ones], time + lengths[open_ones])"]
    scope = Scope(site.env, site.type.dim, "np", frozenset(), chance(), frozenset({"open_ones"}))
    assert [name for name, _ in scope.arrays] == ["lengths[open_ones]", "wanted[open_ones]"]
    assert [name for name, _ in scope.scalars] == ["time"]
    assert {name for name, _ in scope.others} == {"lengths", "wanted"}


def test_branches_join_and_unknown_stays_unknown() -> None:
    code = (
        "import numpy as np\n\ndef order(lengths, wanted):\n    if len(lengths) > 3:\n        a = lengths * 1.0\n"
        "    else:\n        a = wanted\n        b = wanted\n    c = helper(a)\n    d = a + c\n"
        "    return np.argsort(a + lengths)\n\ndef helper(x):\n    return x\n"
    )
    found = sites(code, sequencing())
    assert found["a + lengths"].type.dtype == "float"
    assert "b" not in found["a + lengths"].env and "c" not in found["a + lengths"].env
    assert "a + c" not in found and "x" not in found


def test_a_loop_keeps_only_what_holds_in_every_turn() -> None:
    code = (
        "import numpy as np\n\ndef order(lengths, wanted):\n    a = lengths\n    t = 0\n"
        "    for k in range(len(lengths)):\n"
        "        t = t + lengths[k] * 0.5\n        u = np.max(a) + t\n        a = t\n"
        "    return np.argsort(wanted + t)\n"
    )
    found = sites(code, sequencing())
    assert found["wanted + t"].type.dtype == "float" and found["t"].type.dtype == "float"
    assert "a" not in found["wanted + t"].env, "an array at first, a number later"


def test_whole_returns_stay_whole_and_in_bounds() -> None:
    from test_genetic_samples import request

    from discovery.proposers.genetic import GeneticProposer

    for slot in range(20):
        body = GeneticProposer().ask(request(COUNTS, SHARED, slot=slot), ()).text
        returned = ast.parse(body).body[-1]
        assert isinstance(returned, ast.FunctionDef)
        last = ast.unparse(returned.body[-1])
        assert ".astype(np.int64)" in last and "clip(" in last


def test_crossover_renames_what_clashes_and_shares_what_is_equal() -> None:
    interface = sequencing()
    other = PARAMETRISED.replace("0.25", "0.75").replace("gain=1.5", "gain=1.5")
    taken = clashed = 0
    for seed in range(200):
        first, second = read(PARAMETRISED, interface), read(other, interface)
        change = combine(first, second, chance(seed))
        if change is None:
            continue
        candidate = check(text(changed(first, change)), interface)
        assert set(candidate.space) == set(candidate.defaults)
        assert candidate.defaults.get("w1", 0.25) == 0.25, "the first parent's parameter keeps its meaning"
        assert candidate.defaults.get("gain", 1.5) == 1.5
        extra = [v for k, v in candidate.defaults.items() if k not in ("w1", "gain")]
        taken += bool(extra)
        clashed += 0.75 in extra
        assert sum(v == 1.5 for v in candidate.defaults.values()) <= 1, "an equal parameter is shared"
    assert taken > 20 and clashed > 10


def test_crossover_maps_locals_by_type() -> None:
    interface = sequencing()
    first, second = read(FILTERED, interface), read(MASKED.replace("time", "clock"), interface)
    moved = 0
    for seed in range(200):
        change = combine(first, second, chance(seed))
        if change is None:
            continue
        code = text(changed(first, change))
        check(code, interface)
        assert "clock" not in code and "open_ones" not in code
        moved += code != text(changed(first, Change()))
    assert moved > 50


def test_crossover_with_nothing_typed_gives_nothing() -> None:
    interface = sequencing()
    opaque = "def order(lengths, wanted):\n    return helper(lengths)\n\ndef helper(x):\n    return [*range(len(x))]\n"
    program = read(opaque, interface)
    assert program.analysis.sites == []
    assert combine(program, read(STATIC, interface), chance()) is None
    assert crossover.combine is combine


def test_a_change_that_breaks_the_shape_is_refused() -> None:
    program = read(FILTERED, sequencing())
    bench = Bench(program, chance())
    site = sites(FILTERED, sequencing())["np.maximum(wanted[waiting], time + lengths[waiting])"]
    assert bench.put(site, "_e + lengths") is None, "another dimension"
    assert bench.put(site, "np.mean(_e)") is None, "another rank"
    assert bench.put(site, "_e + lengths[waiting]") is not None


def test_unused_locals_and_parameters_go() -> None:
    interface = sequencing()
    program = read(PARAMETRISED, interface)
    target = next(s for s in program.analysis.sites if ast.unparse(s.node).startswith("np.maximum"))
    change = Change({id(target.node): ast.Name("wanted", ast.Load())})
    code = text(changed(program, change))
    assert "key" not in code and "w1" not in code and "SEARCH_SPACE" not in code
    check(code, interface)


def test_draws_do_not_depend_on_the_library() -> None:
    first, second = chance(7), chance(7)
    items = [(2.0, "a"), (1.0, "b"), (0.5, "c")]
    assert [first.weighted(items) for _ in range(20)] == [second.weighted(items) for _ in range(20)]
    assert sorted(first.order(items)) == ["a", "b", "c"]
    picks = [chance(s).weighted(items) for s in range(400)]
    assert picks.count("a") > picks.count("b") > picks.count("c") > 0
    assert rounded(0.123456) == 0.1235 and rounded(1234567.0, 3) == 1230000.0
