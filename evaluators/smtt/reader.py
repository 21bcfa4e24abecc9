from pathlib import Path

from evaluators.task import InstanceSet


def read(path: Path) -> InstanceSet:
    raise NotImplementedError(path)
