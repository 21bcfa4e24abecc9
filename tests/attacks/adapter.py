"""The adapter of ``smtt`` in careless hands: it leaves a file with a secret open, which no child may inherit."""

import importlib.util
import sys
from pathlib import Path

SMTT = Path(__file__).resolve().parents[2] / "evaluators" / "smtt" / "adapter.py"
left_open = open(Path(__file__).with_name("secret.txt"), "rb", 0)  # noqa: SIM115 - on purpose

spec = importlib.util.spec_from_file_location("plain smtt adapter", SMTT)
assert spec is not None and spec.loader is not None
smtt = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(smtt)
answer = smtt.answer
