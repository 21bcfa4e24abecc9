"""Suites that every task, proposer and executor inherits: subclass one, say what is tested, and pytest runs it all."""
