"""The errors that reach a user. Each carries one clear sentence and the exit code of the command line."""

from __future__ import annotations


class DiscoverError(Exception):
    """A failure with a sentence for the user: what, what was expected, what to do."""

    exit_code = 1


class UsageError(DiscoverError):
    """The user asked for something that does not exist or does not fit."""

    exit_code = 2


class EnvironmentProblem(DiscoverError):
    """The machine, the ledger or an endpoint cannot do what is needed."""

    exit_code = 3


class NothingValid(DiscoverError):
    """A run or a command ended without any valid result; the sentence says where the attempts were lost."""

    exit_code = 1
