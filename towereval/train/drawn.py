"""Examples of the project's own drawings: an example is a pure function of (kind, seed, index).

Training and evaluation are disjoint by construction. What is held out is decided by content: the
hash of a printed word or of an English caption, and for ambiguous words the sentence around them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from random import Random

from towereval.errors import UnknownName
from towereval.languages import LANGUAGES
from towereval.train import drawings, phrases
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


def _text(random: Random, held_out: bool) -> Record:
    """Translations without their pictures."""
    make = random.choice((_translation, _translation, _ambiguous))
    return make(random, held_out, seen=False)


def scene(random: Random, held_out: bool) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Arrangement and things; whether they are held out, their English caption decides."""
    while True:
        arrangement = random.choice(("beside", "above", "beside", "above", "alone"))
        count = len(drawings.PLACES[arrangement])
        colours = random.sample(sorted(phrases.COLOURS), count)
        things = tuple(zip(colours, random.sample(sorted(phrases.NOUNS), count), strict=True))
        if is_held_out(phrases.caption("en", arrangement, things)) == held_out:
            return arrangement, things


def _letters(random: Random, length: int) -> str:
    return "".join(random.choice(drawings.LETTERS) for _ in range(length))


def _turns(question: str, answer: str) -> tuple[Turn, ...]:
    return (Turn("user", question), Turn("assistant", answer))


KINDS: Mapping[str, Callable[[Random, bool], Record]] = {
    "caption": _caption,
    "translation": _translation,
    "ambiguous": _ambiguous,
    "words": _words,
    "text": _text,
}
