"""Is a training example one of an evaluation set? By its pictures and by what is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from towereval.corpus.perceptual import DISTANCE, distances, perceptual_hash
from towereval.corpus.phrases import own_phrases, phrases, shown
from towereval.corpus.pictures import Seen, middle_frame
from towereval.data.media import decode_image
from towereval.errors import DataError
from towereval.types import Image, Sample, Text, Video

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Overlap:
    """`kind`: "same" or "similar", and "picture", "clip" or "text"."""

    kind: str
    place: str
    detail: str


@dataclass(slots=True)
class Held:
    """What evaluation sets show and say. Legend: N pictures and clips, 4 words of 64 bits."""

    files: dict[str, str] = field(default_factory=dict)
    phrases: dict[int, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)
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
                if not isinstance(part, Text):
                    self._add_media(part, place)
            for kind, text in _texts(sample):
                prompts.setdefault((f"{sample.language} {kind}", text), place)
        for phrase, place in own_phrases(prompts).items():
            self.phrases.setdefault(phrase, place)
        self._hashes_N4 = None
        return count

    def _add_media(self, part: Image | Video, place: str) -> None:
        if part.sha256 in self.files:
            return
        try:
            pixels = decode_image(part) if isinstance(part, Image) else middle_frame(part)
            words = perceptual_hash(pixels)
        except DataError:
            self.undecoded += 1  # no model is shown it either
            return
        self.files[part.sha256] = place
        if words is not None:
            self.hashes.append(words)
            self.places.append(place)

    def overlaps(self, media: Sequence[Seen], texts: Iterable[str]) -> Iterator[Overlap]:
        """At most one for each picture, clip and text."""
        for one in media:
            if place := self.files.get(one.sha256):
                yield Overlap(f"same {one.noun}", place, f"sha256 {one.sha256[:16]}")
            elif found := self._similar(one):
                yield found
        for text in texts:
            for phrase in phrases(text):
                if phrase in self.phrases:
                    yield Overlap("same text", self.phrases[phrase], shown(text, phrase))
                    break

    def _similar(self, one: Seen) -> Overlap | None:
        import numpy as np

        words = perceptual_hash(one.pixels) if self.hashes else None
        if words is None:
            return None
        if self._hashes_N4 is None:
            self._hashes_N4 = np.stack(self.hashes)
        distance_N = distances(words, self._hashes_N4)
        nearest = int(distance_N.argmin())
        if distance_N[nearest] > DISTANCE:
            return None
        detail = f"{distance_N[nearest]} bits apart"
        return Overlap(f"similar {one.noun}", self.places[nearest], detail)


def _texts(sample: Sample) -> Iterator[tuple[str, str]]:
    for part in (part for message in sample.prompt for part in message.parts):
        if isinstance(part, Text):
            yield "prompt", part.text
    for text in (*sample.references, *sample.choices):
        yield "answer", text
