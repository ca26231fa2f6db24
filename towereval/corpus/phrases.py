"""Texts as phrases that tell one from another: 13 words in a row, and short lines as wholes.

Texts are compared without case and marks; a character of a script that is written without blanks is
a word of its own. Thirteen words are GPT-3's (https://arxiv.org/abs/2005.14165, appendix C). What a
task's prompts share is its template, which training data may share too: `own_phrases` leaves out
every phrase with a word of it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

# Words of a phrase; a line of fewer than GRAM and at least SHORTEST counts as a whole.
GRAM, SHORTEST = 13, 8
# More prompts of one task than this share no content but a template.
MOST_SHARED = 10

# Han, kana, Thai, Lao, Burmese, Khmer: a character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")

Gram: TypeAlias = tuple[str, ...]


def words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def phrases(text: str) -> Iterator[int]:
    """Each different phrase of the text as a hash of 64 bits."""
    return (hashed(gram) for gram in _grams(_lines(text)))


def shown(text: str, phrase: int) -> str:
    """The words that the hash is of."""
    return next((" ".join(gram) for gram in _grams(_lines(text)) if hashed(gram) == phrase), "")


def own_phrases(texts: Mapping[tuple[str, str], str]) -> dict[int, str]:
    """Phrases of (kind, text) -> place that are no template's, with the first place of each.

    A template is what more than half of a kind's texts have, of three or more, or more texts of all
    kinds than `MOST_SHARED` and than there are kinds (one sentence in all languages is content).
    """
    template = _template(list(texts))
    found: dict[int, str] = {}
    for (_, text), place in texts.items():
        for span in _spans(_lines(text), template):
            for gram in _grams(span):
                found.setdefault(hashed(gram), place)
    return found


def _template(texts: Sequence[tuple[str, str]]) -> set[Gram]:
    """Lines and 13-grams that texts share."""
    counts: dict[Gram, Counter[str]] = defaultdict(Counter)
    sizes = Counter(kind for kind, _ in texts)
    for kind, text in texts:
        lines = _lines(text)
        for gram in {*map(tuple, lines), *_runs(lines)}:
            counts[gram][kind] += 1
    most = max(MOST_SHARED, len(sizes))
    return {
        gram
        for gram, by_kind in counts.items()
        if by_kind.total() > most
        or any(2 * count > sizes[kind] >= 3 for kind, count in by_kind.items())
    }


def _spans(lines: Sequence[Sequence[str]], template: set[Gram]) -> list[list[list[str]]]:
    """What stands between the template's words, in its lines."""
    flat = [word for line in lines for word in line]
    kept = [True] * len(flat)
    starts, at = {0}, 0
    for line in lines:
        if tuple(line) in template:
            kept[at : at + len(line)] = [False] * len(line)
        at += len(line)
        starts.add(at)
    for first in range(len(flat) - GRAM + 1):
        if tuple(flat[first : first + GRAM]) in template:
            kept[first : first + GRAM] = [False] * GRAM
    spans: list[list[list[str]]] = [[]]
    for place, word in enumerate(flat):
        if not kept[place]:
            spans.append([])
        elif place in starts or not spans[-1]:
            spans[-1].append([word])
        else:
            spans[-1][-1].append(word)
    return spans


def _lines(text: str) -> list[list[str]]:
    return [line for one in text.splitlines() if (line := words(one))]


def _grams(lines: Sequence[Sequence[str]]) -> Iterator[Gram]:
    yield from dict.fromkeys(_runs(lines))
    yield from (tuple(line) for line in lines if SHORTEST <= len(line) < GRAM)


def _runs(lines: Sequence[Sequence[str]]) -> Iterator[Gram]:
    """Thirteen words in a row, also across lines."""
    flat = [word for line in lines for word in line]
    return (tuple(flat[at : at + GRAM]) for at in range(len(flat) - GRAM + 1))


def hashed(gram: Gram) -> int:
    return int.from_bytes(hashlib.blake2b(" ".join(gram).encode(), digest_size=8).digest(), "big")
