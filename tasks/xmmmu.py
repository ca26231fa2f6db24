"""xMMMU: college exams' questions in seven languages: which option is right?

https://huggingface.co/datasets/neulab/PangeaBench-xmmmu, one split a language: 300 questions of
MMMU's validation split (https://mmmu-benchmark.github.io, Apache-2.0), translated by GPT-4o.
    {"id": "validation_Accounting_1", "question": "<image 1> ...", "question_type":
     "multiple-choice", "options": "['$6', '$7', '$8', '$9']", "answer": "B", "image_1": ...,
     "image_2": null, ...}
Options are a Python list in a string, with line breaks in it. Asked are the pictures that the
question and its options name, in that order; open questions are left out, as Centurio did.
`centurio` is that paper's prompt (arXiv 2501.05122, figure 2, which lists four options: here as
many as there are) and rule; 512 tokens are what its baselines were given. It puts pictures where
"<image 1>" stands; here they come first and the text keeps that name for them. A model that reads
one picture fails on questions with more.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from towereval.data.columns import text
from towereval.errors import DataError
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.choices import LETTERS, lettered
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "neulab/PangeaBench-xmmmu"
MEDIA = tuple(f"image_{number}" for number in range(1, 8))
NAMED = re.compile(r"<image (\d)>")
ENDING = "Answer with the option’s letter from the given choices directly."


@dataclass(frozen=True, slots=True)
class Xmmmu:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "xmmmu"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("ar", "en", "fr", "hi", "id", "ja", "pt")
    metrics: ClassVar[tuple[Metric, ...]] = (LabelAccuracy(relaxed=True), LabelAccuracy())
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            for _, row in source.rows(Dataset(REPO, split=language, media=MEDIA)):
                if text(row, "question_type") != "multiple-choice":
                    continue
                name = text(row, "id")
                options = _options(text(row, "options"))
                gold = text(row, "answer").strip()
                if gold not in [*LETTERS[: len(options)]]:
                    raise DataError(f"column answer: {gold!r} is none of {len(options)} options")
                asked = f"{text(row, 'question')}\nThere are several options:\n{lettered(options)}"
                images = tuple(source.image(row[column]) for column in _shown(asked, row))
                yield Sample(
                    id=name,
                    language=language,
                    prompt=(Message("user", (*images, Text(f"{asked}\n{ENDING}"))),),
                    references=(gold,),
                    choices=options,
                    # The subject, between the split and the number.
                    group=name.partition("_")[2].rpartition("_")[0],
                    # The same question in all languages.
                    cluster=name,
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


def _shown(asked: str, row: Mapping[str, Any]) -> list[str]:
    """Columns of the pictures that the text names, each once; the first where it names none."""
    named = dict.fromkeys(f"image_{number}" for number in NAMED.findall(asked))
    return [column for column in named or {"image_1": None} if row[column] is not None]


def _options(written: str) -> tuple[str, ...]:
    try:
        options = ast.literal_eval(written.replace("\n", " "))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise DataError(f"column options: no list is {written[:40]!r}...") from error
    if not isinstance(options, list) or not all(
        isinstance(one, str | int | float) for one in options
    ):
        raise DataError(f"column options: no list of texts is {written[:40]!r}...")
    return tuple(str(option) for option in options)


variants = (Xmmmu(),)
