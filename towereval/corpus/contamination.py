"""Is a training example one of an evaluation set? By its pictures and by 13 words in a row.

Texts are compared without case and marks; a character of a script that is written without blanks is
a word of its own. Thirteen words are GPT-3's (https://arxiv.org/abs/2005.14165, appendix C). What
many samples of a task share is its template, which training data may share too: a 13-gram counts
unless more than half of a language's different prompts have it (of three or more), or more than ten
prompts of the task, or than it has languages. A line of 8 to 12 words counts where it is equal.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from towereval.corpus.perceptual import DISTANCE, distances, perceptual_hash
from towereval.data.media import decode_image
from towereval.errors import DataError
from towereval.types import Image, Sample, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from towereval.corpus.pictures import Seen

GRAM, SHORTEST = 13, 8
# More prompts of one task than this share no content but a template.
MOST_SHARED = 10

# Han, kana, Thai, Lao, Burmese, Khmer: a character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """`kind`: "same picture", "similar picture" or "same text"."""

    kind: str
    place: str
    detail: str


@dataclass(slots=True)
class Held:
    """What evaluation sets show and say. Legend: N pictures, 4 words of 64 bits."""

    files: dict[str, str] = field(default_factory=dict)
    phrases: dict[int, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)
    samples: int = 0
    undecoded: int = 0
    _hashes_N4: NDArray[np.uint64] | None = None

    def add(self, task: str, samples: Iterable[Sample]) -> int:
        """All samples of a task; how many there were."""
        prompts: dict[tuple[str, str], str] = {}
        count = 0
        for sample in samples:
            count += 1
            place = f"{task} {sample.language} {sample.id}"
            for part in (part for message in sample.prompt for part in message.parts):
                if isinstance(part, Image):
                    self._add_picture(part, place)
            for kind, text in _texts(sample):
                prompts.setdefault((f"{sample.language} {kind}", text), place)
        self._add_phrases(prompts)
        self.samples += count
        self._hashes_N4 = None
        return count

    def _add_picture(self, image: Image, place: str) -> None:
        if image.sha256 in self.files:
            return
        try:
            words = perceptual_hash(decode_image(image))
        except DataError:
            self.undecoded += 1  # no model is shown it either
            return
        self.files[image.sha256] = place
        if words is not None:
            self.hashes.append(words)
            self.places.append(place)

    def _add_phrases(self, prompts: dict[tuple[str, str], str]) -> None:
        """The phrases that are not a template's; prompts and answers of a language are counted
        apart.
        """
        by_language: dict[int, Counter[str]] = defaultdict(Counter)
        first: dict[int, str] = {}
        sizes = Counter(language for language, _ in prompts)
        for (language, text), place in prompts.items():
            for phrase in phrases(text):
                by_language[phrase][language] += 1
                first.setdefault(phrase, place)
        most = max(MOST_SHARED, len(sizes))
        for phrase, counts in by_language.items():
            template = any(2 * n > sizes[code] >= 3 for code, n in counts.items())
            if not template and counts.total() <= most:
                self.phrases.setdefault(phrase, first[phrase])

    def overlaps(self, pictures: Sequence[Seen], texts: Iterable[str]) -> Iterator[Overlap]:
        """At most one for each picture and text."""
        for picture in pictures:
            if place := self.files.get(picture.sha256):
                yield Overlap("same picture", place, f"sha256 {picture.sha256[:16]}")
            elif found := self._similar(picture):
                yield found
        for text in texts:
            for phrase in phrases(text):
                if phrase in self.phrases:
                    yield Overlap("same text", self.phrases[phrase], shown(text, phrase))
                    break

    def _similar(self, picture: Seen) -> Overlap | None:
        import numpy as np

        words = perceptual_hash(picture.pixels) if self.hashes else None
        if words is None:
            return None
        if self._hashes_N4 is None:
            self._hashes_N4 = np.stack(self.hashes)
        distance_N = distances(words, self._hashes_N4)
        nearest = int(distance_N.argmin())
        if distance_N[nearest] > DISTANCE:
            return None
        return Overlap("similar picture", self.places[nearest], f"{distance_N[nearest]} bits apart")


def _texts(sample: Sample) -> Iterator[tuple[str, str]]:
    for part in (part for message in sample.prompt for part in message.parts):
        if isinstance(part, Text):
            yield "prompt", part.text
    for text in (*sample.references, *sample.choices):
        yield "answer", text


def words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def phrases(text: str) -> Iterator[int]:
    """Each different 13-gram of the text and line of 8 to 12 words, as a hash of 64 bits."""
    return (_hash(gram) for gram in _grams(text))


def shown(text: str, phrase: int) -> str:
    """The words that the hash is of."""
    return next((" ".join(gram) for gram in _grams(text) if _hash(gram) == phrase), "")


def _grams(text: str) -> Iterator[tuple[str, ...]]:
    found = words(text)
    yield from dict.fromkeys(
        tuple(found[first : first + GRAM]) for first in range(len(found) - GRAM + 1)
    )
    for line in text.splitlines():
        if SHORTEST <= len(found := words(line)) < GRAM:
            yield tuple(found)


def _hash(gram: Sequence[str]) -> int:
    return int.from_bytes(hashlib.blake2b(" ".join(gram).encode(), digest_size=8).digest(), "big")
