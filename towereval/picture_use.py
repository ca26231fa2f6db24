"""A task asked for the likelihood of its references: with the right picture, a wrong one and none.

`NAME@VARIANT+picture-use` is a task like any other, so that a run, its store, `score` and `compare`
need not know of it. Its data are the task's own, its requests ordinary ones with a continuation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from towereval.diagnosis import (
    Content,
    Diagnosis,
    Shown,
    differ,
    hashes,
    media_of,
    showing,
    strangers,
)
from towereval.errors import UsageError
from towereval.metrics.picture_use import (
    SWAPPED,
    UNASKED,
    WRONG,
    ImageSwapAccuracy,
    LikelihoodGain,
    order,
)
from towereval.types import Decoding, Image, Metric, Request, Sample, Source, Text, Video, digest

NAME = "picture-use"
LETTER = "its reference is an option's letter, not a text"
GAINS: tuple[Metric, ...] = (
    LikelihoodGain("none", "sentence"),
    LikelihoodGain("none", "token"),
    LikelihoodGain("wrong", "sentence"),
    LikelihoodGain("wrong", "token"),
)


@dataclass(frozen=True, slots=True)
class PictureUse(Diagnosis):
    """`seed` draws which wrong picture stands for which right one, alike in every language."""

    kind: ClassVar[str] = NAME

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (*GAINS, ImageSwapAccuracy()) if self.contrastive else GAINS

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"score"})

    @property
    def contrastive(self) -> bool:
        """Whether the task itself compares two candidates' likelihoods."""
        return self.task.needs == {"score"}

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        """The data are read twice: first for their pictures, of which a wrong one is chosen.

        Raises `UsageError` for a task none of whose references is a text that can be likely.
        """
        pictures = _Pictures()
        reasons: set[str] = set()
        for sample in self.task.samples(source, languages):
            reason = pictures.add(sample, self._candidates(sample))
            # Letters of pictures are no sample's choices: only a whole task of such is told.
            reasons.add(reason or ("" if len(sample.references[0].strip()) > 1 else LETTER))
        if reasons and "" not in reasons:
            why = "; ".join(sorted(reasons))
            raise UsageError(f"{self.name}@{self.variant} has no sample to ask about: {why}")
        wrong = strangers(pictures.of_language, self.seed)
        for sample in self.task.samples(source, languages):
            yield self._asked(sample, pictures, wrong)

    def requests(self, sample: Sample) -> Iterator[Request]:
        if UNASKED in sample.meta:
            return
        prompt = next(iter(self.task.requests(sample))).prompt
        text, other = self._candidates(sample) or (sample.references[0], "")
        own = media_of(prompt)
        wrong, swapped = (_loaded(sample.meta.get(name, "[]")) for name in (WRONG, SWAPPED))
        asked = {
            "right": (own, text),
            "none": ((), text),
            "wrong": (wrong, text),
            "swapped": (swapped, text),
            "other": (own, other),
            "other swapped": (swapped, other),
        }
        for name in order(sample):
            shown, continuation = asked[name]
            yield Request(
                sample.id, showing(prompt, shown), Decoding(max_tokens=1), continuation=continuation
            )

    def _candidates(self, sample: Sample) -> tuple[str, ...]:
        """The right and the wrong translation of a contrastive task, () of another."""
        if not self.contrastive:
            return ()
        return tuple(request.continuation or "" for request in self.task.requests(sample))

    def _asked(self, sample: Sample, pictures: _Pictures, wrong: Mapping[Content, Shown]) -> Sample:
        """The sample with its other pictures, or with the reason why it is not asked."""
        # A remark is on the task's own scores ("count as wrong").
        meta = {key: value for key, value in sample.meta.items() if key != "remark"}
        own = media_of(sample.prompt)
        if reason := unasked(sample):
            return replace(sample, meta={**meta, UNASKED: reason})
        if stranger := wrong.get((sample.language, hashes(own))):
            meta[WRONG] = _dumped(stranger)
        if partner := pictures.partner(sample, self._candidates(sample)):
            meta[SWAPPED] = _dumped(partner)
        return replace(sample, meta=meta)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The pictures of each language's samples by content, and by what is asked about them."""

    of_language: dict[str, dict[tuple[str, ...], Shown]] = field(default_factory=dict)
    paired: dict[str, list[Shown]] = field(default_factory=dict)

    def add(self, sample: Sample, candidates: Sequence[str]) -> str:
        """Why the sample is not asked, "" where it is."""
        if reason := unasked(sample):
            return reason
        own = media_of(sample.prompt)
        self.of_language.setdefault(sample.language, {}).setdefault(hashes(own), own)
        if candidates:
            self.paired.setdefault(_pair(sample, candidates), []).append(own)
        return ""

    def partner(self, sample: Sample, candidates: Sequence[str]) -> Shown:
        """The picture of the row whose candidates are the same, swapped; () where there is none."""
        own = media_of(sample.prompt)
        if len(set(candidates)) != 2:
            return ()
        others = self.paired.get(_pair(sample, candidates[::-1]), ())
        return next((each for each in others if differ(own, each)), ())


def unasked(sample: Sample) -> str:
    """Why a sample's reference has no likelihood worth asking for, "" where it has."""
    if not sample.references or not sample.references[0].strip():
        return "it has no reference"
    reference = sample.references[0]
    if sample.choices and reference not in sample.choices and len(reference.strip(" ().:")) <= 1:
        return LETTER
    if not (own := media_of(sample.prompt)):
        return "it shows no picture"
    if not all(part.sha256 for part in own):
        return "its picture is not at hand"
    return "" if showing(sample.prompt, ()) else "its question is the picture alone"


def _pair(sample: Sample, candidates: Sequence[str]) -> str:
    words = [part.text for m in sample.prompt for part in m.parts if isinstance(part, Text)]
    return digest([sample.language, words, list(candidates)])


def _dumped(shown: Shown) -> str:
    return json.dumps([[type(part).__name__, part.source, part.sha256] for part in shown])


def _loaded(text: str) -> Shown:
    return tuple(
        Image(source, sha256) if kind == "Image" else Video(source, sha256)
        for kind, source, sha256 in json.loads(text)
    )
