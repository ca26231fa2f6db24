"""M5-VLOD: of which of five photographs is a statement in one of twelve languages not true?

https://huggingface.co/datasets/floschne/m5b_vlod, from https://github.com/floschne/m5b: 120
statements a language about pictures of Dollar Street (CC BY-SA 4.0).
    {"hypothesis": "...", "label": 3, "images": [..., ..., ..., ..., ...], ...}
`centurio` is that paper's prompt (arXiv 2501.05122, figure 2, with straight quotation marks) and
rule; 512 tokens are what its baselines were given. It puts the pictures after "images"; here, as in
every prompt, they come first. A model that reads fewer than five pictures fails on every request.
Not verified: the columns of the data set, that each language is a split of its own, and whether a
label that is a number counts from 0, as it is taken here; a letter from A to E is one too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from towereval.data.columns import text
from towereval.errors import DataError
from towereval.metrics.centurio import LabelAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "floschne/m5b_vlod"
LETTERS = "ABCDE"


@dataclass(frozen=True, slots=True)
class M5Vlod:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "m5_vlod"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = (
        *("am", "ber", "bn", "de", "en", "fil", "ha", "hi", "ru", "sw", "th", "zu"),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (LabelAccuracy(relaxed=True), LabelAccuracy())
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            dataset = Dataset(REPO, split=language, media=("images",))
            for index, row in source.rows(dataset):
                pictures = row["images"]
                if not isinstance(pictures, list) or len(pictures) != len(LETTERS):
                    raise DataError("column images: wanted a list of five pictures")
                ask = (
                    "Based on the 5 images ordered from top-left to bottom-right, which image does"
                    f' not match the hypothesis "{text(row, "hypothesis")}"? Choose one from'
                    " [A, B, C, D, E] and only output a single letter:"
                )
                images = tuple(map(source.image, pictures))
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (*images, Text(ask))),),
                    references=(_letter(row),),
                    cluster=f"{language}: {text(row, 'hypothesis')}",
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


def _letter(row: Mapping[str, Any]) -> str:
    label = str(row["label"]).strip().upper()
    if label in [*LETTERS]:
        return label
    if label in [str(number) for number in range(len(LETTERS))]:
        return LETTERS[int(label)]
    raise DataError(f"column label: wanted 0 to 4 or A to E, found {row['label']!r:.40}")


variants = (M5Vlod(),)
