"""Replies as models give them, and as nobody should: each becomes candidate text or one clear reason."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from discovery.candidate import check
from discovery.proposers.reading import MAX_REPLY, Unreadable, candidate_text
from evaluators.task import Interface, Value

INTERFACE = Interface(
    function="schedule",
    summary="Order the jobs.",
    arguments=(
        Value("processing_times", "array", "int64", "how long each job takes", "time", 1, 100, "n"),
        Value("due_dates", "array", "int64", "when each job is due", "time", 0, None, "n"),
    ),
    returns=Value("order", "permutation", "int64", "all jobs, first to last", length="n"),
)
PLAIN = """\
import numpy as np

SEARCH_SPACE = {"weight": {"low": 0.0, "high": 2.0}}


def schedule(processing_times, due_dates, *, weight=1.0):
    key = due_dates + weight * processing_times
    return np.argsort(key, kind="stable")
"""
BODY = "    return sorted(range(len(due_dates)), key=lambda i: due_dates[i])\n"
HEAD = "def schedule(processing_times, due_dates):\n"


def read(reply: str, *parents: str) -> str:
    return candidate_text(reply, parents, INTERFACE)


@pytest.mark.parametrize("wrap", ["{}", "Here:\n```python\n{}```\n", "Here it is.\n\n{}"])
@pytest.mark.parametrize(
    "code",
    [
        HEAD + "    x = 0x" + "f" * 4_000 + "\n" + BODY,
        "def schedule(processing_times, due_dates, weight=1" + "0" * 400 + "):\n" + BODY,
        'SEARCH_SPACE = {"weight": {"low": 0.0, "high": 2.0}}\n\n\n'
        "def schedule(processing_times, due_dates, *, weight=1" + "0" * 400 + "):\n" + BODY,
    ],
)
def test_huge_whole_numbers_are_a_reason_in_every_form(code: str, wrap: str) -> None:
    with pytest.raises(Unreadable, match="whole number of"):
        read(wrap.format(code))


def reason(reply: str, *parents: str) -> str:
    with pytest.raises(Unreadable) as caught:
        read(reply, *parents)
    text = str(caught.value)
    assert text and text.isprintable() and len(text) < 500
    return text


class TestPlain:
    def test_python_comes_back_to_the_letter(self) -> None:
        assert read(PLAIN) == PLAIN

    def test_crlf_becomes_lf(self) -> None:
        assert read(PLAIN.replace("\n", "\r\n")) == PLAIN

    def test_prose_around_a_bare_function(self) -> None:
        reply = (
            f"Sure! Here is the improved rule:\n\n{PLAIN}\nThis sorts jobs by a weighted sum, which helps.\n"
        )
        assert read(reply).strip() == PLAIN.strip()

    def test_prose_that_begins_like_code(self) -> None:
        code = read(f"import numpy first, then see below\nfrom what I know this works.\n{HEAD}{BODY}Enjoy\n")
        assert code.strip() == (HEAD + BODY).strip()

    def test_an_indented_block(self) -> None:
        reply = (
            "My answer:\n\n" + "".join(f"    {line}\n" for line in PLAIN.splitlines()) + "\nThat is all.\n"
        )
        assert check(read(reply), INTERFACE).hash == check(PLAIN, INTERFACE).hash


class TestFences:
    @pytest.mark.parametrize(
        "tag", ["python", "py", "", "Python", "python3", " python", 'python title="a.py"', "text"]
    )
    def test_tags(self, tag: str) -> None:
        assert read(f"Here:\n```{tag}\n{PLAIN}```\nDone.") == PLAIN

    def test_cut_off_after_the_function(self) -> None:
        assert read(f"```python\n{PLAIN}") == PLAIN

    def test_cut_off_in_a_helper_after_the_function(self) -> None:
        assert read(f"```python\n{PLAIN}\ndef example(x\n").strip() == PLAIN.strip()

    def test_cut_off_in_a_helper_that_is_needed(self) -> None:
        code = HEAD + "    return helper(due_dates)\n\n\ndef helper(values):\n    return sorted(range(\n"
        assert "cut off" in reason(f"```python\n{code}")

    @pytest.mark.parametrize("end", [70, 140, 180, len(PLAIN) - 12])
    def test_cut_off_inside_the_function(self, end: int) -> None:
        assert "cut off" in reason(f"```python\n{PLAIN[:end]}")

    def test_cut_off_at_a_line_that_parses(self) -> None:
        torn = HEAD + "    order = []\n    for i in range(3):\n        order.append(i)\n"
        assert "cut off" in reason(f"```python\n{torn}")

    def test_the_fence_that_defines_the_function(self) -> None:
        usage = "Usage:\n```python\nprint(schedule([1], [2]))\n```\n"
        reply = f"{usage}Code:\n```python\n{PLAIN}```\n```\n$ python x.py\n```\n"
        assert read(reply) == PLAIN

    def test_of_two_versions_the_last_complete_one(self) -> None:
        old = HEAD + BODY
        assert read(f"Before:\n```python\n{old}```\nAfter:\n```python\n{PLAIN}```\n") == PLAIN
        assert read(f"```python\n{PLAIN}```\nOr shorter:\n```python\n{HEAD}") == PLAIN
        assert read(f"```python\n{PLAIN}```\nOr shorter:\n```python\n{old}") == PLAIN

    def test_a_fence_inside_a_docstring_does_not_end_a_longer_fence(self) -> None:
        code = HEAD + '    """Sorts.\n\n    ```\n    example\n    ```\n    """\n' + BODY
        assert read(f"````python\n{code}````\n") == code

    def test_fence_marks_at_the_end_of_text_lines(self) -> None:
        assert read(f"Here it is: ```python\n{HEAD}{BODY.rstrip()}```\n") == HEAD + BODY

    def test_an_indented_fence(self) -> None:
        inner = "".join(f"   {line}\n" if line else "\n" for line in PLAIN.splitlines())
        assert read(f"1. First:\n   ```python\n{inner}   ```\n") == PLAIN

    def test_search_space_in_a_fence_of_its_own(self) -> None:
        space, _, function = PLAIN.partition("\n\n\n")
        code = read(f"```python\n{space}\n```\nand\n```python\n{function}```\n")
        assert check(code, INTERFACE).space.keys() == {"weight"}

    def test_another_language(self) -> None:
        text = reason("```javascript\nfunction schedule(p, d) { return p; }\n```")
        assert "javascript" in text and "Python" in text

    def test_code_in_json(self) -> None:
        assert read(json.dumps({"idea": "weights", "code": PLAIN})) == PLAIN
        assert read("```json\n" + json.dumps({"code": f"```python\n{PLAIN}```"}) + "\n```") == PLAIN


class TestReasoning:
    DRAFT = "```python\ndef schedule(processing_times, due_dates):\n    return wrong\n```\n"

    @pytest.mark.parametrize("tag", ["think", "reasoning", "THINK", "thinking"])
    def test_tags_are_left_out(self, tag: str) -> None:
        assert read(f"<{tag}>Maybe\n{self.DRAFT}</{tag}>\n```python\n{PLAIN}```") == PLAIN

    def test_opened_in_the_prompt(self) -> None:
        assert read(f"Let me see.\n{self.DRAFT}</think>\n\n```python\n{PLAIN}```") == PLAIN

    def test_a_stray_closing_tag_at_the_end(self) -> None:
        assert read(f"```python\n{PLAIN}```\n</reasoning>") == PLAIN

    def test_never_closed(self) -> None:
        assert "reasoning" in reason(f"<think>Hm\n{self.DRAFT} and so on")

    def test_channels(self) -> None:
        reply = (
            f"<|channel|>analysis<|message|>{self.DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>"
            f"```python\n{PLAIN}```<|return|>"
        )
        assert read(reply) == PLAIN
        assert "reasoning" in reason(f"<|channel|>analysis<|message|>{self.DRAFT}")

    def test_special_tokens(self) -> None:
        assert read(f"```python\n{PLAIN}```<|im_end|>") == PLAIN
        assert read(f"{PLAIN}<|endoftext|>").strip() == PLAIN.strip()


def edit(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


class TestEdits:
    OLD, NEW = (
        "    key = due_dates + weight * processing_times",
        "    key = due_dates - weight * processing_times",
    )

    def test_one(self) -> None:
        assert read(f"I flip the sign.\n{edit(self.OLD, self.NEW)}", PLAIN) == PLAIN.replace(
            "+ weight", "- weight"
        )

    def test_several_one_after_another(self) -> None:
        reply = (
            edit(self.OLD, self.NEW) + "and\n" + edit('"high": 2.0', '"high": 4.0') + edit(self.NEW, self.OLD)
        )
        assert read(reply, PLAIN) == PLAIN.replace('"high": 2.0', '"high": 4.0')

    @pytest.mark.parametrize("wrap", ["{}", "```python\n{}```", "```diff\n{}```", "```\n{}"])
    def test_fenced(self, wrap: str) -> None:
        assert "- weight" in read(wrap.format(edit(self.OLD, self.NEW)), PLAIN)

    def test_trailing_blanks_and_shifted_indentation(self) -> None:
        assert "    key = due_dates - weight" in read(edit(self.OLD.strip() + "   ", self.NEW.strip()), PLAIN)
        two = 'key = due_dates + weight * processing_times\nreturn np.argsort(key, kind="stable")'
        new = "if weight > 1:\n    weight = 1\nreturn np.argsort(due_dates)"
        code = read(edit(two, new), PLAIN)
        assert "    if weight > 1:\n        weight = 1\n    return np.argsort(due_dates)\n" in code

    def test_an_empty_replacement_deletes(self) -> None:
        assert "extra" not in read(
            edit("    extra = 1", ""), PLAIN.replace("    key", "    extra = 1\n    key")
        )

    def test_not_found_names_the_block(self) -> None:
        text = reason(edit(self.OLD, self.NEW) + edit("    absent = 1", "    x = 2"), PLAIN)
        assert "block 2" in text and "absent = 1" in text

    def test_ambiguous_names_the_block(self) -> None:
        parent = HEAD + "    a = 1\n    a = 1\n" + BODY
        assert "block 1 is ambiguous" in reason(edit("    a = 1", "    a = 2"), parent)

    def test_the_exact_place_wins_over_the_same_line_further_right(self) -> None:
        parent = HEAD + "    if 1:\n        a = 1\n    a = 1\n" + BODY
        assert "        a = 1\n    a = 2\n" in read(edit("    a = 1", "    a = 2"), parent)

    def test_a_piece_of_a_line_must_be_unique(self) -> None:
        assert "* np.sqrt(processing_times)" in read(
            edit("* processing_times", "* np.sqrt(processing_times)"), PLAIN
        )
        assert "does not apply" in reason(edit("weight", "w"), PLAIN)

    def test_empty_search_cut_off_and_no_parent(self) -> None:
        assert "empty SEARCH" in reason(edit("", "x = 1"), PLAIN)
        assert "cut off" in reason(edit(self.OLD, self.NEW)[:-20], PLAIN)
        assert "no parent" in reason(edit(self.OLD, self.NEW))

    def test_an_edit_that_breaks_the_code(self) -> None:
        assert "syntax error" in reason(edit(self.OLD, "    key = ("), PLAIN)

    def test_the_whole_function_beside_a_failing_edit_is_taken(self) -> None:
        assert read(edit("absent", "x") + f"Or in full:\n```python\n{PLAIN}```", PLAIN) == PLAIN


class TestHabits:
    def fixed(self, code: str) -> str:
        text = read(f"```python\n{code}```")
        check(text, INTERFACE)
        return text

    def test_another_name(self) -> None:
        code = "def rule(processing_times, due_dates):\n    return rule(1, 2) if 0 else due_dates.argsort()\n"
        assert self.fixed(code) == code.replace("rule", "schedule")

    def test_another_name_with_another_signature_is_not_renamed(self) -> None:
        assert "'schedule'" in reason("```python\ndef rule(jobs):\n    return jobs\n```")

    def test_two_that_fit_are_not_renamed(self) -> None:
        both = (HEAD + BODY).replace("schedule", "a") + (HEAD + BODY).replace("schedule", "b")
        assert "it defines a, b" in reason(f"```python\n{both}```")

    def test_a_class_around_it(self) -> None:
        inner = "".join(f"    {line}\n" for line in (HEAD.replace("(", "(self, ") + BODY).splitlines())
        code = f"class Solution:\n{inner}\n\nprint(Solution().schedule([1], [2]))\n"
        assert self.fixed(code).startswith("def schedule(processing_times, due_dates):")
        assert "'self'" in reason(f"```python\n{code.replace('sorted', 'self.sorted')}```")

    def test_a_static_method_of_another_name(self) -> None:
        code = "class A:\n    @staticmethod\n    def go(processing_times, due_dates):\n        return due_dates\n"
        assert "class" not in self.fixed(code)

    def test_missing_imports(self) -> None:
        code = (
            '"""Doc."""\nfrom __future__ import annotations\n\n'
            + HEAD
            + "    x = math.sqrt(2)\n    return np.argsort(due_dates)\n"
        )
        text = self.fixed(code)
        assert (
            text.index("__future__")
            < text.index("import math")
            < text.index("import numpy as np")
            < text.index("def")
        )
        assert "from typing import List" in self.fixed(
            HEAD.replace("due_dates", "due_dates: List[int]") + BODY
        )

    def test_names_that_are_bound_get_no_import(self) -> None:
        code = HEAD + "    math = np = 3\n    return math + np\n"
        assert self.fixed(code) == code

    def test_positional_defaults_become_keyword_only(self) -> None:
        text = self.fixed(
            "def schedule(processing_times, due_dates, k: float = 2.0, w=1):\n    return due_dates\n"
        )
        assert "due_dates, *, k: float = 2.0, w=1)" in text
        mixed = "def schedule(processing_times, due_dates, k=2.0, *, w=1):\n    return due_dates\n"
        assert "(processing_times, due_dates, *, k=2.0, w=1)" in self.fixed(mixed)

    def test_flags_become_numbers(self) -> None:
        assert "flag=1" in self.fixed(HEAD.replace("):", ", *, flag=True):") + BODY)

    def test_of_two_definitions_the_last_holds(self) -> None:
        text = self.fixed(HEAD + "    return 1\n\n\n" + HEAD + BODY)
        assert text.count("def schedule") == 1 and "return 1" not in text

    def test_demonstrations_are_left_out(self) -> None:
        demo = (
            "p = np.array([1, 2])\norder = schedule(p, p)\nprint(order)\nassert len(order) == 2\n"
            "if __name__ == '__main__':\n    print(schedule(p, p))\n"
        )
        text = self.fixed(f"{PLAIN}\n{demo}")
        assert "order" not in text and "print" not in text and "__main__" not in text
        own = HEAD + "    order = sorted(due_dates)\n    return order\n"
        inputs = "processing_times = [1, 2]\ndue_dates = [3, 4]\n"
        inputs += "order = schedule(processing_times, due_dates)\nprint(order)\n"
        assert self.fixed(own + inputs) == own, "names of arguments and locals are not names of the module"
        shared = "N = 3\n" + HEAD + "    return list(range(N))\n"
        assert self.fixed(shared + "print(N)\n") == shared
        chain = "first = schedule\nTABLE = [first]\n"
        assert chain in self.fixed(HEAD + BODY.replace("due_dates[i]", "TABLE[i]") + chain)
        table = "TABLE = [i * i for i in range(9)]\n"
        assert table in self.fixed(table + HEAD + BODY.replace("due_dates[i]", "TABLE[i]"))

    @pytest.mark.parametrize(
        ("space", "expected"),
        [
            ('{"weight": (0.5, 2.0)}', {"low": 0.5, "high": 2.0}),
            ('{"weight": {"low": 2.0, "high": 4.0}}', {"low": 1.0, "high": 4.0}),
            (
                '{"weight": {"low": 0, "high": 4, "type": "float"}, "absent": [1, 2]}',
                {"low": 0.0, "high": 4.0},
            ),
            ('{"weight": {"low": 0.0, "high": 4.0, "log": True}}', {"low": 0.0, "high": 4.0}),
            ('{"weight": {"min": 0.0, "max": 4.0}}', {"low": 0.0, "high": 4.0}),
            ('{"weight": "any"}', None),
            ('{"weight": np.linspace(0, 1)}', None),
            ('{"weight": {"low": 1e400, "high": 1}}', None),
        ],
    )
    def test_a_search_space_with_small_mistakes(self, space: str, expected: dict[str, float] | None) -> None:
        lines = PLAIN.splitlines(keepends=True)
        text = self.fixed("".join([*lines[:2], f"SEARCH_SPACE = {space}\n", *lines[3:]]))
        declared = check(text, INTERFACE).space
        got = {"low": declared["weight"].low, "high": declared["weight"].high} if declared else None  # type: ignore[union-attr]
        assert got == expected

    def test_a_sound_search_space_is_left_alone(self) -> None:
        assert self.fixed(PLAIN) == PLAIN


class TestCharacters:
    @pytest.mark.parametrize(
        ("right", "wrong"), [("    key", "\u00a0\u00a0\u00a0\u00a0key"), ("    key", "\tkey"), ('"stable"', "“stable”"),
                             (" * ", " × "), ("= due_dates", "= \u200bdue_dates"), ("+ weight", "&#43; weight")]
    )  # fmt: skip
    def test_put_right_when_nothing_parses(self, right: str, wrong: str) -> None:
        assert right in PLAIN
        assert read(f"```python\n{PLAIN.replace(right, wrong)}```") == PLAIN

    def test_kept_when_it_parses(self) -> None:
        code = HEAD + "    note = '“quoted”\u00a0&lt;'\n" + BODY
        assert read(f"```python\n{code}```") == code


SMALL_MODEL = {
    "indented list fence": """1. **Modified rule**:

   ```python
   import numpy as np

   def schedule(processing_times, due_dates):
       n = len(processing_times)
       order = np.argsort(due_dates + processing_times)
       return order
   ```

