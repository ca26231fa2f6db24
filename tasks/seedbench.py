"""SEED-Bench, its part on pictures: which of four options answers the question?

https://huggingface.co/datasets/lmms-lab/SEED-Bench, split test, from
https://github.com/AILab-CVC/SEED-Bench (CC BY-NC 4.0): 14,233 questions about pictures; those about
clips are left out.
    {"question_id": "101669", "image": [...], "question": "...", "choice_a": "One", ...,
     "choice_d": "Four", "answer": "A", "data_type": "image", "question_type_id": 5}
`official` is lmms-eval's prompt and rule (75571cfe): the answer's first character; what follows it
counts for nothing, so 16 tokens are asked for. The benchmark's own script ranks options by their
likelihood instead. `lrm` is in LRM-LLaVA's ten languages: the translations are not public,
`towereval data translate-benchmark` makes such, one split a language; the ending stays English.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from towereval.data.columns import text, whole
from towereval.errors import DataError
from towereval.languages import GROUPS
from towereval.metrics.choices import LETTERS, OptionAccuracy, lettered
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "lmms-lab/SEED-Bench"
CHOICES = ("choice_a", "choice_b", "choice_c", "choice_d")
ENDING = "Answer with the option's letter from the given choices directly."
# By `question_type_id`, from 1.
DIMENSIONS = (
    *("scene understanding", "instance identity", "instance attributes", "instance location"),
    *("instances counting", "spatial relation", "instance interaction", "visual reasoning"),
    "text understanding",
)


@dataclass(frozen=True, slots=True)
class SeedBench:
    variant: Literal["official", "lrm"]

    name: ClassVar[str] = "seedbench"
    version: ClassVar[int] = 1
    metrics: ClassVar[tuple[Metric, ...]] = (OptionAccuracy("seedbench"),)
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def languages(self) -> tuple[str, ...]:
        return GROUPS["lrm10"] if self.variant == "lrm" else ("en",)

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            split = language if self.variant == "lrm" else "test"
            for _, row in source.rows(Dataset(REPO, split=split, media=("image",))):
                if text(row, "data_type") != "image":
                    continue
                pictures = row["image"] if isinstance(row["image"], list) else [row["image"]]
                if len(pictures) != 1:
                    raise DataError(f"column image: wanted one picture, found {len(pictures)}")
                image, gold = source.image(pictures[0]), text(row, "answer").strip().upper()
                choices = tuple(text(row, column) for column in CHOICES)
                if gold not in [*LETTERS[: len(choices)]]:
                    raise DataError(f"column answer: wanted A, B, C or D, found {gold[:40]!r}")
                ask = f"{text(row, 'question')}\n{lettered(choices)}\n{ENDING}"
                number = whole(row, "question_type_id")
                known = 1 <= number <= len(DIMENSIONS)
                yield Sample(
                    id=str(row["question_id"]),
                    language=language,
                    prompt=(Message("user", (image, Text(ask))),),
                    references=(gold,),
                    choices=choices,
                    group=DIMENSIONS[number - 1] if known else f"type {number}",
                    cluster=image.sha256,
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=16))


variants = (SeedBench("official"), SeedBench("lrm"))
