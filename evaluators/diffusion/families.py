"""The synthetic families of texts on which the denoisers are trained: prompts with checkable answers.

Most of them have many valid answers that must hold together (a story told by one of four templates, a sequence that
runs up or down): a model that fills in every position at once mixes them, one that decodes step by step does not. A
few have one answer and are ready after one step. Prompts are split by their checksum: half of them are for
training, the others for evaluation.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evaluators.diffusion.tokens import Scale

NAMES = (
    "ann bob cal dan eve fay gus hal ida jon kay leo mia ned oli pam ray sue tom una val wes zoe kit".split()
)
ANIMALS = (
    "cat dog cow hen pig rat bat fox owl ant bee elk emu yak ape cod eel ram doe jay asp gnu cub pup".split()
)
THINGS = (
    "sun map hat box cup pen key bed jar net oar pan rug saw tin urn van wig axe bag can fan gem ink".split()
)
PLACES = "rome oslo lima peru mali cuba iran oman york bern kiev riga baku doha kent nice bari cork gent hull".split()
SOUNDS = "ding boom clap hush purr tick woof zoom".split()
LISTED = {
    word[0]: tuple(word.split("/"))
    for word in (
        "arm/apple bus/brick cap/cloud dam/drum egg/eagle fig/flute gap/grape hub/horse ice/inlet jam/juice kin/knife "
        "log/lemon mud/mouse nut/nurse oak/ocean pie/plane quiz/queen rib/river sky/stone toe/train use/uncle "
        "vet/viola web/wheel yam/yacht"
    ).split()
}
"""By first letter the words that a list may have there, of two lengths, so that a choice moves what follows."""
BRACKETS = {"(": ")", "[": "]", "{": "}"}


class Draw(Protocol):
    """What families draw with: a numpy generator in training, :class:`evaluators.diffusion.texts.Bits` otherwise."""

    def integers(self, low: int, high: int, size: int | None = None, /) -> Any: ...
    def random(self) -> float: ...
    def permutation(self, count: int, /) -> Any: ...


@dataclass(frozen=True)
class Family:
    """``draw`` gives a prompt and one valid answer; ``valid`` whether an answer to a prompt is one."""

    name: str
    tag: str
    shares: tuple[float, float, float, float, float]
    """Of the training texts in each stretch of training, before normalisation. The second leaves out what the first
    has not begun to learn, and the later ones have most of what is not good enough yet."""
    draw: Callable[[Draw, Scale], tuple[str, str]]
    valid: Callable[[str, str, Scale], bool]
    form: str
    """A regular expression of its prompts, for what a user asks."""


def for_training(prompt: str) -> bool:
    """Whether a prompt (with its tag) is one of the half that training sees; the other half is for evaluation."""
    return zlib.crc32(prompt.encode()) & 1 == 0


def prompt_of(family: Family, prompt: str) -> str:
    """What the model reads: the family's tag and the prompt."""
    return family.tag + prompt


def sample(family: Family, draw: Draw, scale: Scale, *, training: bool) -> tuple[str, str]:
    """A prompt of the wanted half and one valid answer."""
    while True:
        prompt, answer = family.draw(draw, scale)
        if for_training(prompt_of(family, prompt)) == training:
            return prompt, answer


def _pick(draw: Draw, words: Sequence[str]) -> str:
    return words[int(draw.integers(0, len(words)))]


def _letters(draw: Draw, length: int) -> str:
    return "".join(chr(97 + int(c)) for c in draw.integers(0, 26, length))


# -- one answer ---------------------------------------------------------------------------------------------------


def _copy(draw: Draw, scale: Scale) -> tuple[str, str]:
    text = _letters(draw, int(draw.integers(4, 3 + 2 * scale.items)))
    return text, text


def _translated(word: str) -> str:
    """The word in the invented language: its letters moved along the alphabet, and a vowel that its first letter
    chooses."""
    moved = "".join(chr(97 + (ord(c) - 97 + 7 * (k + 1)) % 26) for k, c in enumerate(word))
    return moved + "aeiou"[(ord(word[0]) - 97) % 5]


def _translate(draw: Draw, scale: Scale) -> tuple[str, str]:
    words = [_pick(draw, THINGS) for _ in range(scale.items)]
    return " ".join(words), " ".join(map(_translated, words))


