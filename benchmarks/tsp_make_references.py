"""Makes the reference tours of ``tsp-construct``: iterated local search with numba, a minute on one core.

    python benchmarks/tsp_make_references.py [--kicks 20]        needs the extra ``exact`` (numba)

For each instance 4 starts (nearest neighbour from 4 cities), each improved by 2-opt and Or-opt over the 10 nearest
neighbours to a local optimum, then ``kicks``·n segment-local double bridges (Martin, Otto & Felten 1991), repaired and
kept when not longer; the shortest tour of all stays. "best known" is the honest name: nothing is proved, though at
these sizes another seed rarely finds anything shorter (``--check`` runs a tenth of the instances anew and prints how
often). Bits are SplitMix64, so the tours are the same everywhere.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.bits import stream
from evaluators.tsp import splits
from evaluators.tsp.instances import Spec, generate
from evaluators.tsp.problem import length

NEIGHBOURS, STARTS = 10, 4


@njit(cache=True)
def below(state, end):
    """A draw below ``end`` and the next state (xorshift64*, Vigna 2016)."""
    s = state[0]
    s ^= s >> np.uint64(12)
    s ^= s << np.uint64(25)
    s ^= s >> np.uint64(27)
    state[0] = s
    return np.int64((s * np.uint64(2685821657736338717)) >> np.uint64(33)) % end


@njit(cache=True)
def reverse(tour, place, i, j):
    """Reverse the positions i … j (cyclic) of the tour, the shorter way round."""
    n = len(tour)
    inside = (j - i + n) % n + 1
    if 2 * inside > n:
        i, j = (j + 1) % n, (i - 1 + n) % n
        inside = n - inside
    for _ in range(inside // 2):
        a, b = tour[i], tour[j]
        tour[i], tour[j] = b, a
        place[b], place[a] = i, j
        i = (i + 1) % n
        j = (j - 1 + n) % n


@njit(cache=True)
def improve_city(city, far, near, tour, place):
    """The first 2-opt or Or-opt move at ``city`` that shortens the tour; the gain, or 0."""
    n = len(tour)
    for forward in (True, False):
        step = 1 if forward else n - 1
        after = tour[(place[city] + step) % n]
        base = far[city, after]
        for k in range(near.shape[1]):
            other = near[city, k]
            if far[city, other] >= base:
                break
            beyond = tour[(place[other] + step) % n]
            gain = base + far[other, beyond] - far[city, other] - far[after, beyond]
            if gain > 1e-12:
                if forward:
                    reverse(tour, place, place[after], place[other])
                else:
                    reverse(tour, place, place[other], place[after])
                return gain
    for size in (1, 2, 3):  # move the segment that begins or ends at city next to a neighbour
        for forward in (True, False):
            step = 1 if forward else n - 1
            back = n - step
            tail = tour[(place[city] + (size - 1) * back) % n]
            before = tour[(place[city] + size * back) % n]
            after = tour[(place[city] + step) % n]
            taken = far[before, tail] + far[city, after] - far[before, after]
            for k in range(near.shape[1]):
                other = near[city, k]
                if far[city, other] >= taken:
                    break
                ahead = (
                    (place[city] - place[other] + n) % n if forward else (place[other] - place[city] + n) % n
                )
                if ahead < size:
                    continue
                for side in (1, n - 1):
                    mate = tour[(place[other] + side) % n]
                    inside = (
                        (place[city] - place[mate] + n) % n
                        if forward
                        else (place[mate] - place[city] + n) % n
                    )
                    if inside < size:
                        continue
                    gain = taken + far[other, mate] - far[city, other] - far[tail, mate]
                    if gain > 1e-12:
                        move(tour, place, city, other, mate, size, back)
                        return gain
    return 0.0


@njit(cache=True)
def move(tour, place, city, other, mate, size, back):
    """Take the ``size`` cities from ``city`` backwards out and put them between other and mate, city beside other."""
    n = len(tour)
    taken = np.empty(size, np.int64)
    for k in range(size):
        taken[k] = tour[(place[city] + k * back) % n]
    rest = np.empty(n - size, np.int64)
    at = 0
    for k in range(n):
        c = tour[k]
        out = False
        for t in taken:
            out = out or t == c
        if not out:
            rest[at] = c
            at += 1
    new = np.empty(n, np.int64)
    at = 0
    m = n - size
    for k in range(m):
        new[at] = rest[k]
        at += 1
        following = rest[(k + 1) % m]
        if rest[k] == other and following == mate:
            for t in range(size):
                new[at] = taken[t]
                at += 1
        elif rest[k] == mate and following == other:
            for t in range(size):
                new[at] = taken[size - 1 - t]
                at += 1
    for k in range(n):
        tour[k] = new[k]
        place[new[k]] = k


@njit(cache=True)
def descend(far, near, tour, place, queue, waiting):
    """Improve until no queued city has a move."""
    gained = 0.0
    n = len(tour)
    count = 0
    for c in range(n):
        if waiting[c]:
            queue[count] = c
            count += 1
    while count:
        count -= 1
        city = queue[count]
        waiting[city] = False
        while True:
            p = place[city]
            a, b = tour[(p + 1) % n], tour[(p - 1 + n) % n]
            gain = improve_city(city, far, near, tour, place)
            if gain <= 0.0:
                break
            gained += gain
            p = place[city]
            for c in (a, b, tour[(p + 1) % n], tour[(p - 1 + n) % n]):
                if not waiting[c] and c != city:
                    waiting[c] = True
                    queue[count] = c
                    count += 1
    return gained


@njit(cache=True)
def search(far, near, tour, kicks, seed):
    """Iterated local search from ``tour``; the best tour."""
    n = len(tour)
    state = np.array([seed], np.uint64)
    place = np.empty(n, np.int64)
    for k in range(n):
        place[tour[k]] = k
    queue, waiting = np.empty(4 * n + 8, np.int64), np.ones(n, np.bool_)
    descend(far, near, tour, place, queue, waiting)
    kept = tour.copy()
    for _ in range(kicks):
        span = min(n - 1, 30)
        start = below(state, n)
        cuts = np.sort(np.array([1 + below(state, span), 1 + below(state, span), 1 + below(state, span)]))
        a, b, c = cuts[0], cuts[1], cuts[2]
        if a == b or b == c:
            continue
        old = np.empty(c + 1, np.int64)
        for k in range(c + 1):
            old[k] = tour[(start + k) % n]
        delta = (
            far[old[a - 1], old[b]] + far[old[c - 1], old[a]] + far[old[b - 1], old[c]]
            - far[old[a - 1], old[a]] - far[old[b - 1], old[b]] - far[old[c - 1], old[c]]
        )  # fmt: skip
        at = a
        for k in range(b, c):
            tour[(start + at) % n] = old[k]
            at += 1
        for k in range(a, b):
            tour[(start + at) % n] = old[k]
            at += 1
        for k in range(c + 1):
            place[tour[(start + k) % n]] = (start + k) % n
        for k in (a - 1, a, b - 1, b, c - 1, c):
            waiting[old[k]] = True
        gained = descend(far, near, tour, place, queue, waiting)
        if gained - delta >= -1e-12:
            kept[:] = tour
        else:
            tour[:] = kept
            for k in range(n):
                place[tour[k]] = k
    return kept


def best_tour(spec: Spec, kicks: int, seed: int) -> tuple[int, ...]:
    """The shortest of all starts, beginning at city 0, in the direction of its lower neighbour."""
    x, y = generate(spec)
    dx, dy = np.subtract.outer(x, x), np.subtract.outer(y, y)
    far = np.sqrt(dx * dx + dy * dy)
    near = np.argsort(far, axis=1, kind="stable")[:, 1 : NEIGHBOURS + 1].copy()
    best: tuple[float, list[int]] | None = None
    for start in range(STARTS):
        first = start * spec.n // STARTS
        tour, left = [first], set(range(spec.n)) - {first}
        while left:
            tour.append(min(left, key=lambda c, here=tour[-1]: (far[here, c], c)))
            left.remove(tour[-1])
        found = search(
            far, near, np.array(tour), kicks * spec.n, np.uint64(stream(seed, spec.seed, start) | 1)
        )
        value = length(x, y, found)
        if best is None or value < best[0]:
            best = value, found.tolist()
    assert best is not None
    tour = best[1]
    at = tour.index(0)
    tour = tour[at:] + tour[:at]
    return tuple(tour if tour[1] < tour[-1] else [0, *tour[:0:-1]])


def check(kicks: int) -> None:
    """How often another seed finds a shorter tour than the shipped one."""
    shorter, seen, most = 0, 0, 0.0
    for name in splits.all_parts():
        for spec, known in list(zip(splits.part(name), splits.load(name), strict=True))[::10]:
            value = length(*generate(spec), best_tour(spec, kicks, 7))
            assert known.reference is not None
            gain = 100 * (known.reference - value) / known.reference
            seen, shorter, most = seen + 1, shorter + (gain > 1e-9), max(most, gain)
    print(f"another seed is shorter on {shorter} of {seen} instances, by {most:.3f} % at most")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kicks", type=int, default=20, help="kicks a city")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check:
        check(options.kicks)
        return
    arrays, parts = {}, {}
    for name in splits.all_parts():
        start = time.process_time()
        found = [best_tour(spec, options.kicks, 1) for spec in splits.part(name)]
        arrays[name] = np.array([c for tour in found for c in tour], dtype=np.uint8)
        made = [
            splits.instance(spec, *generate(spec), tour)
            for spec, tour in zip(splits.part(name), found, strict=True)
        ]
        parts[name] = splits.digest(made)
        print(f"{name}: {len(made)} tours, {time.process_time() - start:.0f} s", flush=True)
    splits.DATA.mkdir(exist_ok=True)
    np.savez_compressed(splits.DATA / "tours.npz", **arrays)
    manifest = {
        "made by": f"iterated local search, {STARTS} starts, {options.kicks} kicks a city",
        "parts": parts,
    }
    (splits.DATA / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
