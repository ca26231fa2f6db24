"""TextVQA: questions about text in photographs, ten annotators' answers each; VQA accuracy.

https://huggingface.co/datasets/lmms-lab/textvqa, validation, 5,000 questions (CC BY 4.0). English.
    {"question": "what is the brand of this camera?", "answers": ["nous les gosses", "dakota", ...]}
`capitalize` lower-cases all but the first letter of the question: so did the published runs. No OCR
tokens are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text, texts
from towereval.metrics.vqa import VqaAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

DATASET = Dataset("lmms-lab/textvqa", split="validation", media=("image",))


@dataclass(frozen=True, slots=True)
class TextVqa:
    variant: ClassVar[str] = "validation"
    name: ClassVar[str] = "textvqa"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("en",)
    metrics: ClassVar[tuple[Metric, ...]] = (VqaAccuracy(),)
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for _, row in source.rows(DATASET):
            image = source.image(row["image"])
            question = (
                text(row, "question").capitalize()
                + "\nAnswer the question using a single word or phrase."
            )
            yield Sample(
                id=f"{row['question_id']}",
                language="en",
                prompt=(Message("user", (image, Text(question))),),
                references=texts(row, "answers"),
                cluster=row["image_id"],
            )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=1024))


variants = (TextVqa(),)
