"""Fuse what has the same depth, make bands permutable by skews and delays, tile them all, the vector loop innermost.

Source: Bondhugula, Hartono, Ramanujam and Sadayappan, "A practical automatic polyhedral parallelizer and locality
optimizer" (2008), smart fusion and tiles of 32. A reconstruction: Pluto finds its hyperplanes by integer programming;
here the unit vectors and small skews are tried in the order of their dependence distances, as far as legal.
"""

import itertools

SEARCH_SPACE = {
    "tile": {"low": 4, "high": 256, "log": True},
    "unroll": {"low": 1, "high": 8},
    "most_skew": {"low": 1, "high": 3},
}


def schedule(program, oracle, *, tile=32, unroll=1, most_skew=2):
    """Transforms for the whole program."""
    plan, done = [], set()
    for nest in loops_of(program.tree):
        more = swept(program, oracle, plan, nest, tile, most_skew)
        if more:
            plan, done = plan + more, done | set(held(nest))
    plan = apart(oracle, plan, done)
    plan = fused(program, oracle, plan, done)
    for loop in [n[0] for n in loops_of(oracle.tree(plan))]:
        plan = banded(program, oracle, plan, loop, done, tile, unroll, most_skew)
    return plan


def swept(program, oracle, plan, nest, tile, most_skew):
    """Sweeps in time over several arrays: one nest, all dimensions skewed by time and tiled."""
    statements = [named(program, s) for s in held(nest)]
    deep = max(len(s.loops) for s in statements)
    if len(statements) < 2 or deep < 2 or any(isinstance(n, str) for n in nest[1]):
        return []
    if any(row[0] for s in statements for row in s.accesses[0].matrix):
        return []
    for skew in range(1, most_skew + 1):
        for delays in (
            [0] * len(statements),
            list(range(len(statements))),
            [0] * (len(statements) - 1) + [1],
        ):
            places = []
            for k, (statement, delay) in enumerate(zip(statements, delays, strict=True)):
                width, write = len(statement.loops), statement.accesses[0]
                rows = [tuple(int(j == 0) for j in range(width + 1))]
                for row, offset in zip(write.matrix, write.offsets, strict=True):
                    rows.append((*(skew if j == 0 else c for j, c in enumerate(row)), offset + delay))
                places.append((statement.name, tuple(rows), (*[0] * len(rows), k)))
            step = [("affine", tuple(places))]
            if not oracle.is_legal(plan + step):
                continue
            band = new_loops(oracle, plan, step)
            tiled = [*step, ("tile", tuple(band), tuple([tile] * len(band)))]
            if len(band) > 1 and oracle.is_legal(plan + tiled):
                return tiled
    return []


def apart(oracle, plan, done):
    """Strongly connected components into nests of their own."""
    tried, changed = set(), True
    while changed:
        changed = False
        for loop, keep in splits(oracle.tree(plan)):
            if (loop, keep) in tried or done & set(held((loop, inside_of(oracle.tree(plan), loop)))):
                continue
            tried.add((loop, keep))
            if oracle.is_legal([*plan, ("distribute", loop, keep)]):
                plan, changed = [*plan, ("distribute", loop, keep)], True
                break
    return plan


def fused(program, oracle, plan, done):
    """Neighbours of one depth are fused as deep as they are, where that is legal all the way."""
    changed = True
    while changed:
        changed = False
        nodes = oracle.tree(plan)
        for first, second in itertools.pairwise(nodes):
            if isinstance(first, str) or isinstance(second, str) or done & {*held(first), *held(second)}:
                continue
            depths = {len(named(program, s).loops) for n in (first, second) for s in held(n)}
            chains = chain_of(first), chain_of(second)
            if len(depths) > 1 or len(chains[0]) != len(chains[1]) or len(chains[0]) not in depths:
                continue
            step = [("fuse", a, b) for a, b in zip(*chains, strict=True)]
            if oracle.is_legal(plan + step):
                plan, changed = plan + step, True
                break
    return plan


def banded(program, oracle, plan, loop, done, tile, unroll, most_skew):
    """The longest permutable band of a nest in tiles; the best loop for vectors innermost."""
    node = next(n for n in oracle.tree(plan) if n[0] == loop)
    chain, names = chain_of(node), held(node)
    if done & set(names):
        return plan
    skews = []
    if len(chain) > 1:
        for length in range(len(chain), 1, -1):
            band = chain[:length]
            skews = permutable(oracle, plan, band, most_skew)
            if skews is not None:
                plan = [*plan, *skews, ("tile", tuple(band), tuple([tile] * length))]
                break
    statement = named(program, names[0])
    if len(names) > 1 or len(statement.loops) != len(chain) or skews:
        return plan
    strides = dict(zip(chain, zip(*(a.strides for a in statement.accesses), strict=True), strict=True))
    for inner in sorted(chain, key=lambda c: sum(abs(s) > 1 for s in strides[c])):
        order = [c for c in chain if c != inner] + [inner]
        move = [("interchange", tuple(order))] if order != chain else []
        if oracle.is_legal(plan + move) and oracle.is_parallel(plan + move, inner):
            plan, outer = [*plan, *move, ("vectorise", inner)], order[:-1]
            if unroll > 1 and outer:
                jam = [*plan[:-1], ("register_tile", (outer[-1],), (unroll,)), ("vectorise", inner)]
                plan = jam if oracle.is_legal(jam) else plan
            break
    return plan


def permutable(oracle, plan, band, most_skew):
    """Skews that make a band permutable: none, or each inner loop by those around it; None where nothing helps."""
    probe = ("tile", tuple(band), tuple([4] * len(band)))
    if oracle.is_legal([*plan, probe]):
        return []
    for factor in range(1, most_skew + 1):
        skews = [("skew", inner, outer, factor) for k, inner in enumerate(band) for outer in band[:k]]
        if oracle.is_legal([*plan, *skews, probe]):
            return skews
    return None


# Trees


def loops_of(tree):
    return [n for n in tree if not isinstance(n, str)]


def held(node):
    return [node] if isinstance(node, str) else [s for n in node[1] for s in held(n)]


def named(program, name):
    return next(s for s in program.statements if s.name == name)


def chain_of(node):
    """The loops from a node down that hold nothing but the next."""
    chain, (loop, inside) = [node[0]], node
    while len(inside) == 1 and not isinstance(inside[0], str):
        loop, inside = inside[0]
        chain.append(loop)
    return chain


def splits(tree):
    found = []
    for loop, inside in loops_of(tree):
        found += splits(inside)
        found += [(loop, keep) for keep in range(1, len(inside))]
    return found


def inside_of(tree, loop):
    """What the loop of this name holds."""
    for name, inside in loops_of(tree):
        found = inside if name == loop else inside_of(inside, loop)
        if found:
            return found
    return ()


def new_loops(oracle, plan, step):
    """The chain of loops that a step makes."""
    before = {n for t in oracle.tree(plan) for n in names_of(t)}
    for node in loops_of(oracle.tree(plan + step)):
        if node[0] not in before:
            return chain_of(node)
    return []


def names_of(node):
    return [] if isinstance(node, str) else [node[0], *(n for c in node[1] for n in names_of(c))]
