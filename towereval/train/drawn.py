"""Examples of the project's own drawings: an example is a pure function of (kind, seed, index).

Training and evaluation are disjoint by construction. What is held out is decided by content: the
hash of a printed word, of the pair of shapes in a scene (or the one thing), of the colours that a
question offers, of a clip's shape with what it does, and for ambiguous words the sentence around
them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from towereval.errors import UnknownName
from towereval.languages import LANGUAGES
from towereval.train import drawings, phrases, questions
from towereval.train.data import Record, Turn

HELD_OUT_PERCENT = 15


def record(kind: str, seed: int, index: int, *, held_out: bool = False) -> Record:
    """Example `index` of the training or of the held-out side. Raises `UnknownName`."""
    if kind not in KINDS:
        raise UnknownName("kind of drawing", kind, KINDS)
    return KINDS[kind](Random(f"{kind} {seed} {index} {held_out}"), held_out)


def is_held_out(content: str) -> bool:
    value = int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big")
    return value % 100 < HELD_OUT_PERCENT


def held_out_around(word: str) -> set[int]:
    """The sentences around an ambiguous word that are never trained with it: 2 of 8."""
    first = sorted(phrases.AMBIGUOUS).index(word)
    return {first % len(phrases.AROUND), (first + 3) % len(phrases.AROUND)}


def translate(language: str, source: str) -> str:
    """What the Multi30K and CoMMuTE tasks ask."""
    english = LANGUAGES[language].english
    return f"Translate the following source text from English to {english}:\n{source}"


def _caption(random: Random, held_out: bool) -> Record:
    language = random.choice(phrases.LANGUAGES)
    arrangement, things = scene(random, held_out)
    answer = phrases.caption(language, arrangement, things)
    picture = drawings.scene(random, arrangement, things)
    return Record("caption", language, _turns(phrases.DESCRIBE[language], answer), (picture,))


def _translation(random: Random, held_out: bool, *, seen: bool = True) -> Record:
    language = random.choice(phrases.TARGETS)
    arrangement, things = scene(random, held_out)
    opening = random.randrange(len(phrases.OPENINGS))
    source = phrases.caption("en", arrangement, things, opening)
    answer = phrases.caption(language, arrangement, things, opening)
    pictures = (drawings.scene(random, arrangement, things),) if seen else ()
    turns = _turns(translate(language, source), answer)
    return Record("translation" if seen else "text", language, turns, pictures)


def _ambiguous(random: Random, held_out: bool, *, seen: bool = True) -> Record:
    word = random.choice(sorted(phrases.AMBIGUOUS))
    left_out = held_out_around(word)
    around = random.choice(
        [at for at in range(len(phrases.AROUND)) if (at in left_out) == held_out]
    )
    language, sense = random.choice(phrases.TARGETS), random.randrange(2)
    turns = _turns(*ambiguity(word, sense, around, language))
    pictures = (drawings.icon(random, word, sense),) if seen else ()
    return Record("ambiguous" if seen else "text", language, turns, pictures)


def ambiguity(word: str, sense: int, around: int, language: str) -> tuple[str, str]:
    """What is asked of an ambiguous word in a sentence, and the answer for that sense."""
    sentence = phrases.AROUND[around]
    answer = sentence[language].format(phrases.AMBIGUOUS[word][sense][language])
    return translate(language, sentence["en"].format(word)), answer[0].upper() + answer[1:]


def _words(random: Random, held_out: bool) -> Record:
    language = random.choice(phrases.LANGUAGES)
    # The length first, then words of that length: else rejection would favour short ones. There are
    # too few single letters to hold any out.
    length = random.randint(2 if held_out else 1, 4)
    text = _letters(random, length)
    while length > 1 and is_held_out(text) != held_out:
        text = _letters(random, length)
    turns = _turns(phrases.READ[language], text)
    return Record("words", language, turns, (drawings.word(random, text),))


def _choice(random: Random, held_out: bool) -> Record:
    language, arrangement = random.choice(phrases.LANGUAGES), random.choice(("beside", "above"))
    asked, question = random.randrange(2), questions.COLOUR[language]
    if random.random() < 0.5:
        picture, listed, answer = choice_of_colour(random, language, arrangement, held_out)
    else:
        picture, listed, answer = choice(random, language, arrangement, asked, held_out)
        question = questions.WHERE[arrangement][asked][language]
    turns = _turns(questions.choice(question, listed), answer)
    return Record("choice", language, turns, (picture,))


def choice(
    random: Random, language: str, arrangement: str, asked: int, held_out: bool
) -> tuple[Any, list[str], str]:
    """A picture of two things, four options in any order, and that which is the asked thing."""
    things = _two(random, held_out)
    listed = list(questions.options(language, things))
    answer = listed[asked]
    random.shuffle(listed)
    return drawings.scene(random, arrangement, things), listed, answer


def choice_of_colour(
    random: Random, language: str, arrangement: str, held_out: bool
) -> tuple[Any, list[str], str]:
    """The same of two things of one colour, and colours.

    Held out are pairs of shapes, and which colours are offered together.
    """
    (_, first), (_, second) = _two(random, held_out)
    while True:
        colours = random.sample(sorted(phrases.COLOURS), 4)
        if is_held_out(f"colours {' '.join(sorted(colours))}") == held_out:
            break
    listed = [questions.colour(language, colour) for colour in colours]
    picture = drawings.scene(random, arrangement, [(colours[0], first), (colours[0], second)])
    answer = listed[0]
    random.shuffle(listed)
    return picture, listed, answer


@dataclass(frozen=True, slots=True)
class Clip:
    """`content` is what happens, in words; `right` is the place of the right one of its options."""

    content: str
    frames: tuple[Any, ...]
    right: int


def _clips(random: Random, held_out: bool) -> Record:
    language = random.choice(questions.CLIP_LANGUAGES)
    asked = random.choice(sorted(questions.CLIPS))
    shown = clip(random, asked, held_out)
    answer = questions.clip_options(language, asked)[shown.right]
    return Record("clips", language, _turns(questions.clip(language, asked), answer), shown.frames)


def clip(random: Random, asked: str, held_out: bool) -> Clip:
    """The answer first, then the rest until it is on that side: all are right as often."""
    right = random.randrange(4)
    while True:
        shape = random.choice(sorted(phrases.NOUNS))
        if asked == "move":
            colour, move = random.choice(sorted(phrases.COLOURS)), questions.MOVES[right]
            if is_held_out(content := f"{colour} {shape} {move}") == held_out:
                return Clip(content, drawings.moving(random, colour, shape, move), right)
            continue
        colour = questions.CHANGES[right]
        other = random.choice([each for each in questions.CHANGES if each != colour])
        first, last = (colour, other) if asked == "first" else (other, colour)
        if is_held_out(content := f"{shape} from {first} to {last}") == held_out:
            return Clip(content, drawings.changing(random, shape, first, last), right)


def _text(random: Random, held_out: bool) -> Record:
    """Translations without their pictures."""
    make = random.choice((_translation, _translation, _ambiguous))
    return make(random, held_out, seen=False)


def scene(random: Random, held_out: bool) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Arrangement and things."""
    arrangement = random.choice(("beside", "above", "beside", "above", "alone"))
    if arrangement != "alone":
        return arrangement, _two(random, held_out)
    while True:
        colour, shape = random.choice(sorted(phrases.COLOURS)), random.choice(sorted(phrases.NOUNS))
        if is_held_out(f"one {colour} {shape}") == held_out:
            return arrangement, ((colour, shape),)


def _two(random: Random, held_out: bool) -> tuple[tuple[str, str], tuple[str, str]]:
    """Two colours and two shapes: what is held out are pairs of shapes, in whatever colours.

    Whole captions would do, but two that differ in a colour have 13 words in a row in common.
    """
    colours = random.sample(sorted(phrases.COLOURS), 2)
    while True:
        shapes = random.sample(sorted(phrases.NOUNS), 2)
        if is_held_out(" and ".join(sorted(shapes))) == held_out:
            return (colours[0], shapes[0]), (colours[1], shapes[1])


def _letters(random: Random, length: int) -> str:
    return "".join(random.choice(drawings.LETTERS) for _ in range(length))


def _turns(question: str, answer: str) -> tuple[Turn, ...]:
    return (Turn("user", question), Turn("assistant", answer))


KINDS: Mapping[str, Callable[[Random, bool], Record]] = {
    "caption": _caption,
    "translation": _translation,
    "ambiguous": _ambiguous,
    "words": _words,
    "choice": _choice,
    "clips": _clips,
    "text": _text,
}
