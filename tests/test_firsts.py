"""Who came first with a text: found again however large the table, in few bytes."""

from __future__ import annotations

import random
import tracemalloc

from discovery.population.firsts import SMALLEST, Firsts, _table, of_hash, shown


def test_the_first_stands_and_everything_is_found_again() -> None:
    firsts, expected, draw = Firsts(), dict[str, tuple[int, int]](), random.Random(0)
    for n in range(20 * SMALLEST):
        text, value, batch = f"text {draw.randrange(15 * SMALLEST)}", draw.randrange(-(2**63), 2**63), n - 2
        assert firsts.add(text, value, batch) == expected.setdefault(text, (value, batch))[0]
    assert len(firsts) == len(expected) and all(firsts.get(t) == found for t, found in expected.items())
    assert firsts.get("another") is None and "another" not in firsts and "text 1" in firsts


def test_a_text_takes_less_than_a_hundred_bytes() -> None:
    firsts = Firsts()
    tracemalloc.start()
    for n in range(3000):
        firsts.add(f"{n:064x}", n, n)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 100 * len(firsts)


def test_a_hash_is_shown_by_its_first_digits() -> None:
    for hash_ in ("0" * 14 + "1" + "f" * 49, "f" * 64, "01234567" + "8" * 56):
        assert shown(of_hash(hash_)) == hash_[:8] and of_hash(hash_) < 2**63


def test_half_a_digest_in_common_is_another_text() -> None:
    table = _table(8)
    for value, (high, low) in enumerate([(1, 5), (2, 5), (1, 6)]):
        table.put(high, low, value, 0)
    assert [table.values[table.place(*halves)] for halves in ((1, 5), (2, 5), (1, 6))] == [0, 1, 2]
