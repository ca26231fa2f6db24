"""Made-up pictures and one short question about each in seven languages: what speed is measured on.

No hub and no licence: `benchmarks/made_pictures.py` draws them. Rows:
    {"picture": "00017.jpg", "language": "de", "question": "Was zeigt Bild 17? Antworte kurz."}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.metrics.exact import ExactMatch
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

DATASET = Dataset("pictures", split="test", media=("picture",))


@dataclass(frozen=True, slots=True)
class Pictures:
    name: ClassVar[str] = "pictures"
    variant: ClassVar[str] = "made-up"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("en", "de", "fr", "es", "pt", "it", "nl")
    metrics: ClassVar[tuple[Metric, ...]] = (ExactMatch(),)
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for _, row in source.rows(DATASET):
            if row["language"] in languages:
                shown = source.image(row["picture"])
                yield Sample(
                    id=row["picture"].stem,
                    language=row["language"],
                    prompt=(Message("user", (shown, Text(row["question"]))),),
                    references=("a picture",),
                    cluster=row["picture"].stem,
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=16))


variants = (Pictures(),)
