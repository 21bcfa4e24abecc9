"""The graph of a run: a super-step proposes batch c while it evaluates batch c−1, one branch a slot.

State holds a few counters, nothing else; everything that a node finds or makes lives in the ledger, and every node
looks there first. So a node may run twice, and a graph killed anywhere goes on from its last checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, TypedDict

from discovery.budget import Allowance, Budget
from discovery.campaign import Campaign
from discovery.checkpoints import Saver
from discovery.proposers.base import ProposerWaiting

# discovery.checkpoints comes first: it says how langgraph reads them.
# isort: split
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import id as ids
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

STRETCH = 64
"""Batches after which the graph is left and entered again: langgraph remembers every branch until it is left."""


class State(TypedDict):
    """``cycle`` c proposes batch c and evaluates batch c−1. ``now``, ``repairs`` and ``studies`` are the slots of batch
    c and how many of them may be repaired and tuned, as the budget allowed when it was asked (no number of studies: no
    limit of its own); ``before``, ``repaired`` and ``studied`` those of c−1."""

    cycle: int
    before: int
    repaired: int
    studied: int | None
    now: int
    repairs: int
    studies: int | None


class Branch(TypedDict):
    k: int


def build(campaign: Campaign, budget: Budget, saver: Saver) -> Any:
    """The compiled graph over ``campaign``."""

    def propose(state: Branch) -> dict[str, int]:
        with suppress(ProposerWaiting):  # the batch before it is evaluated all the same
            campaign.slot(state["k"])
        return {}

    def evaluate(state: Branch) -> dict[str, int]:
        campaign.evaluated(state["k"])
        return {}

    def tune(state: Branch) -> dict[str, int]:
        campaign.tuned(state["k"])
        return {}

    def choose(state: State) -> dict[str, int]:
        return {"cycle": state["cycle"]}

    def integrate(state: State) -> State:
        cycle = state["cycle"]
        if cycle > 0:
            campaign.integrate(cycle - 1, budget.seconds, budget.cpu_seconds)
        # Nothing follows a batch that was not given out.
        allowance = campaign.allow(cycle + 1, budget) if state["now"] else Allowance(0, 0)
        return _state(cycle + 1, _now(state), allowance)

    def start_cycle(state: State) -> list[Send] | str:
        permit(campaign, state)
        cycle = state["cycle"]
        if campaign.open_slots(
            cycle - 1
        ):  # nobody has answered yet; a later sitting asks for that batch again
            return END
        sends = [Send("propose", {"k": k}) for k in campaign.batch(cycle)]
        sends += [Send("evaluate", {"k": k}) for k in campaign.batch(cycle - 1)]
        return sends or END

    def start_tuning(state: State) -> list[Send] | str:
        g = state["cycle"] - 1
        slots = campaign.to_tune(g) if campaign.done < g else ()
        return [Send("tune", {"k": k}) for k in slots] or "integrate"

    graph = StateGraph(State)
    graph.add_node("propose", propose, input_schema=Branch)
    graph.add_node("evaluate", evaluate, input_schema=Branch)
    graph.add_node("choose", choose)
    graph.add_node("tune", tune, input_schema=Branch)
    graph.add_node("integrate", integrate)
    graph.add_conditional_edges(START, start_cycle, ["propose", "evaluate", END])
    graph.add_edge("propose", "choose")
    graph.add_edge("evaluate", "choose")
    graph.add_conditional_edges("choose", start_tuning, ["tune", "integrate"])
    graph.add_edge("tune", "integrate")
    graph.add_conditional_edges("integrate", start_cycle, ["propose", "evaluate", END])
    return graph.compile(checkpointer=saver)


def _state(cycle: int, before: Allowance, now: Allowance) -> State:
    return {
        "cycle": cycle,
        "before": before.slots,
        "repaired": before.repairs,
        "studied": before.studies,
        "now": now.slots,
        "repairs": now.repairs,
        "studies": now.studies,
    }


def _now(state: State) -> Allowance:
    return Allowance(state["now"], state["repairs"], state.get("studies"))


def permit(campaign: Campaign, state: State) -> None:
    """Tell the campaign what a state says about the two batches that are under way."""
    before = Allowance(state["before"], state["repaired"], state.get("studied"))
    campaign.permit(state["cycle"] - 1, before)
    campaign.permit(state["cycle"], _now(state))


def steps(campaign: Campaign, budget: Budget, saver: Saver) -> Iterator[None]:
    """Run the graph, or go on with it, one super-step at a time; the checkpoint of a step is on disk when it is
    yielded. The caller may stop between any two."""
    graph = build(campaign, budget, saver)
    shape = campaign.shape
    config = {
        "configurable": {"thread_id": campaign.run},
        "max_concurrency": 2 * shape.batch,
        "recursion_limit": 10 * (shape.batches + 2),
    }
    kept = graph.get_state(config)
    _follow(kept.config)
    # The first checkpoint of a graph holds what it was given, and nothing is done yet.
    under_way = bool(kept.next) and START not in kept.next
    if under_way:
        permit(campaign, kept.values)
    elif kept.values and not kept.values["before"] and not kept.values["now"]:
        if not campaign.open_slots(campaign.done + 1):
            return  # it has ended, and the budget that ended it is not asked again
    cycle = campaign.done + 1
    # A graph that has ended, since a slot was waiting, begins anew after the last batch.
    begin = None if under_way else _state(cycle, Allowance(0, 0), campaign.allow(cycle, budget))
    while True:
        with closing(graph.stream(begin, config, stream_mode="values", durability="sync")) as stream:
            yield from _stretch(campaign, saver, stream)
        if not graph.get_state(config).next:
            return
        begin = None


def _stretch(campaign: Campaign, saver: Saver, stream: Iterator[object]) -> Iterator[None]:
    """The steps of at most :data:`STRETCH` batches."""
    first = done = campaign.done
    for _ in stream:
        yield
        if campaign.done != done:
            saver.prune([campaign.run])
            done = campaign.done
        if done - first >= STRETCH:
            return


def _follow(kept: RunnableConfig) -> None:
    """Checkpoints are put in order by ids that begin with the wall clock. Those to come are after ``kept`` even where
    the clock was moved back since, or is another machine's."""
    newest = kept["configurable"].get("checkpoint_id")
    if newest is not None:
        ids._last_v6_timestamp = max(ids._last_v6_timestamp or 0, ids.UUID(newest).time)  # type: ignore[assignment]
