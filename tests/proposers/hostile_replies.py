"""Replies that a model could send to the toy task, from right to hostile, as hypothesis strategies.

:func:`replies` draws one; :func:`gathered` draws many, the same for the same seed. What a reply does is not known
beforehand; what must hold for each is said in ``test_fuzz_replies``.
"""

from __future__ import annotations

import html
import json

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

ARGUMENTS = "weights, volumes, capacity"
NASTY = (
    "\x00\x01\x07\x08\x0b\x0c\x1b\x7f\x85\u00a0\u061c\u200b\u200e"
    "\u202a\u202e\u2028\u2066\u2069\ufeff\ufffe\ud800\udfff\U0001f4a9"
)

EXPRESSIONS = st.sampled_from(
    [
        "weights / volumes",
        "weights",
        "-volumes",
        "weights - volumes",
        "weights * 2",
        "weights ** 0.5",
        "np.log1p(weights) - np.log1p(volumes)",
        "weights / (volumes + 1)",
        "weights.astype(float)",
        "list(weights)",
        "[w / v for w, v in zip(weights, volumes)]",
        "np.sort(weights)",
        "weights % 7",
    ]
)
ANSWERS = st.sampled_from(
    [
        "None",
        "7",
        "'ranks'",
        "b'ranks'",
        "[]",
        "{}",
        "weights[:-1]",
        "np.append(weights, 1)",
        "[weights]",
        "weights.reshape(-1, 1)",
        "weights * float('nan')",
        "weights / 0",
        "np.full(len(weights), np.inf)",
        "weights + 1j",
        "np.array(['a'] * len(weights))",
        "np.array([object()] * len(weights))",
        "(w for w in weights)",
        "lambda: 1",
        "rank",
        "NotImplemented",
        "...",
        "10 ** 400 * weights",
        "[10 ** 400] * len(weights)",
        "np.ma.masked_array(weights, True)",
        "np.datetime64('now')",
        "range(10 ** 9)",
        "weights > 3",
        "np.empty(0)",
        "weights.view('f8')",
        "{w: w for w in weights}",
        "set(weights)",
        "memoryview(b'x')",
        "type('A' * 9999, (), {})()",
    ]
)
DEEDS = st.sampled_from(
    [
        "while True: pass",
        "for _ in iter(int, 1): weights + 1",
        "x = bytearray(10 ** 10)",
        "x = [0] * 10 ** 9",
        "x = [[0] * 10 ** 6 for _ in iter(int, 1)]",
        "return rank(weights, volumes, capacity)",
        "raise SystemExit",
        "raise SystemExit('done')",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
        "raise MemoryError",
        "raise ValueError('\\x1b[31m\\u202e' * 999)",
        "raise type('E' * 9999, (Exception,), {})('x' * 10 ** 6)",
        "raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})",
        "assert False",
        "1 / 0",
        "undefined",
        "import os; os._exit(0)",
        "__import__('os').system('true')",
        "open('/etc/passwd').read()",
        "exec('1')",
        "print('x' * 10 ** 6)",
        "input()",
        "weights[:] = 0; volumes[:] = 0",
        "weights.setflags(write=False)",
        "np.random.seed(1)",
        "np.seterr(all='raise')",
        "globals().clear()",
        "del weights",
        "capacity = 10 ** 5000",
        "x = 10 ** 10 ** 8",
        "x = 'a' * 10 ** 9",
        "yield 1",
        "await x",
        "x = np.zeros((10 ** 6, 10 ** 6))",
        "weights.resize(10 ** 9, refcheck=False)",
        "list.append = 1",
        "np.ndarray.__add__ = None",
        "pass",
        "class A:\n        def __array__(self, *a, **k): raise KeyboardInterrupt\n    return A()",
        "class A:\n        def __len__(self): return 1 << 30\n        def __getitem__(self, i): pass\n    return A()",
        "class A(float):\n        def __float__(self): raise SystemExit\n    return [A()] * len(weights)",
    ]
)
SPACES = st.sampled_from(
    [
        '{"a": {"low": 0.0, "high": 2.0}}',
        '{"a": {"low": 1, "high": 5}}',
        '{"a": ["x", "y"]}',
        '{"a": []}',
        '{"a": {"low": 5, "high": 1}}',
        '{"a": {"low": 0.0, "high": 1e999}}',
        '{"a": {"low": -1, "high": 1, "log": True}}',
        '{"a": None}',
        '{"b": {"low": 0.0, "high": 2.0}}',
        '{1: {"low": 0, "high": 1}}',
        "{}",
        "[]",
        "None",
        "7",
        "{{}}",
        "dict(a=(0, 1))",
        '{"a": {"low": "0", "high": "1"}}',
        '{"a": {"low": 0, "high": 10 ** 9}}',
        '{"a": [1, 1.0, True]}',
        '{"a": {"low": float("nan"), "high": 1}}',
        '{"a": [[1], [2]]}',
        '{"a": ["\\u202e", "\\x00"]}',
        "{**{}}",
        '{"a": {"low": 0, "high": 1}, "a": {"low": 2, "high": 3}}',
        "[" * 60 + "]" * 60,
        '{"a": range(3)}',
        '{"a": {"low": 0, "high": ' + "9" * 400 + "}}",
        '{"a": {"low": 0.0, "high": 2.0, "step": 0.1}}',
        "{" + ", ".join(f'"a{k}": {{"low": 0, "high": 1}}' for k in range(200)) + "}",
    ]
)
OTHERS = st.sampled_from(
    [
        "",
        " ",
        "\n\n\n",
        "I cannot help with that.",
        "Sorry.",
        "function rank(w, v, c) { return w.map((x, i) => x / v[i]); }",
        "fn rank(w: &[i64]) -> Vec<f64> { w.iter().map(|x| *x as f64).collect() }",
        "SELECT * FROM ranks;",
        "<html></html>",
        "def rank(",
        "def",
        "return weights",
        "```",
        "``````",
        "```python",
        "~~~\n~~~",
        "{",
        "[[[",
        '{"code": ',
        "null",
        "排序规则：重量除以体积。",
        "#include <vector>\nstd::vector<double> rank();",
        "lambda weights: weights",
        "rank",
        "def rank(*args): return args[0]",
        "def rank(weights, volumes): return weights",
        "class rank: pass",
        "rank = 1",
        "async def rank(weights, volumes, capacity): return weights",
        "def rank(a, b, c): return a",
        "import os",
        "from rank import rank",
        "def rank(weights, volumes, capacity, extra): return weights",
        "%%time\nprint(1)",
        "def rank(weights, volumes, capacity, /): return weights",
        ">>> rank(1, 2, 3)\n[1]",
        "rank = lambda w, v, c: w",
        "def rank(weights, volumes, capacity, **k): return weights",
        "```json\n{}\n```",
        "<think>" * 50,
        "</think>",
    ]
)
DEEP = st.builds(
    lambda kind, n: kind(n),
    st.sampled_from(
        [
            lambda n: "(" * n,
            lambda n: "(" * n + "1" + ")" * n,
            lambda n: "[" * n + "]" * n,
            lambda n: "-" * n + "1",
            lambda n: "not " * n + "1",
            lambda n: "a" + ".b" * n,
            lambda n: "a" + "[0]" * n,
            lambda n: "f(" * n + ")" * n,
            lambda n: "1" + " + 1" * n,
            lambda n: "lambda: " * n + "1",
            lambda n: "x = " * n + "1",
            lambda n: "1 if 1 else " * n + "1",
            lambda n: "\n".join(" " * k + "if 1:" for k in range(min(n, 400))),
            lambda n: "{1: " * n + "1" + "}" * n,
            lambda n: "`" * n,
            lambda n: "<think>" * n,
            lambda n: "```python\n" * n,
            lambda n: "<<<<<<< SEARCH\n" * n,
            lambda n: "x" * n,
            lambda n: "x = 1\n" * n,
            lambda n: "9" * n,
            lambda n: "'" * n,
            lambda n: "\\" * n,
            lambda n: '{"a":' * n,
            lambda n: "#" + "\u202e" * n,
            lambda n: "def rank(" + "a, " * n + "b): return b",
        ]
    ),
    st.sampled_from([3, 50, 95, 150, 1_000, 5_000, 40_000, 300_000]),
)


