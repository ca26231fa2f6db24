"""OCRBench: 1,000 questions about text in pictures; right when an answer is part of the reply.

https://huggingface.co/datasets/echo840/OCRBench, https://github.com/Yuliang-Liu/MultimodalOCR
(MIT). English.
    {"dataset": "IIIT5K", "question": "what is written in the image?", "answer": ["CENTRE"],
     "question_type": "Regular Text Recognition"}
The official rule branches on the data set's name: formulas (HME100k) keep their case and lose their
blanks.
`towervision` is the authors' harness, which lower-cases the prediction before that branch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from towereval.data.columns import text, texts
from towereval.metrics.ocr import OcrBenchAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

DATASET = Dataset("echo840/OCRBench", split="test", media=("image",))


@dataclass(frozen=True, slots=True)
class OcrBench:
    variant: Literal["official", "towervision"]

    name: ClassVar[str] = "ocrbench"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("en",)
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (OcrBenchAccuracy(self.variant),)

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for index, row in source.rows(DATASET):
            image = source.image(row["image"])
            # The benchmark's own file writes a single answer as a string.
            single = isinstance(row["answer"], str)
            answers = (text(row, "answer"),) if single else texts(row, "answer")
            yield Sample(
                id=f"{index}",
                language="en",
                prompt=(Message("user", (image, Text(text(row, "question").strip()))),),
                references=answers,
                group=row["question_type"],
                cluster=image.sha256 or f"{index}",
                meta={"dataset": row["dataset"]},
            )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=128))


variants = (OcrBench("official"), OcrBench("towervision"))
