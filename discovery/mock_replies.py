"""What the scripted server writes: a small seeded edit of the code in a prompt. No intelligence, only form."""

from __future__ import annotations

import ast
import copy
import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from discovery import syntax

DECIDING = frozenset(
    [
        "argsort",
        "argmin",
        "argmax",
        "lexsort",
        "max",
        "min",
        "maximum",
        "minimum",
        "sorted",
        "heappush",
        "where",
    ]
)


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a chat message, whatever its content is."""
    content = message.get("content")
    return content if isinstance(content, str) else json.dumps(content)


_ASKS_FOR_A_NOTE = re.compile(r"do not write code|without code", re.I)
_FAULT = "failed when it ran:"
NOTES = (
    "The order follows the size of what is decided on. A second term with a small weight looks promising.",
    "Both codes compare the same numbers, so they fail on the same instances. Try a term that changes with time.",
    "A larger weight made it worse. Keep the term, and let its weight be tuned.",
)


class Writer:
    """Writes the reply: a note where one is asked for, else a seeded small edit of the first working code in the
    prompt, or a trivial first function. ``failure`` is one of "same", "broken" and "code"."""

    def __init__(self, seed: int, failure: str | None = None) -> None:
        self.random, self.failure = random.Random(seed), failure

    def __call__(self, messages: Sequence[Mapping[str, Any]]) -> str:
        last = text_of(messages[-1])
        if _ASKS_FOR_A_NOTE.search(last) and self.failure != "code":
            return self.random.choice(NOTES)
        # A repair is an edit of the code that works; without one, it starts anew.
        codes = [*(_blocks(text_of(m)) for m in messages[:-1]), _blocks(last.partition(_FAULT)[0])]
        tree = next((t for blocks in reversed(codes) for t in blocks if not _blank(t)), None)
        skeleton = next((t for blocks in codes for t in blocks if _blank(t)), None)
        if tree is None and skeleton is None:
            return "There is no code in the prompt that I could change."
        if tree is None:
            assert skeleton is not None
            code = self._first(skeleton, "\n".join(map(text_of, messages)))
        else:
            code = ast.unparse(tree) if self.failure == "same" else self._edited(tree)
        if self.failure == "broken":
            code = _broken(code)
        said = "" if self.failure == "code" else "I changed one decision of the rule.\n\n"
        return f"{said}```python\n{code}\n```\n"

    def _first(self, skeleton: ast.Module, prompt: str) -> str:
        """A valid answer from the words of the prompt about what is returned."""
        function = _main(skeleton)
        returns = prompt.partition("Returns:")[2].partition("\n#")[0]
        key = self.random.choice([a.arg for a in function.args.args] or ["0"])
        if "permutation" in returns:
            value = f"np.argsort(weight * np.asarray({key}), kind='stable')"
        elif "array" in returns:
            value = f"weight * np.asarray({key}, dtype=float)"
        else:
            value = f"np.asarray({key}).flat[0]"
        space = "SEARCH_SPACE = {'weight': {'low': 0.1, 'high': 4.0}}"
        weight = round(self.random.uniform(0.2, 3.9), 3)
        names = ", ".join(a.arg for a in function.args.args)
        head = f"def {function.name}({names}, *, weight={weight}):"
        return f"import numpy as np\n\n{space}\n\n\n{head}\n    return {value}"

    def _edited(self, tree: ast.Module) -> str:
        tree = copy.deepcopy(tree)
        function = _main(tree)
        edits = [self._scale_default, self._scale_number, self._add_term]
        self.random.shuffle(edits)
        if not any(edit(tree, function) for edit in (*edits, self._add_argument)):
            self._add_parameter(tree, function, 1.0, 0.0, 2.0)
        return ast.unparse(ast.fix_missing_locations(tree))

    def _scale_default(self, tree: ast.Module, function: ast.FunctionDef) -> bool:
        """Another value of one parameter, inside its declared range."""
        pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        numbers = [(a.arg, d) for a, d in pairs if isinstance(d, ast.Constant) and isinstance(d.value, float)]
        if not numbers:
            return False
        name, number = self.random.choice(numbers)
        assert isinstance(number.value, float)
        value = number.value * self.random.uniform(0.7, 1.4) or 0.1
        entry = _space(tree).get(name)
        if isinstance(entry, dict) and {"low", "high"} <= entry.keys():
            value = min(max(value, float(entry["low"])), float(entry["high"]))
        elif entry is not None:
            return False
        number.value = float(f"{value:.4g}")
        return True

    def _scale_number(self, tree: ast.Module, function: ast.FunctionDef) -> bool:
        del tree
        numbers = [
            n
            for s in function.body
            for n in ast.walk(s)
            if isinstance(n, ast.Constant) and isinstance(n.value, float)
        ]
        if not numbers:
            return False
        number = self.random.choice(numbers)
        assert isinstance(number.value, float)
        number.value = round(
            number.value * self.random.uniform(0.5, 2.0) + self.random.choice([0.0, 0.01]), 4
        )
        return True

    def _add_term(self, tree: ast.Module, function: ast.FunctionDef) -> bool:
        """Weigh one operand of a sum that decides something: ``a + b`` becomes ``a + b + w * b``."""
        sums = [
            n
            for call in ast.walk(function)
            if isinstance(call, ast.Call) and _called(call) in DECIDING
            for argument in call.args
            for n in ast.walk(argument)
            if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add | ast.Sub)
        ]
        if not sums:
            return False
        node = self.random.choice(sums)
        name = self._add_parameter(tree, function, round(self.random.uniform(-0.5, 0.5), 3), -1.0, 1.0)
        term = ast.BinOp(
            ast.Name(name, ast.Load()), ast.Mult(), copy.deepcopy(self.random.choice([node.left, node.right]))
        )
        node.left, node.op, node.right = ast.BinOp(node.left, node.op, node.right), ast.Add(), term
        return True

    def _add_argument(self, tree: ast.Module, function: ast.FunctionDef) -> bool:
        """Add a weighted argument to a result that is an argument itself: ``a`` becomes ``a + w * b``."""
        given, last = [a.arg for a in function.args.args], function.body[-1]
        if not (isinstance(last, ast.Return) and isinstance(last.value, ast.Name) and last.value.id in given):
            return False
        name = self._add_parameter(tree, function, round(self.random.uniform(-0.5, 0.5), 3), -1.0, 1.0)
        other = ast.Name(self.random.choice(given), ast.Load())
        last.value = ast.BinOp(
            last.value, ast.Add(), ast.BinOp(ast.Name(name, ast.Load()), ast.Mult(), other)
        )
        return True

    def _add_parameter(
        self, tree: ast.Module, function: ast.FunctionDef, value: float, low: float, high: float
    ) -> str:
        taken = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {
            a.arg for a in function.args.kwonlyargs
        }
        name = next(f"w{i}" for i in range(1, 10_000) if f"w{i}" not in taken)
        function.args.kwonlyargs.append(ast.arg(name))
        function.args.kw_defaults.append(syntax.expression(repr(value)))
        entry = syntax.expression(repr({"low": low, "high": high}))
        for node in tree.body:
            named = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SEARCH_SPACE"
            if named and isinstance(node.value, ast.Dict):  # type: ignore[attr-defined]
                node.value.keys.append(ast.Constant(name))  # type: ignore[attr-defined]
                node.value.values.append(entry)  # type: ignore[attr-defined]
                return name
        space = ast.Assign([ast.Name("SEARCH_SPACE", ast.Store())], ast.Dict([ast.Constant(name)], [entry]))
        place = next(i for i, n in enumerate(tree.body) if isinstance(n, ast.FunctionDef | ast.ClassDef))
        tree.body.insert(place, space)
        return name


def _broken(code: str) -> str:
    """``code`` that divides by zero as soon as its function is called."""
    tree = syntax.module(code)
    _main(tree).body.insert(0, syntax.module("1 // 0").body[0])
    return ast.unparse(tree)


def _space(tree: ast.Module) -> dict[str, Any]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SEARCH_SPACE":
            try:
                space = ast.literal_eval(node.value)
            except (ValueError, TypeError, SyntaxError):
                return {}
            return space if isinstance(space, dict) else {}
    return {}


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _main(tree: ast.Module) -> ast.FunctionDef:
    """The interface's function: the last one, since helpers stand before it."""
    return [n for n in tree.body if isinstance(n, ast.FunctionDef)][-1]


def _blank(tree: ast.Module) -> bool:
    """Whether the module is a skeleton to fill in."""
    first = _main(tree).body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.value.value is ...


def _blocks(text: str) -> list[ast.Module]:
    """The fenced modules of a message that hold a function."""
    trees = []
    for match in re.finditer(r"^(`{3,})\w*\n(.*?)^\1[ \t]*$", text[:200_000], re.M | re.S):
        try:
            tree = syntax.module(match[2])
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if any(isinstance(n, ast.FunctionDef) for n in tree.body):
            trees.append(tree)
    return trees