def _choice(draw: Draw, scale: Scale) -> tuple[str, str]:
    words = [_pick(draw, THINGS) for _ in range(scale.items - 1)]
    animal = _pick(draw, ANIMALS)
    words.insert(int(draw.integers(0, scale.items)), animal)
    return " ".join(words), animal


# -- many answers -------------------------------------------------------------------------------------------------


def _tales(prompt: str) -> tuple[str, ...]:
    name, animal, place = prompt.split(" ")
    return (
        f"{name} saw a {animal} in {place}",
        f"in {place} the {animal} met {name}",
        f"a {animal} from {place} bit {name}",
        f"{place} gave {name} an old {animal}",
    )


def _long_tales(prompt: str) -> tuple[str, ...]:
    return tuple(f"{tale} and {end}" for tale, end in zip(_tales(prompt), _ENDS, strict=True))


_ENDS = ("went home", "ran away", "slept well", "sang songs")


def _tales_at(scale: Scale, prompt: str) -> tuple[str, ...]:
    return _tales(prompt) if scale.span < 40 else _long_tales(prompt)


def _cast(draw: Draw) -> str:
    return f"{_pick(draw, NAMES)} {_pick(draw, ANIMALS)} {_pick(draw, PLACES)}"


def _story(draw: Draw, scale: Scale) -> tuple[str, str]:
    prompt = _cast(draw)
    return prompt, _pick(draw, _tales_at(scale, prompt))


def _verses(prompt: str, scale: Scale) -> tuple[str, ...]:
    name, animal, place = prompt.split(" ")
    lines = tuple(f"{name} {s} {s} {animal} {s} {s} {place}" for s in SOUNDS)
    return (
        lines if scale.span < 40 else tuple(f"{line} {s} {s}" for line, s in zip(lines, SOUNDS, strict=True))
    )


def _verse(draw: Draw, scale: Scale) -> tuple[str, str]:
    prompt = _cast(draw)
    return prompt, _pick(draw, _verses(prompt, scale))


