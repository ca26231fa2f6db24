"""MTVQA: questions about the text in pictures, in nine languages, answered in the picture's own.

https://huggingface.co/datasets/ByteDance/MTVQA (CC BY-NC 4.0), split test, from
https://github.com/bytedance/MTVQA. A row is a picture with all its questions, written as a Python
list in one string; Korean is "KR".
    {"image": ..., "id": "...", "lang": "KR",
     "qa_pairs": "[{'question': '...', 'answer': '...'}, ...]"}
`centurio` is that paper's prompt (arXiv 2501.05122, figure 2) and rule; 512 tokens are what its
baselines were given. `official` is the prompt and the rule of the benchmark as lmms-eval has them
(75571cfe): right where the answer, without its periods, is part of the reply.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from towereval.data.columns import text
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.contained import ContainedAnswer
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

DATASET = Dataset("ByteDance/MTVQA", split="test", media=("image",))
SPOKEN = ("ar", "de", "fr", "it", "ja", "ko", "ru", "th", "vi")
CODES = {"KR": "ko"} | {code.upper(): code for code in SPOKEN}
OFFICIAL_ENDING = "Answer the question using a word or phrase in the language of the question."


@dataclass(frozen=True, slots=True)
class Mtvqa:
    variant: Literal["centurio", "official"]

    name: ClassVar[str] = "mtvqa"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = SPOKEN
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def metrics(self) -> tuple[Metric, ...]:
        if self.variant == "official":
            return (ContainedAnswer(),)
        return (LabelAccuracy(), LabelAccuracy(relaxed=True))

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for index, row in source.rows(DATASET):
            language = CODES.get(text(row, "lang").upper(), "")
            if language not in languages:
                continue
            image = source.image(row["image"])
            for number, (question, answer) in enumerate(_pairs(row)):
                yield Sample(
                    # The data set's own ids are not known to be unique.
                    id=f"{index}-{number}",
                    language=language,
                    prompt=(Message("user", (image, Text(self._ask(question, language)))),),
                    references=(answer,),
                    cluster=image.sha256,
                    meta={"id": str(row["id"])},
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        room = 512 if self.variant == "centurio" else 64
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=room))

    def _ask(self, question: str, language: str) -> str:
        if self.variant == "official":
            return f"{question}\n{OFFICIAL_ENDING}"
        ending = f"Answer in {LANGUAGES[language].english}."
        return f"{question}\nAnswer the question using a single word or phrase.\n{ending}"


def _pairs(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Questions and answers without the blanks around them; a pair with an empty one is left out.

    lmms-eval leaves those out too: an empty answer would be part of every reply.
    """
    written = text(row, "qa_pairs")
    try:
        pairs = ast.literal_eval(written)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise DataError(f"column qa_pairs: no list is {written[:40]!r}...") from error
    if not isinstance(pairs, list) or not all(isinstance(pair, Mapping) for pair in pairs):
        raise DataError(f"column qa_pairs: no list of pairs is {written[:40]!r}...")
    for pair in pairs:
        question, answer = (str(pair.get(key, "")).strip() for key in ("question", "answer"))
        if question and answer:
            yield question, answer


variants = (Mtvqa("centurio"), Mtvqa("official"))
