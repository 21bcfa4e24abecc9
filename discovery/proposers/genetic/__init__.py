"""The built-in proposer: typed syntax-tree mutation and crossover, deterministic by seed, without a model."""

from discovery.proposers.genetic.proposer import GeneticProposer

__all__ = ["GeneticProposer"]
