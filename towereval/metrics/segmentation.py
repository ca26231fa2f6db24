"""Words of languages written without blanks, as Centurio has spaCy find them in captions.

spaCy itself is not needed: by default its Chinese() gives characters, its Japanese() Sudachi's
short units, its Thai() PyThaiNLP's words. The last two move with their dictionaries' versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from towereval.errors import Unscorable
from towereval.metrics.extras import extra_module


def segment(text: str, language: str) -> str:
    """The text with a blank between words; in other languages as it is."""
    if language == "zh":
        return " ".join(_aligned(text, text))
    if language == "ja":
        return " ".join(_aligned(text, _japanese()(text)))
    if language == "th":
        return " ".join(_thai()(text))
    return text


def _aligned(text: str, words: Iterable[str]) -> list[str]:
    """spaCy's tokens: a blank after a word is the word's, other blanks are a token."""
    tokens = []
    position = 0
    for word in words:
        if word.isspace():
            continue
        start = text.index(word, position)
        if start > position:
            tokens.append(text[position:start])
        tokens.append(word)
        position = start + len(word)
        position += text.startswith(" ", position)
    return [*tokens, text[position:]] if position < len(text) else tokens


@cache
def _japanese() -> Callable[[str], list[str]]:
    sudachi = extra_module("sudachipy")
    tokenizer = sudachi.Dictionary().tokenizer(mode=sudachi.SplitMode.A)

    def words(text: str) -> list[str]:
        try:
            return [surface for word in tokenizer.tokenize(text) if (surface := word.surface())]
        except sudachi.errors.SudachiError as error:
            raise Unscorable(f"Sudachi cannot segment the caption: {error}") from error

    return words


@cache
def _thai() -> Callable[[str], list[str]]:
    words: Callable[[str], list[str]] = extra_module("pythainlp.tokenize").word_tokenize
    return words
