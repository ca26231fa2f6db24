"""M5-VGR: is a statement in one of twelve languages true of two photographs?

https://huggingface.co/datasets/floschne/m5b_vgr, from https://github.com/floschne/m5b: 120
statements a language about pictures of Dollar Street (CC BY-SA 4.0).
    {"hypothesis": "...", "label": true, "left_img": ..., "right_img": ..., ...}
`centurio` is that paper's prompt (arXiv 2501.05122, figure 2, with the quotation marks of its code
for MaRVL) and rule; 512 tokens are what its baselines were given. It puts the pictures between
"images" and the comma; here, as in every prompt, they come first. A model that reads one picture
fails on each. Not verified: the columns of the data set (these are MaRVL's, by the same author;
what the benchmark's code reads has `hypothesis` and a label) and that each language is a split of
its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text, truth
from towereval.metrics.centurio import LabelAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "floschne/m5b_vgr"
MEDIA = ("left_img", "right_img")


@dataclass(frozen=True, slots=True)
class M5Vgr:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "m5_vgr"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = (
        *("am", "ber", "bn", "de", "en", "fil", "ha", "hi", "ru", "sw", "th", "zu"),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (LabelAccuracy(), LabelAccuracy(relaxed=True))
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            for index, row in source.rows(Dataset(REPO, split=language, media=MEDIA)):
                ask = (
                    "Given the two images, is it correct to say"
                    f' "{text(row, "hypothesis")}"? Answer yes or no.'
                )
                left, right = (source.image(row[column]) for column in MEDIA)
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (left, right, Text(ask))),),
                    references=("yes" if truth(row, "label") else "no",),
                    cluster=f"{language}: {text(row, 'hypothesis')}",
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


variants = (M5Vgr(),)