def _bracket_length(scale: Scale) -> int:
    return 2 * (3 * scale.span // 8)


def _brackets(draw: Draw, scale: Scale) -> tuple[str, str]:
    length = _bracket_length(scale)
    text: list[str] = []
    open_: list[str] = []
    while len(text) < length:
        must_close = len(open_) == length - len(text)
        if open_ and (must_close or len(open_) == 5 or draw.random() < 0.5):
            text.append(BRACKETS[open_.pop()])
        else:
            open_.append(_pick(draw, tuple(BRACKETS)))
            text.append(open_[-1])
    given = int(draw.integers(6, 11))
    return "".join(text[:given]), "".join(text)


def _balanced(prompt: str, answer: str, scale: Scale) -> bool:
    open_: list[str] = []
    for character in answer:
        if character in BRACKETS:
            open_.append(BRACKETS[character])
        elif not open_ or open_.pop() != character:
            return False
    return not open_ and answer.startswith(prompt) and len(answer) == _bracket_length(scale)


def _runs(prompt: str, scale: Scale) -> tuple[str, ...]:
    start, step = map(int, prompt.split(" "))
    return tuple(
        " ".join(str(start + sign * step * k) for k in range(1, scale.items + 1)) for sign in (1, -1)
    )


def _run(draw: Draw, scale: Scale) -> tuple[str, str]:
    prompt = f"{draw.integers(170, 930)} {draw.integers(1, 15)}"
    return prompt, _pick(draw, _runs(prompt, scale))


def _sums(prompt: str) -> tuple[str, ...]:
    a, b = map(int, prompt.split("+"))
    return f"{a}+{b}={a + b}", f"{b}+{a}={a + b}"


def _sum(draw: Draw, _: Scale) -> tuple[str, str]:
    prompt = f"{draw.integers(10, 130)}+{draw.integers(10, 100)}"
    return prompt, _pick(draw, _sums(prompt))


def _orders(prompt: str) -> tuple[str, ...]:
    up = "".join(sorted(prompt))
    return up, up[::-1]


def _sort(draw: Draw, scale: Scale) -> tuple[str, str]:
    prompt = "".join(str(d) for d in draw.integers(0, 10, scale.items + 2))
    return prompt, _pick(draw, _orders(prompt))


def _list(draw: Draw, scale: Scale) -> tuple[str, str]:
    letters = [_pick(draw, tuple(LISTED)) for _ in range(scale.items)]
    return "".join(letters), ",".join(_pick(draw, LISTED[letter]) for letter in letters)


def _listed(prompt: str, answer: str, _: Scale) -> bool:
    words = answer.split(",")
    return len(words) == len(prompt) and all(w in LISTED[c] for w, c in zip(words, prompt, strict=True))


def _mirrors(prompt: str) -> tuple[str, ...]:
    back = prompt[::-1]
    return f"{prompt}-{back}", f"{back}-{prompt}"


def _mirror(draw: Draw, scale: Scale) -> tuple[str, str]:
    prompt = _letters(draw, scale.items + 2)
    return prompt, _pick(draw, _mirrors(prompt))


def _shuffle(draw: Draw, scale: Scale) -> tuple[str, str]:
    letters = [chr(97 + int(c)) for c in draw.permutation(26)[: scale.items + 1]]
    return "".join(letters), "".join(letters[int(k)] for k in draw.permutation(len(letters)))


def _shuffled(prompt: str, answer: str, _: Scale) -> bool:
    return sorted(prompt) == sorted(answer)


def _one_of(answers: Callable[[str, Scale], tuple[str, ...]]) -> Callable[[str, str, Scale], bool]:
    return lambda prompt, answer, scale: answer in answers(prompt, scale)


def _words(words: Sequence[str]) -> str:
    """The form of some words with blanks between them."""
    one = f"({'|'.join(words)})"
    return f"{one}( {one}){{0,4}}"


_CAST = f"({'|'.join(NAMES)}) ({'|'.join(ANIMALS)}) ({'|'.join(PLACES)})"

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("story", "A", (1.0, 2.0, 4.0, 3.0, 6.0), _story, _one_of(lambda p, s: _tales_at(s, p)), _CAST),
        Family("brackets", "B", (1.5, 2.0, 1.0, 1.0, 1.5), _brackets, _balanced, r"[()\[\]{}]{1,10}"),
        Family("run", "C", (2.0, 0.0, 0.0, 0.0, 0.0), _run, _one_of(_runs), r"[1-9]\d{2} [1-9]\d?"),
        Family(
            "sum",
            "D",
            (2.0, 0.0, 0.0, 0.0, 0.0),
            _sum,
            _one_of(lambda p, _: _sums(p)),
            r"[1-9]\d{1,2}\+[1-9]\d{1,2}",
        ),
        Family("sort", "E", (1.5, 1.0, 0.3, 0.3, 0.2), _sort, _one_of(lambda p, _: _orders(p)), r"\d{2,7}"),
        Family(
            "translate",
            "F",
            (1.0, 0.5, 0.2, 0.3, 0.2),
            _translate,
            _one_of(lambda p, _: (" ".join(map(_translated, p.split(" "))),)),
            _words(THINGS),
        ),
        Family("list", "G", (1.5, 1.5, 0.5, 3.0, 0.7), _list, _listed, f"[{''.join(LISTED)}]{{1,5}}"),
        Family("verse", "H", (1.0, 0.5, 0.7, 0.6, 0.4), _verse, _one_of(_verses), _CAST),
        Family("copy", "I", (0.5, 0.5, 0.2, 0.2, 0.2), _copy, _one_of(lambda p, _: (p,)), r"[a-z]{1,12}"),
        Family(
            "mirror",
            "J",
            (1.0, 2.0, 0.3, 0.7, 0.7),
            _mirror,
            _one_of(lambda p, _: _mirrors(p)),
            r"[a-z]{1,7}",
        ),
        Family("shuffle", "K", (1.5, 1.5, 0.5, 0.4, 0.3), _shuffle, _shuffled, r"[a-z]{2,6}"),
        Family(
            "choice",
            "L",
            (0.5, 1.0, 1.5, 1.0, 0.5),
            _choice,
            _one_of(lambda p, _: tuple(w for w in p.split(" ") if w in ANIMALS)),
            _words([*THINGS, *ANIMALS]),
        ),
    )
}