2. Explanation: ...
""",
    "annotations, docstring, example": """```python
from typing import List

def schedule(processing_times: np.ndarray, due_dates: np.ndarray, alpha: float = 0.5) -> List[int]:
    \"\"\"Schedule jobs.

    Args:
        processing_times: the times
    \"\"\"
    scores = due_dates - alpha * processing_times
    return list(np.argsort(scores))

# Example usage
processing_times = np.array([3, 2, 7])
due_dates = np.array([5, 3, 9])
sequence = schedule(processing_times, due_dates)
print("Optimal sequence:", sequence)
```""",
    "space as tuples, after the function": """```python
def schedule(processing_times, due_dates, *, weight=1.0, passes=2):
    key = np.maximum(due_dates, weight * processing_times)
    return np.argsort(key, kind="stable")

SEARCH_SPACE = {
    "weight": (0.0, 4.0),
    "passes": [1, 5],
    "extra": {"low": 0, "high": 1},
}
```""",
    "main function and imports inside": """Here's the improved code:

```py
def schedule(processing_times, due_dates):
    import numpy as np
    return np.argsort(due_dates)

def main():
    print(schedule(np.array([1]), np.array([2])))

if __name__ == "__main__":
    main()
```
This code sorts by due date.""",
    "solution class with helper outside": """```python
import numpy as np

class Scheduler:
    def schedule(self, processing_times, due_dates):
        return key(processing_times, due_dates)

def key(p, d):
    return np.argsort(d)

s = Scheduler()
print(s.schedule(np.array([1, 2]), np.array([1, 2])))
```""",
    "improved name": """```python
import numpy as np

def improved_schedule(processing_times, due_dates, *, k=2.0):
    slack = np.maximum(due_dates - processing_times, 0)
    return np.argsort(slack / k)
```""",
    "fence never closed, text after": """```python
import numpy as np

def schedule(processing_times, due_dates):
    return np.argsort(due_dates)

This function sorts the jobs by their due dates, which improves the score.""",
    "no fence, chatter": """Certainly! Below is a Python function:

import numpy as np

def schedule(processing_times, due_dates):
    return np.argsort(due_dates)

Explanation:
- We sort by due date.
""",
    "skeleton copied": """```python
