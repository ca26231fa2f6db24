"""Babel-ImageNet as multiple choice (BIN-MC): which of four words in one of 20 languages is shown?

From https://github.com/gregor-ge/Babel-ImageNet (labels) and ImageNet (pictures: research only). It
has no public data set: Centurio's files are not published. Give a folder of your own, a split a
language: the pictures are ImageNet's, ten of each class were taken, the other three words are the
most similar of those that Babel-ImageNet has in the language.
    {"image": "n01440764/ILSVRC2012_val_00000293.JPEG", "choices": ["...", "...", "...", "..."],
     "answer": 1}
`answer` counts from 0. `centurio` is that paper's prompt (arXiv 2501.05122, figure 2, which shows
English: elsewhere the language's name stands there, which is not verified) and rule; 512 tokens are
what its baselines were given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import texts, whole
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.choices import LETTERS, lettered
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "gregor-ge/Babel-ImageNet"
ENDING = "Answer with the letter from the given choices directly."


@dataclass(frozen=True, slots=True)
class BabelImageNetMc:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "babel_imagenet_mc"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = (
        *("en", "mi", "no", "te", "am", "ha", "zu", "af", "el", "ro", "ta", "hr", "cs", "nl", "fi"),
        *("hu", "fa", "pl", "es", "ja"),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (LabelAccuracy(relaxed=True), LabelAccuracy())
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            spoken = LANGUAGES[language].english
            head = f"Which of these choices (in {spoken}) is shown in the image?"
            for index, row in source.rows(Dataset(REPO, split=language, media=("image",))):
                choices, gold = texts(row, "choices"), whole(row, "answer")
                if not 0 <= gold < len(choices):
                    raise DataError(f"column answer: {gold} is none of {len(choices)} choices")
                image = source.image(row["image"])
                ask = f"{head}\nChoices:\n{lettered(choices)}\n{ENDING}"
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (image, Text(ask))),),
                    references=(LETTERS[gold],),
                    choices=choices,
                    # The same picture in all languages.
                    cluster=image.sha256,
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


variants = (BabelImageNetMc(),)
