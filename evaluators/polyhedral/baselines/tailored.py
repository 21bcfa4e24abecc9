"""Pivots outermost, time loops skewed, statements apart; then unit strides innermost, register tiles, cache tiles.

Written by hand from what won when single programs were measured. Source: this project; its parts are textbook
transformations (Wolf and Lam 1991 for tiles, Bondhugula et al. 2008 for skewed time loops, Callahan, Carr and Kennedy
1990 for unroll and jam).
"""

SEARCH_SPACE = {
    "rows": {"low": 1, "high": 8},
    "depth": {"low": 1, "high": 8},
    "sums": {"low": 1, "high": 16},
    "strip": {"low": 2, "high": 64, "log": True},
    "tile": {"low": 8, "high": 128, "log": True},
    "wide": {"low": 32, "high": 2048, "log": True},
    "steps": {"low": 2, "high": 32, "log": True},
    "block": {"low": 16, "high": 128, "log": True},
    "cache": {"low": 0.1, "high": 2.0, "log": True},
    "gather": {"low": 1.0, "high": 16.0, "log": True},
}


def schedule(
    program,
    oracle,
    *,
    rows=4,
    depth=4,
    sums=8,
    strip=8,
    tile=32,
    wide=512,
    steps=8,
    block=64,
    cache=0.5,
    gather=4.0,
):
    """Transforms for the whole program; what the oracle refuses is left out."""
    plan, done = [], set()
    for nest in loops_of(program.tree):
        for attempt in (pivoted, timed, in_place):
            more = attempt(program, oracle, plan, nest, tile, steps, block, cache)
            if more:
                plan, done = plan + more, done | set(held(nest))
                break
    plan = apart(program, oracle, plan, done, strip)
    for statement in program.statements:
        if statement.name not in done:
            leaf, chain = around(oracle.tree(plan), statement.name)
            if leaf[0] == statement.name:
                sizes = rows, depth, sums, tile, wide
                plan = tuned(
                    program, oracle, plan, [named(program, s) for s in leaf], chain, sizes, cache, gather
                )
    return plan


# Whole nests


def pivoted(program, oracle, plan, nest, tile, steps, block, cache):
    """A factorisation in place: every statement at (pivot, row, column) of what it writes."""
    statements = [named(program, s) for s in held(nest)]
    writes = [s.accesses[0] for s in statements]
    if len(statements) < 2 or len({w.array for w in writes}) > 1 or len(writes[0].matrix) != 2:
        return []
    if max(len(s.loops) for s in statements) != 3:
        return []
    if all(
        a.array != writes[0].array or a.matrix == s.accesses[0].matrix for s in statements for a in s.accesses
    ):
        return []  # what is written is read nowhere else: sums, no factorisation
    places = []
    for position, (statement, write) in enumerate(zip(statements, writes, strict=True)):
        width = len(statement.loops)
        sums = [k for k in range(width) if not any(row[k] for row in write.matrix)]
        pivot = unit(sums[-1], width) if sums else (*write.matrix[1], 0)
        data = [(*row, 0) for row in write.matrix]
        places.append((statement.name, (pivot, *data), (0, 0, 0, position + 1 if sums else 0)))
    orders = [places, [(name, rows, (0, 0, 0, k)) for k, (name, rows, _) in enumerate(places)]]
    for order in orders:
        step = [("affine", tuple(order))]
        band = fresh(oracle, plan, step)[:3]
        tiled = [*step, ("tile", tuple(band), (tile, tile, 2 * tile))] if len(band) == 3 else step
        for more in (tiled, step):
            if len(band) == 3 and oracle.is_legal(plan + more):
                return more
    return []


