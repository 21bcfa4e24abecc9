"""isl's own scheduler as a reference policy: its Pluto-like algorithm, then tiles of one size on permutable bands.

Source: Verdoolaege & Janssens, "Scheduling for PPCG" (2017). ``apart``: strongly connected components are not fused.
"""

from __future__ import annotations

from typing import Any

from evaluators.polyhedral.codegen import printed
from evaluators.polyhedral.dependences import Analysis

TILE = 32
OPERATIONS = 40_000_000


def scheduled(analysis: Analysis, *, apart: bool, tile: int = TILE) -> str:
    """C of the program as isl schedules it. Raises OutOfOperations and TooLong."""
    isl, context = analysis.isl, analysis.context
    context.set_schedule_serialize_sccs(int(apart))
    with analysis.budget(operations=OPERATIONS):
        constraints = isl.ScheduleConstraints.on_domain(_domains(analysis))
        relations = _union([isl.UnionMap.from_map(d.relation) for d in analysis.dependences])
        if relations is not None:
            constraints = constraints.set_validity(relations).set_coincidence(relations)
            flow = _union(
                [isl.UnionMap.from_map(d.relation) for d in analysis.dependences if d.kind == "flow"]
            )
            constraints = constraints.set_proximity(flow if flow is not None else relations)
        constraints = constraints.set_context(analysis.context_set)
        schedule = constraints.compute_schedule()
        node = _tiled(isl, schedule.get_root(), tile)
        return printed(analysis, node.get_schedule(), None)


def _domains(analysis: Analysis) -> Any:
    sets = [analysis.isl.UnionSet.from_set(analysis.domain(s.name)) for s in analysis.program.statements]
    return _union(sets)


def _union(parts: list[Any]) -> Any:
    whole = None
    for part in parts:
        whole = part if whole is None else whole.union(part)
    return whole


def _tiled(isl: Any, node: Any, tile: int) -> Any:
    """The tree with every permutable band of two or more members in tiles, innermost bands first."""
    for k in range(node.n_children()):
        node = _tiled(isl, node.child(k), tile).parent()
    band = node.get_type() == isl.schedule_node_type.band
    if band and node.band_get_permutable() and node.band_n_member() >= 2:
        space = node.band_get_space()
        sizes = isl.MultiVal.zero(space)
        for k in range(node.band_n_member()):
            sizes = sizes.set_val(k, isl.Val.int_from_si(node.get_ctx(), tile))
        node = node.band_tile(sizes)
    return node
