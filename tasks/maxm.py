"""MaXM: questions about photographs of all the world in seven languages, answered in the same.

https://huggingface.co/datasets/floschne/maxm (pictures of XM3600, CC BY 2.0), one split a language;
Hebrew's is "iw". From https://github.com/google-research-datasets/maxm.
    {"image_id": "...", "image": ..., "question": "...", "answers": ["...", "..."],
     "processed_answers": ["...", ...], ...}
`centurio` is that paper's prompt (arXiv 2501.05122, figure 2; a question mark is added where there
is none: the figure's would else be a second one) and rule, any of `answers`; 512 tokens are what
its baselines were given. That `answers` and not `processed_answers` are meant is not verified: its
files are not public, Pangea's harness compares with `answers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text, texts
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.metrics.centurio import LabelAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "floschne/maxm"
SPLITS = {code: code for code in ("en", "fr", "hi", "he", "ro", "th", "zh")} | {"he": "iw"}


@dataclass(frozen=True, slots=True)
class Maxm:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "maxm"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = tuple(SPLITS)
    metrics: ClassVar[tuple[Metric, ...]] = (LabelAccuracy(), LabelAccuracy(relaxed=True))
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            ending = f"\nAnswer in {LANGUAGES[language].english}."
            dataset = Dataset(REPO, split=SPLITS[language], media=("image",))
            for index, row in source.rows(dataset):
                question = text(row, "question").strip()
                asked = question if question.endswith(("?", "？")) else f"{question}?"
                ask = f"{asked}\nAnswer the question using a single word or phrase.{ending}"
                answers = tuple(filter(None, map(str.strip, texts(row, "answers"))))
                if not answers:
                    raise DataError("column answers: wanted an answer, found none")
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (source.image(row["image"]), Text(ask))),),
                    references=answers,
                    cluster=text(row, "image_id"),
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


variants = (Maxm(),)