def timed(program, oracle, plan, nest, tile, steps, block, cache):
    """Sweeps repeated in time: fused along the data's first dimension, skewed by time, tiled where large."""
    parts = nest[1]
    statements = [named(program, s) for s in held(nest)]
    if len(parts) < 2 or any(isinstance(p, str) for p in parts) or len(statements) != len(parts):
        return []
    if any(row[0] for s in statements for row in s.accesses[0].matrix):
        return []  # what is written depends on the outer loop: this is no time
    for skew in (1, 2, 3):
        for delays in delayed(len(statements)):
            places = []
            for k, (statement, delay) in enumerate(zip(statements, delays, strict=True)):
                write, width = statement.accesses[0], len(statement.loops)
                line = [skew if j == 0 else c for j, c in enumerate(write.matrix[0])]
                inner = [j for j in range(1, width) if not write.matrix[0][j]]
                lines = (unit(0, width), (*line, write.offsets[0] + delay), *(unit(j, width) for j in inner))
                places.append((statement.name, lines, (0, 0, k, *[0] * len(inner))))
            step = [("affine", tuple(places))]
            band = fresh(oracle, plan, step)[:2]
            if len(band) < 2:
                continue
            arrays = {
                a.array
                for s in statements
                for a in s.accesses
                if len(a.matrix) == len(statements[0].accesses[0].matrix)
            }
            row = sum(a.bytes / a.shape[0] for a in program.arrays if a.name in arrays)
            flat = max(len(s.loops) for s in statements) == 2
            room = program.machine.l1 if flat else program.machine.l2
            size = int(min(4096, cache * room / row - 2 * steps))
            tiled = [*step, ("tile", tuple(band), (steps, size))] if size >= 8 else step
            if flat:
                tiled = [*tiled, ("distribute", band[1], 1)]
            if oracle.is_legal(plan + tiled):
                return [*tiled, *vectors(oracle, plan + tiled, statements)]
    return []


def vectors(oracle, plan, statements):
    """Marks for the innermost loops around statements that run in any order."""
    inner = dict.fromkeys(innermost(oracle.tree(plan), s.name) for s in statements)
    return [("vectorise", loop) for loop in inner if oracle.is_parallel(plan, loop)]


def innermost(tree, name):
    """The loop right around a statement."""
    loop = ""
    while name not in tree:
        loop, tree = next(n for n in loops_of(tree) if name in held(n))
    return loop


def in_place(program, oracle, plan, nest, tile, steps, block, cache):
    """A sweep of the plane in place: the wavefront's tiles with time innermost, so that no value waits for the next."""
    statements = [named(program, s) for s in held(nest)]
    if len(statements) != 1 or len(statements[0].loops) != 3:
        return []
    statement = statements[0]
    if any(not any(row[k] for row in a.matrix) for a in statement.accesses for k in (1, 2)):
        return []
    flows = [
        d.distances
        for d in program.dependences
        if d.source == d.target == statement.name and d.kind == "flow"
    ]
    if not any(time[0] == 0 and row == (0, 0) and (column[0] or 0) > 0 for time, row, column in flows):
        return []  # nothing waits for its neighbour in the row
    _, chain = around(oracle.tree(plan), statement.name)
    if any(oracle.is_parallel(plan, loop) for loop in chain):
        return []
    step = [("affine", ((statement.name, ((1, 0, 0, 0), (1, 1, 0, 0), (2, 1, 1, 0)), (0, 0, 0, 0)),))]
    band = fresh(oracle, plan, step)
    if len(band) != 3:
        return []
    more = [*step, ("tile", tuple(band), (steps, block, block)), ("interchange", (band[1], band[2], band[0]))]
    return more if oracle.is_legal(plan + more) else []


# Statements apart


def apart(program, oracle, plan, done, strip):
    """Distribute every loop where that is legal, inner loops first; those that share a large array in strips."""
    tried, changed = set(), True
    while changed:
        changed = False
        for loop, first, second in splits(oracle.tree(plan)):
            names = held((loop, first)), held((loop, second))
            key = loop, tuple(names[0]), tuple(names[1])
            if key in tried or done & {*names[0], *names[1]} or loop.endswith(".t"):
                continue
            tried.add(key)
            parts = [[named(program, s) for s in side] for side in names]
            if all(isinstance(n, str) for n in (*first, *second)) and any(
                s.accesses[0].strides[-1] == 0 for s in parts[0] + parts[1]
            ):
                continue  # sums beside one another share what they read
            step = [("distribute", loop, len(first))]
            if shared(program, *parts):
                step = [("strip", loop, strip), *step]
            if oracle.is_legal(plan + step):
                plan, changed = plan + step, True
                break
    return plan


def splits(tree):
    """Loops of several parts: (loop, the first parts, the others), inner ones first."""
    found = []
    for loop, inside in loops_of(tree):
        found += splits(inside)
        found += [(loop, inside[:k], inside[k:]) for k in range(1, len(inside))]
    return found


