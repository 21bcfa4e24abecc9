"""The reference policy ``mcts``: Monte-Carlo tree search over the game, which looks ahead as no candidate can.

In the manner of Wang et al. (2023), "Optimizing memory mapping using deep reinforcement learning", which plays such a
game with MuZero; this is search without a learned net. The tree is searched by UCT (Kocsis & Szepesvari 2006, "Bandit
based Monte-Carlo planning"); a node is rated by playing on with a rule for some decisions, all later segments in slow
memory. After so many nodes the best move is made and the search goes on from there. As there is no opponent, a move is
as good as the best play found behind it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from evaluators.bits import mix, stream
from evaluators.memory.mapping.game import SLOW, Action, Game
from evaluators.memory.mapping.program import Program

NODES = 8
"""Nodes that a move is worth."""
HORIZON = 16
"""Decisions that a play goes on for behind a new node."""
EXPLORE = 0.5
RENTS = (0.0, 0.0, 0.1, 0.3, 1.0)
"""What the rule of a play charges for fast memory, drawn anew for each."""


@dataclass
class _Node:
    actions: list[Action]
    visits: int = 0
    best: float = math.inf
    children: dict[int, _Node] = field(default_factory=dict)


class _Search:
    def __init__(self, program: Program, horizon: int, seed: int) -> None:
        self._capacity = program.machine.capacity
        self._sizes = [b.size for b in program.buffers]
        self._horizon = horizon
        self._state = stream(seed, len(program.segments))
        self.least, self.most = math.inf, 0.0

    def visit(self, root: _Node, game: Game) -> None:
        """Add a node and rate it. ``game`` stands at the root."""
        game, path, node = game.copy(), [root], root
        while len(node.children) == len(node.actions) and game.segment is not None:
            chosen = self._chosen(node)
            game.move(node.actions[chosen])
            node = node.children[chosen]
            path.append(node)
        if game.segment is not None:
            chosen = len(node.children)
            game.move(node.actions[chosen])
            node.children[chosen] = found = _Node(game.actions() if game.segment is not None else [])
            path.append(found)
        self._play(game)
        value = float(game.run_time)
        self.least, self.most = min(self.least, value), max(self.most, value)
        for node in path:
            node.visits += 1
            node.best = min(node.best, value)

    def _chosen(self, node: _Node) -> int:
        span = (self.most - self.least) or 1.0

        def worth(child: _Node) -> float:
            reward = (self.most - child.best) / span
            return reward + EXPLORE * math.sqrt(math.log(node.visits) / child.visits)

        return max(node.children, key=lambda k: worth(node.children[k]))

    def _play(self, game: Game) -> None:
        self._state = mix(self._state + 1)
        rent = RENTS[self._state % len(RENTS)] / self._capacity
        for _ in range(self._horizon):
            segment = game.segment
            if segment is None:
                return
            game.move(greedy(game, game.actions(), rent * self._sizes[segment.buffer]))


def greedy(game: Game, actions: list[Action], rent: float) -> Action:
    """The action that saves most after a rent for each nanosecond of the hold; of equal ones the first."""
    best, least = actions[0], math.inf
    for action in actions if len(actions) > 1 else ():
        outcome = game.trial(action)
        cost = outcome.end + (rent * outcome.held if action.code != SLOW else 0.0)
        if cost < least:
            best, least = action, cost
    return best


def play(program: Program, nodes: int = NODES, horizon: int = HORIZON, seed: int = 1) -> Game:
    """The game as the search plays it, or as the plain rule with one of the rents does where that is faster."""
    found = [plain(program, rent) for rent in sorted(set(RENTS))]
    game = Game(program)
    search = _Search(program, horizon, seed)
    root = _Node(game.actions() if game.segment is not None else [])
    while game.segment is not None:
        if len(root.actions) > 1:
            for _ in range(nodes):
                search.visit(root, game)
            chosen = min(root.children, key=lambda k: (root.children[k].best, -root.children[k].visits, k))
        else:
            chosen = 0
        game.move(root.actions[chosen])
        root = root.children.get(chosen) or _Node(game.actions() if game.segment is not None else [])
        search.least, search.most = math.inf, 0.0
        search.most = max((c.best for c in root.children.values()), default=0.0)
        search.least = min((c.best for c in root.children.values()), default=math.inf)
    found.append(game)
    for one in found:
        one.finished()
    return min(found, key=lambda one: one.run_time)


def plain(program: Program, rent: float) -> Game:
    game = Game(program)
    while (segment := game.segment) is not None:
        size = program.buffers[segment.buffer].size
        game.move(greedy(game, game.actions(), rent * size / program.machine.capacity))
    return game
