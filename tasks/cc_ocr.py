"""CC-OCR's multilingual text reading: F1 over words or characters, in seven languages.

https://huggingface.co/datasets/wulipc/CC-OCR (MIT), configuration multi_lan_ocr, 150 pictures a
language.
    {"image": "<base64>", "image_name": "German_test_0.jpg", "split": "German", "answer": "...",
     "question": "Please output only the text content from the image without any additional
     descriptions ..."}
Korean is compared by characters, the rest by words. One Portuguese picture has no answer and is
left out, as the authors did (149 scored). Prompts end as theirs do, German differently from the
others.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text
from towereval.errors import DataError
from towereval.metrics.ocr import ReadingF1
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

DATASET = Dataset("wulipc/CC-OCR", config="multi_lan_ocr", split="test")
SPLITS = {
    "German": "de",
    "French": "fr",
    "Italian": "it",
    "Russian": "ru",
    "Spanish": "es",
    "Korean": "ko",
    "Portuguese": "pt",
}
ENDINGS = {"de": "\nAnswer by providing the text in the image directly."}
ENDING = "\nAnswer by providing the text directly."


@dataclass(frozen=True, slots=True)
class CcOcr:
    variant: ClassVar[str] = "towervision"
    name: ClassVar[str] = "cc_ocr"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = tuple(SPLITS.values())
    metrics: ClassVar[tuple[Metric, ...]] = (ReadingF1("macro"), ReadingF1("micro"))
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for index, row in source.rows(DATASET):
            language = SPLITS.get(text(row, "split"), "")
            if language not in languages or row["answer"] is None:
                continue
            image = source.image(_decoded(row["image"]))
            question = text(row, "question") + ENDINGS.get(language, ENDING)
            yield Sample(
                id=row["image_name"],
                language=language,
                prompt=(Message("user", (image, Text(question))),),
                references=(text(row, "answer"),),
                cluster=image.sha256 or f"{index}",
                meta={"level": "char" if language == "ko" else "word"},
            )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=1024))


def _decoded(image: object) -> object:
    """The data set holds pictures as base64 text."""
    if not isinstance(image, str):
        return image
    try:
        return base64.b64decode(image, validate=True)
    except ValueError as error:
        raise DataError(f"cc_ocr: column image holds no base64: {image[:40]!r}...") from error


variants = (CcOcr(),)