def shared(program, first, second):
    """Whether both sides read one array by both of two loops, too large for the inner cache."""
    arrays = [
        {a.array for s in side for a in s.accesses if len(s.loops) == 2 and all(a.strides)}
        for side in (first, second)
    ]
    return any(a.bytes > program.machine.l1 for a in program.arrays if a.name in arrays[0] & arrays[1])


# Single nests


def tuned(program, oracle, plan, leaf, chain, sizes, cache, gather):
    """Loops that hold nothing but the next, and at the end some statements."""
    rows, depth, sums, tile, wide = sizes
    if len(chain) < 2 and len(leaf) > 1:
        return plan
    strides = {c: [a.strides[k - len(chain)] for s in leaf for a in s.accesses] for k, c in enumerate(chain)}
    if len(leaf) > 1:
        several = max(1, sums // len(leaf))
        return grown(oracle, plan, [("register_tile", (chain[0],), (several,))] if len(chain) == 2 else [])

    def cost(inner):
        return sum(0 if s == 0 else 1 if abs(s) == 1 else gather for s in strides[inner])

    statement = leaf[0]
    for inner in sorted(chain, key=cost):
        order = [c for c in chain if c != inner] + [inner]
        move = [] if order == chain else [("interchange", tuple(order))]
        if oracle.is_legal(plan + move) and oracle.is_parallel(plan + move, inner):
            break
    else:
        return plan
    scattered = any(abs(s) > 1 for s in strides[inner])
    if len(chain) == 2 and scattered and not any(abs(s) > 1 for s in strides[chain[-1]]):
        return grown(oracle, plan, [("register_tile", (chain[0],), (sums,))])
    plan, chain = plan + move, order
    reused = [c for c in chain[:-1] if 0 in strides[c]]
    total = sum(a.bytes for a in program.arrays if a.name in {x.array for x in statement.accesses})
    if reused and len(chain) > 2 and total > cache * program.machine.l2:
        plan = grown(oracle, plan, [("tile", tuple(chain), tuple([tile] * (len(chain) - 1) + [wide]))])
    factors = {c: depth if strides[c][0] == 0 else rows for c in reused}
    chosen = [c for c in reused if factors[c] > 1]
    while chosen:
        step = [("register_tile", tuple(chosen), tuple(factors[c] for c in chosen)), ("vectorise", inner)]
        if oracle.is_legal(plan + step):
            return plan + step
        chosen = chosen[1:]
    return grown(oracle, plan, [("vectorise", inner)])


# Trees


def loops_of(tree):
    """The loops of a sequence."""
    return [n for n in tree if not isinstance(n, str)]


def held(node):
    """Names of the statements in a node."""
    return [node] if isinstance(node, str) else [s for n in node[1] for s in held(n)]


def around(tree, name):
    """The statements beside one, and the chain of loops around them that hold nothing but the next."""
    chain = []
    while name not in tree:
        loop, inside = next(n for n in tree if name in held(n))
        chain = [*chain, loop] if len(tree) == 1 and chain else [loop]
        tree = inside
    return (list(tree), chain) if all(isinstance(n, str) for n in tree) else ([name], [])


def named(program, name):
    return next(s for s in program.statements if s.name == name)


def unit(k, width):
    return tuple(int(j == k) for j in range(width + 1))


def delayed(count):
    """Delays of statements that follow one another: none, one each, one for the last, one for all but the first."""
    yield [0] * count
    yield list(range(count))
    yield [0] * (count - 1) + [1]
    yield [0] + [1] * (count - 1)


def fresh(oracle, plan, step):
    """The loops that a step makes, along the first way down; none where it is refused."""
    if not oracle.is_legal(plan + step):
        return []
    before = {n for t in oracle.tree(plan) for n in names_of(t)}
    found, tree = [], oracle.tree(plan + step)
    while nodes := loops_of(tree):
        loop, tree = next((n for n in nodes if n[0] not in before), nodes[0])
        if loop not in before:
            found.append(loop)
    return found


def names_of(node):
    return [] if isinstance(node, str) else [node[0], *(n for c in node[1] for n in names_of(c))]


def grown(oracle, plan, more):
    """The plan with ``more``, where there is something and it is legal."""
    return plan + more if more and oracle.is_legal(plan + more) else plan
