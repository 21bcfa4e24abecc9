"""The families of texts: what is drawn is right, what is not one of the right answers is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.denoiser.training_texts import texts
from evaluators.diffusion.families import BRACKETS, FAMILIES, LISTED, for_training, prompt_of, sample
from evaluators.diffusion.texts import HELD_OUT, SEARCHED, Bits, part, prompts
from evaluators.diffusion.tokens import CHARACTERS, END, MASK, VOCABULARY, decode, encode

SCALES = [shape.scale for shape in SHAPES.values()]
ANY = st.sampled_from(sorted(FAMILIES))


@given(ANY, st.sampled_from(SCALES), st.integers(0, 2**32))
def test_what_is_drawn_is_right_and_fits(name, scale, seed):
    family = FAMILIES[name]
    for draw in (np.random.default_rng(seed), Bits(seed)):
        prompt, answer = sample(family, draw, scale, training=False)
        assert family.valid(prompt, answer, scale)
        assert decode(encode(prompt_of(family, prompt), scale.prompt)) == family.tag + prompt
        assert decode(encode(answer, scale.span)) == answer


@given(ANY, st.sampled_from(SCALES), st.integers(0, 2**32), st.data())
def test_a_letter_that_is_lost_added_or_changed_makes_it_wrong(name, scale, seed, data):
    family = FAMILIES[name]
    prompt, answer = sample(family, Bits(seed), scale, training=False)
    at = data.draw(st.integers(0, len(answer) - 1))
    assert not family.valid(prompt, answer[:at] + answer[at + 1 :], scale)
    assert not family.valid(prompt, answer + "z", scale)
    # "_" is what a mask or a hole is read as: no family takes it.
    assert not family.valid(prompt, answer[:at] + "_" + answer[at + 1 :], scale)


@given(st.text("()[]{}", min_size=0, max_size=40), st.sampled_from(SCALES))
def test_brackets_against_a_slow_reading(text, scale):
    """Pairs that stand together are taken away until nothing is left."""
    rest = text
    while any(o + c in rest for o, c in BRACKETS.items()):
        for o, c in BRACKETS.items():
            rest = rest.replace(o + c, "")
    length = 2 * (3 * scale.span // 8)
    assert FAMILIES["brackets"].valid(text[:3], text, scale) == (not rest and len(text) == length)


@pytest.mark.parametrize(
    ("name", "prompt", "right", "wrong"),
    [
        ("story", "ann cat rome", ["ann saw a cat in rome", "rome gave ann an old cat"], ["ann saw a cat in oslo"]),
        ("run", "200 7", ["207 214 221 228", "193 186 179 172"], ["207 214 221", "207 200 193 186"]),
        ("sum", "58+67", ["58+67=125", "67+58=125"], ["58+67=115", "125=58+67"]),
        ("sort", "402718", ["012478", "874210"], ["012487", "0124788"]),
        ("list", "ab", ["arm,bus", "apple,brick"], ["arm,apple", "bus,arm", "arm"]),
        ("verse", "ann cat rome", ["ann boom boom cat boom boom rome"], ["ann boom boom cat ding ding rome"]),
        ("copy", "hjkl", ["hjkl"], ["hjk"]),
        ("mirror", "abc", ["abc-cba", "cba-abc"], ["abc-abc"]),
        ("shuffle", "abcde", ["edcba", "badce"], ["abcdd", "abcd"]),
        ("choice", "sun cat map box", ["cat"], ["sun", "cat sun"]),
    ],
)  # fmt: skip
def test_answers_by_hand(name, prompt, right, wrong):
    valid, scale = FAMILIES[name].valid, SHAPES["small"].scale
    assert all(valid(prompt, answer, scale) for answer in right)
    assert not any(valid(prompt, answer, scale) for answer in wrong)


def test_a_translation_is_the_same_word_by_word():
    family, scale = FAMILIES["translate"], SHAPES["small"].scale
    words = {}
    for seed in range(50):
        prompt, answer = sample(family, Bits(seed), scale, training=False)
        for word, other in zip(prompt.split(), answer.split(), strict=True):
            assert words.setdefault(word, other) == other
    assert len(set(words.values())) == len(words)


def test_words_of_a_list_begin_with_their_letter_and_have_two_lengths():
    for letter, words in LISTED.items():
        assert all(word[0] == letter for word in words) and len({len(w) for w in words}) == 2


def test_training_never_sees_a_prompt_of_the_splits():
    shown = {
        decode(row[: shape.scale.prompt])
        for shape in SHAPES.values()
        for step in range(3)
        for row in texts(shape, step)[0]
    }
    assert len(shown) > 200 and all(map(for_training, shown))
    for name in ("screen", "search", "look-0", "report-0", "final"):
        assert not any(for_training(text.prompt) for text in part(name))


def test_a_steps_texts_follow_from_its_number_alone():
    shape = SHAPES["small"]
    first, again, other = texts(shape, 5), texts(shape, 5), texts(shape, 6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    tokens, mask = first
    assert not mask[:, : shape.scale.prompt].any() and mask.any(axis=1).all()
    assert tokens.max() < VOCABULARY and (tokens != MASK).all()


def test_parts_share_no_prompt_and_alternate_their_families():
    seen: set[tuple[str, str]] = set()
    for name, families in (
        ("screen", SEARCHED),
        ("search", SEARCHED),
        ("look-1", SEARCHED),
        ("report-0", SEARCHED),
    ):
        texts_of = part(name)
        own = {(t.model, t.prompt) for t in texts_of}
        assert len(own) == len(texts_of) and not own & seen
        seen |= own
        assert [t.family for t in texts_of[: len(families)]] == list(families)
    final = part("final")
    assert {t.family for t in final if t.model == "small"} == set(HELD_OUT)
    assert {t.family for t in final if t.model == "long"} == set(FAMILIES)


def test_prompts_do_not_depend_on_how_many_were_asked_for_before():
    assert prompts("small", "copy", 3, 5) == prompts("small", "copy", 0, 9)[3:5]


@given(st.integers(1, 2**32), st.integers(2, 50))
def test_draws_stay_in_their_range(seed, size):
    draw = Bits(seed)
    assert all(3 <= draw.integers(3, 3 + size) < 3 + size for _ in range(20))
    assert sorted(draw.permutation(size)) == list(range(size))
    assert 0 <= draw.random() < 1


def test_texts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="at most 3"):
        encode("abcd", 3)
    with pytest.raises(ValueError, match="'ä'"):
        encode("ä", 3)
    assert decode(np.array([2, END, 3, MASK, END])) == "a_b_"
    assert len(set(CHARACTERS)) == len(CHARACTERS) == VOCABULARY - 2