import numpy as np

SEARCH_SPACE = {"weight": {"low": 0.0, "high": 4.0}}


def schedule(processing_times, due_dates, *, weight=1.0):
    return np.argsort(due_dates + weight * processing_times)
```
```text
Output: [0 1 2]
```""",
}


@pytest.mark.parametrize("style", SMALL_MODEL)
def test_replies_in_the_styles_of_small_models(style: str) -> None:
    """Written by hand after such models' habits; no recording of a model."""
    check(read(SMALL_MODEL[style], PLAIN), INTERFACE)


class TestNothing:
    @pytest.mark.parametrize(
        "reply", ["", "  \n", "I'm sorry, but I can't help with that.", "Sort by due date.", "```\n```"]
    )
    def test_refusals_and_prose(self, reply: str) -> None:
        text = reason(reply)
        assert "no Python code" in text or "empty" in text or "no top-level" in text

    def test_the_reason_quotes_safely(self) -> None:
        assert "\u202e" not in reason("no \u202e\x1b[31m code")

    def test_syntax_error_names_the_line(self) -> None:
        assert "line 2" in reason(f"```python\n{HEAD}    return (1 +* 2)\n```")

    def test_too_long(self) -> None:
        assert "characters" in reason("x" * (MAX_REPLY + 1))


HOSTILE = [
    "```python\n" * 100_000, "`" * 1_000_000, "<think>" * 140_000, "</think>" * 120_000, "<" * 1_000_000,
    "(" * 1_000_000, "def schedule(" * 80_000, "def schedule(processing_times, due_dates):\n" * 25_000,
    "```python\n" + "x = (\n" * 5_000 + "```\n", "    " * 250_000, "\n" * 1_000_000, "{" * 1_000_000,
    ("```python\ndef schedule(a:\n" + "y = 1\n" * 5_000 + "```\n") * 30, "<<<<<<< SEARCH\n" * 70_000,
    "<|channel|>" * 90_000, "\\" * 1_000_000, "'" * 1_000_000, "- " * 500_000, "a." * 16_000, '{"a":' * 200_000,
    "import " + "a, " * 300_000, "def schedule(processing_times, due_dates):\n" + "    x = 1\n" * 90_000,
    "```" + "python " * 140_000, "\u200b" * 900_000, "x = " + "-" * 30_000 + "1", "&lt;" * 250_000,
]  # fmt: skip


@pytest.mark.parametrize("reply", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_replies_take_bounded_time(reply: str) -> None:
    start = time.process_time()
    try:
        read(reply, PLAIN)
    except Unreadable:
        pass
    assert time.process_time() - start < 5


def test_hostile_edits_take_bounded_time() -> None:
    lines, start = "\n".join(["a"] * 16_000), time.process_time()
    with pytest.raises(Unreadable):
        read(edit("\n".join(["a"] * 8_000 + ["b"]), "x") * 30, lines)
    assert time.process_time() - start < 5


PIECES = st.sampled_from(
    ["```", "```python\n", "\n", "def schedule(", "processing_times, due_dates", "):\n", "    return ", "<think>",
     "</think>", "<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "SEARCH_SPACE = ", "{", "}", '"weight"',
     ": (0, 1)", "class A:\n", "    def f(self", "*, weight=1.0", "np.x", "print(", "'", '"""', "\\", "\t", "\x0c",
     "\u2028", "\ud800", "é = 1;", "async ", "from __future__ import x\n", "@a\n", PLAIN, HEAD + BODY,
     "<|channel|>final<|message|>", "lambda: ", "; ", "#"]
)  # fmt: skip


@settings(max_examples=400, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=400), st.lists(PIECES, max_size=30).map("".join)))
@example("\ud800")
@example("@" + PLAIN)
@example("def f(processing_times, due_dates): print(1); return 2; print(schedule)\nprint(1); x = 2")
def test_any_text_becomes_text_or_a_reason(reply: str) -> None:
    try:
        text = read(reply, PLAIN)
    except Unreadable as error:
        assert str(error)
    else:
        assert isinstance(text, str) and "schedule" in text
        assert candidate_text(text, (), INTERFACE) == text


def test_an_error_in_the_middle_is_no_cut_and_one_at_the_end_is() -> None:
    broken = "import numpy as np\n\n\ndef schedule(processing_times, due_dates):\n    x = = 3\n    return x\n"
    assert "syntax error" in reason(broken) and "cut off" not in reason(broken)
    torn = "Here it is:\n\ndef schedule(processing_times, due_dates):\n    x = (3\n"
    assert "cut off" in reason(torn)