@st.composite
def modules(draw: st.DrawFn) -> str:
    """A module for the toy task: mostly right, or with one bad answer, deed or search space."""
    keywords, space, deed = "", "", ""
    kind = draw(st.sampled_from(["right", "right", "tuned", "answer", "deed", "space"]))
    body = f"return {draw(EXPRESSIONS)}"
    if kind == "right":
        body += f" * {draw(st.floats(-9, 9, allow_nan=False))!r}"
    elif kind == "answer":
        body = f"return {draw(ANSWERS)}"
    elif kind == "deed":
        deed = f"    {draw(DEEDS)}\n"
    if kind in ("tuned", "space"):
        default = draw(st.sampled_from(["1.0", "1", "'x'", "True", "None", "weights", "1e999", "(1,)", "-3"]))
        keywords = f", *, a={default if kind == 'space' else '1.0'}"
        found = draw(SPACES) if kind == "space" else '{"a": {"low": 0.0, "high": 2.0}}'
        space = f"SEARCH_SPACE = {found}\n\n\n"
        body = body + " ** a" if kind == "tuned" else body
    return f"import numpy as np\n\n{space}\ndef rank({ARGUMENTS}{keywords}):\n{deed}    {body}\n"


@st.composite
def edits(draw: st.DrawFn) -> str:
    """Search/replace blocks, of which some apply to the seeds."""
    lines = [
        "    return weights",
        "return weights",
        "import numpy as np",
        "def rank(weights, volumes, capacity):",
        "",
    ]
    blocks = []
    for _ in range(draw(st.integers(1, 4))):
        search = draw(st.sampled_from(lines) | st.text(max_size=30))
        replace = draw(st.builds(lambda e: f"    return {e}", EXPRESSIONS) | st.text(max_size=30))
        marks = draw(
            st.sampled_from(
                [
                    ("<<<<<<< SEARCH\n", "\n=======\n", "\n>>>>>>> REPLACE\n"),
                    ("<<<<<<< SEARCH\n", "\n=======\n", ""),
                    ("<<<<<<< SEARCH\n", "\n", "\n>>>>>>> REPLACE\n"),
                    ("<<< SEARCH\n", "\n===\n", "\n>>> REPLACE\n"),
                ]
            )
        )
        blocks.append(f"{marks[0]}{search}{marks[1]}{replace}{marks[2]}")
    return "".join(blocks)


