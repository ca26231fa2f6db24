"""MaRVL: is a statement in one of five languages, or English, true of two photographs?

https://huggingface.co/datasets/floschne/marvl, one split a language, from
https://marvl-challenge.github.io (CC BY 4.0; statements and pictures from where the language is
spoken). English is NLVR2's test set, which Centurio puts beside them: give it as `en` in a local
folder, the data set above has translations under that name (not verified which).
    {"id": "...", "concept": "...", "hypothesis": "...", "label": true, "left_img": ...,
     "right_img": ..., ...}
`centurio` is that paper's prompt as its code writes it (8f6ed69e, configs/dataspec/marvl.yaml) and
rule; 512 tokens are what its baselines were given. It puts the pictures between "images" and the
comma; here, as in every prompt, they come first. A model that reads one picture fails on each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text, truth
from towereval.metrics.centurio import LabelAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "floschne/marvl"
MEDIA = ("left_img", "right_img")


@dataclass(frozen=True, slots=True)
class Marvl:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "marvl"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("id", "sw", "ta", "tr", "zh", "en")
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
                    # One statement is asked of several pairs of pictures.
                    cluster=f"{language}: {text(row, 'hypothesis')}",
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


variants = (Marvl(),)
