"""Notes: the words of a reply, bounded; code and emptiness are refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.proposers.notes import MAX_NOTE, note_text
from discovery.proposers.reply import Unreadable

CODE = "import numpy as np\n\ndef schedule(a, b):\n    return np.argsort(b)\n"


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        ("Urgent jobs come first. Try a look ahead.", "Urgent jobs come first. Try a look ahead."),
        ("# Note\n\n1. Urgent jobs first.\n2. Try a look ahead.\n", "Note Urgent jobs first. Try a look ahead."),
        (f"Urgent jobs first.\n```python\n{CODE}```\nTry a look ahead.", "Urgent jobs first. Try a look ahead."),
        (f"Urgent jobs come first, then:\n```python\n{CODE}", "Urgent jobs come first, then:"),
        ("<think>Hm, well, let me see.</think>Urgent jobs come first.", "Urgent jobs come first."),
        ("Urgent jobs come first.\nx = a + 1\nfor job in jobs:\n    pass\n", "Urgent jobs come first."),
        ("For late jobs, wait.\nIf it is late, return to it.", "For late jobs, wait. If it is late, return to it."),
        ("Jobs\x1b[31m that are late\u202e come first.", "Jobs\\x1b[31m that are late\\u202e come first."),
    ],
)  # fmt: skip
def test_the_words_of_a_reply(reply: str, note: str) -> None:
    assert note_text(reply) == note


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("", "holds nothing"),
        ("  \n", "holds nothing"),
        (CODE, "code instead of a note"),
        (f"```python\n{CODE}```", "code instead of a note"),
        (f"Here:\n```python\n{CODE}```", "code instead of a note"),
        ("<think>I wonder about all of this here", "inside its reasoning"),
        ("...", "five short sentences"),
    ],
)
def test_what_is_no_note_is_refused(reply: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        note_text(reply)


def test_a_long_note_ends_with_a_sentence() -> None:
    note = note_text("The rule weighs urgency against size. " * 40)
    assert 400 < len(note) <= MAX_NOTE and note.endswith("against size.")
    assert note_text("word " * 500).endswith("…") and len(note_text("word " * 500)) == MAX_NOTE


@given(st.text(st.sampled_from("ab .`\n=~<>#\t\x00\u202e(:"), max_size=300) | st.text(max_size=300))
def test_any_reply_is_a_bounded_line_or_refused(reply: str) -> None:
    try:
        note = note_text(reply)
    except Unreadable as error:
        assert str(error)
    else:
        assert 0 < len(note) <= MAX_NOTE and "\n" not in note and note.isprintable()
