"""xGQA: questions about photographs in eight languages, answered in English.

https://huggingface.co/datasets/floschne/xgqa, one split a language, from
https://github.com/adapter-hub/xGQA (questions CC BY 4.0): GQA's balanced test-dev questions, 9,666
on 300 pictures, translated by people.
    {"image_id": "n161313", "image": ..., "question": "...", "answer": "yes", ...}
`centurio` is that paper's prompt (arXiv 2501.05122, figure 2; a question mark is added where there
is none: the figure's would else be a second one) and rule; 512 tokens are what its baselines were
given. That rows of one number are the same question in all languages is not relied on: the picture
is the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text
from towereval.metrics.centurio import LabelAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "floschne/xgqa"
ENDING = "\nAnswer the question using a single word or phrase.\nAnswer in English."


@dataclass(frozen=True, slots=True)
class Xgqa:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "xgqa"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("bn", "de", "en", "id", "ko", "pt", "ru", "zh")
    metrics: ClassVar[tuple[Metric, ...]] = (LabelAccuracy(), LabelAccuracy(relaxed=True))
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            for index, row in source.rows(Dataset(REPO, split=language, media=("image",))):
                question = text(row, "question").strip()
                asked = question if question.endswith(("?", "？")) else f"{question}?"
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (source.image(row["image"]), Text(asked + ENDING))),),
                    references=(text(row, "answer"),),
                    cluster=text(row, "image_id"),
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


variants = (Xgqa(),)