WRAPS = st.sampled_from(
    [
        lambda t: t,
        lambda t: t,
        lambda t: f"```python\n{t}```\n",
        lambda t: f"Here:\n\n```python\n{t}\n```\nDone.",
        lambda t: f"```python\n{t}",
        lambda t: f"~~~py\n{t}~~~",
        lambda t: f"````\n```python\n{t}```\n````",
        lambda t: f"<think>maybe {t}</think>\n{t}",
        lambda t: f"<think>{t}",
        lambda t: f"<think>```python\n{t}```\n{t}",
        lambda t: json.dumps({"code": t}),
        lambda t: json.dumps({"thought": "x", "python": t})[:-1],
        lambda t: html.escape(t),
        lambda t: f"<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>{t}",
        lambda t: t.replace("\n", "\r\n"),
        lambda t: "\ufeff" + t,
        lambda t: "\n".join("> " + line for line in t.split("\n")),
        lambda t: t.replace("    ", "\t"),
        lambda t: "\n".join("    " + line for line in t.split("\n")),
        lambda t: f"Sure!\n{t}\nThis sorts well.",
        lambda t: t + t,
        lambda t: f"```python\nx = 1\n```\n```python\n{t}```",
        lambda t: f"```javascript\n{t}```",
        lambda t: "\n".join(">>> " + s for s in t.split("\n")),
        lambda t: f"```python\n{t}```\n```python\nprint(rank([1], [2], 3))\n```",
        lambda t: repr(t),
        lambda t: f"'''{t}'''",
        lambda t: f'<code language="python">{t}</code>',
        lambda t: f"1. {t}",
        lambda t: "\n".join(f"{k}: {s}" for k, s in enumerate(t.split("\n"))),
    ]
)


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text in which a few stretches are cut out, doubled or replaced by characters that nobody wants."""
    text = draw(texts)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 12)))
        kind = draw(st.sampled_from(["cut", "double", "nasty", "noise", "end"]))
        if kind == "end":
            text = text[:at]
            continue
        put = {"cut": "", "double": text[at:end] * 2}.get(kind)
        if put is None:
            put = draw(st.text(NASTY, min_size=1, max_size=4) if kind == "nasty" else st.text(max_size=6))
        text = text[:at] + put + text[end:]
    return text


def replies() -> st.SearchStrategy[str]:
    """One reply."""
    whole = st.builds(lambda wrap, text: wrap(text), WRAPS, modules())
    inside = st.builds(lambda deep: f"def rank({ARGUMENTS}):\n    return {deep}\n", DEEP)
    anything = st.text(st.characters(codec=None, categories=None), max_size=200)
    return st.one_of(
        whole,
        whole,
        whole,
        damaged(whole),
        damaged(whole),
        edits(),
        damaged(edits()),
        OTHERS,
        DEEP,
        inside,
        anything,
    )


def gathered(count: int, number: int = 0) -> list[str]:
    """``count`` replies, the same for the same ``number``."""
    found: list[str] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(replies())
    def gather(text: str) -> None:
        found.append(text)

    while len(found) < count:  # hypothesis may stop early when its ideas repeat
        gather()
    return found[:count]
