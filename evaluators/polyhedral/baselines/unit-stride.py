"""Each nest's best loop for vectors goes innermost: independent iterations, contiguous data.

Source: Allen and Kennedy, "Automatic loop interchange" (1984).
"""

SEARCH_SPACE = {
    "gather": {"low": 1.0, "high": 16.0, "log": True},
    "reuse": {"low": 0.0, "high": 2.0},
}


def schedule(program, oracle, *, gather=8.0, reuse=0.0):
    """``gather``: what an access costs that jumps, ``reuse``: one that stands still; a contiguous one costs 1."""
    plan = []
    for loop, keep in splits(program.tree):
        if oracle.is_legal([*plan, ("distribute", loop, keep)]):
            plan.append(("distribute", loop, keep))
    for statement in program.statements:
        chain = around(oracle.tree(plan), statement.name)
        strides = {c: [a.strides[k - len(chain)] for a in statement.accesses] for k, c in enumerate(chain)}
        costs = {c: sum(reuse if s == 0 else 1 if abs(s) == 1 else gather for s in strides[c]) for c in chain}
        for inner in sorted(chain, key=costs.get):
            order = [c for c in chain if c != inner] + [inner]
            step = [("interchange", tuple(order))] if order != chain else []
            if oracle.is_legal(plan + step) and oracle.is_parallel(plan + step, inner):
                plan = [*plan, *step, ("vectorise", inner)]
                break
    return plan


def splits(tree):
    """Places where a loop could be distributed, inner ones and later ones first."""
    found = []
    for node in tree:
        if not isinstance(node, str):
            loop, inside = node
            found += splits(inside)
            found += [(loop, keep) for keep in range(len(inside) - 1, 0, -1)]
    return found


def around(tree, name):
    """The loops around a statement that hold nothing else but one another."""
    chain = []
    while name not in tree:
        loop, inside = next(n for n in tree if not isinstance(n, str) and name in str(n))
        chain = [*chain, loop] if len(tree) == 1 and chain else [loop]
        tree = inside
    return chain if len(tree) == 1 else []
