"""The suite of strategies on all that ship, with their options on and off."""

from __future__ import annotations

import types
from pathlib import Path

from conformance.strategy_conformance import StrategyConformance
from discovery.population.best_of_n import BestOfN
from discovery.population.islands import Islands
from discovery.population.operators import Shares
from discovery.population.reflective import Reflective
from discovery.population.strategy import Strategy


class TestIslands(StrategyConformance):
    def make(self) -> Strategy:
        return Islands()


class TestIslandsByFronts(StrategyConformance):
    def make(self) -> Strategy:
        return Islands(front=0.5, niche=0.5, shares=Shares(0.3, 0.1, 0.2, 0.1, 0.2))


class TestBestOfN(StrategyConformance):
    def make(self) -> Strategy:
        return BestOfN()


class TestReflective(StrategyConformance):
    def make(self) -> Strategy:
        return Reflective()


class TestDocumented(StrategyConformance):
    """The example of docs/adding-a-strategy.md, as it stands there."""

    def make(self) -> Strategy:
        text = (Path(__file__).parents[2] / "docs" / "adding-a-strategy.md").read_text()
        module = types.ModuleType("my_search")
        code = text.split('```python title="my_search.py"\n')[1].split("```")[0]
        exec(compile(code, "my_search.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        made: Strategy = module.Smallest()
        return made
