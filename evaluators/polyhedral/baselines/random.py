"""Some random legal transforms, the same for the same program. Source: none."""

import random


def schedule(program, oracle):
    draw = random.Random(len(program.statements) + sum(value for _, value in program.sizes))
    plan = []
    for _ in range(12):
        step = drawn(draw, oracle.tree(plan))
        if step and oracle.is_legal([*plan, step]):
            plan.append(step)
    return plan


def drawn(draw, tree):
    """A transform of some chain of loops."""
    loops = chains(tree)
    if not loops:
        return None
    chain = draw.choice(loops)
    match draw.randrange(5):
        case 0:
            return ("interchange", tuple(draw.sample(chain, len(chain))))
        case 1:
            return ("tile", tuple(chain), tuple(draw.choice((4, 16, 64)) for _ in chain))
        case 2:
            return ("reverse", draw.choice(chain))
        case 3:
            return ("distribute", chain[-1], 1)
        case _:
            return ("skew", chain[-1], chain[0], 1)


def chains(tree):
    """Chains of loops that hold nothing but the next."""
    found = []
    for node in tree:
        if not isinstance(node, str):
            chain = [node[0]]
            inside = node[1]
            while len(inside) == 1 and not isinstance(inside[0], str):
                chain.append(inside[0][0])
                inside = inside[0][1]
            found += [chain, *chains(inside)]
    return found
