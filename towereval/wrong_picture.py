"""A task asked with another sample's picture in the place of its own: what words alone score.

`NAME@VARIANT+wrong-picture` has the task's own questions and metrics. A model that needs the
picture falls to chance, one that guesses from the words keeps its score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from towereval.diagnosis import Content, Diagnosis, Shown, hashes, media_of, showing, strangers
from towereval.errors import UsageError
from towereval.types import Metric, Request, Sample, Source

NAME = "wrong-picture"


@dataclass(frozen=True, slots=True)
class WrongPicture(Diagnosis):
    """`seed` draws which picture stands for which, alike in every language."""

    kind: ClassVar[str] = NAME

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return self.task.metrics

    @property
    def needs(self) -> frozenset[str]:
        return self.task.needs

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        """The data are read twice, first for their pictures.

        Raises `UsageError` for a sample that shows none, or that no other picture can stand in.
        """
        of_language: dict[str, dict[tuple[str, ...], Shown]] = {}
        for sample in self.task.samples(source, languages):
            if _at_hand(own := media_of(sample.prompt)):
                of_language.setdefault(sample.language, {}).setdefault(hashes(own), own)
        wrong = strangers(of_language, self.seed)
        for sample in self.task.samples(source, languages):
            yield self._mistaken(sample, wrong)

    def requests(self, sample: Sample) -> Iterator[Request]:
        return self.task.requests(sample)

    def _mistaken(self, sample: Sample, wrong: Mapping[Content, Shown]) -> Sample:
        own = media_of(sample.prompt)
        if own and not _at_hand(own):
            return sample  # fails as it does in the task itself
        stranger = wrong.get((sample.language, hashes(own)))
        if stranger is None:
            why = "has no other picture that could be shown" if own else "shows no picture"
            where = f"{self.name}@{self.variant}"
            raise UsageError(f"{where}: sample {sample.id} in {sample.language} {why}")
        return replace(sample, prompt=showing(sample.prompt, stranger))


def _at_hand(shown: Shown) -> bool:
    return bool(shown) and all(part.sha256 for part in shown)
