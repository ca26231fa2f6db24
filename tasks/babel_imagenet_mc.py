"""Babel-ImageNet as multiple choice (BIN-MC): which of four words in one of 20 languages is shown?

From https://github.com/gregor-ge/Babel-ImageNet (labels) and ImageNet (pictures: research only). It
has no public data set: Centurio's files are not published. Give a folder of your own, a split a
language: the pictures are ImageNet's, ten of each class were taken, the other three words are the
most similar of those that Babel-ImageNet has in the language.
    {"image": "n01440764/ILSVRC2012_val_00000293.JPEG", "choices": ["...", "...", "...", "..."],
     "answer": 1}
`answer` counts from 0. The pictures of a class, told by the "n01440764" in their names, are one
cluster: who lacks its word misses all of them. `centurio` is that paper's prompt (arXiv 2501.05122,
figure 2, which shows English: elsewhere the language's name stands there, which is not verified)
and rule; 512 tokens are what its baselines were given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
                    cluster=_class(row["image"]) or image.sha256,
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


def _class(picture: object) -> str:
    """WordNet's id of what is shown, the same in all languages; "" where no name tells it."""
    name = picture.get("path") if isinstance(picture, Mapping) else picture
    found = re.findall(r"n\d{8}", str(name)) if isinstance(name, str | Path) else []
    return str(found[-1]) if found else ""


variants = (BabelImageNetMc(),)
