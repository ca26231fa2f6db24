"""POPE: is there a such-and-such in the image? Objects that are not there are sampled three ways.

https://huggingface.co/datasets/lmms-lab/POPE, split test, 9,000 questions about 500 pictures of
COCO, from https://github.com/RUCAIBox/POPE (MIT).
    {"question_id": "1", "image": ..., "question": "Is there a snowboard in the image?",
     "answer": "yes", "category": "adversarial"}
Groups are adversarial, popular and random; papers print the mean of their F1, the whole's F1 here
is over all questions together. `official` reads answers as the benchmark's script does, and asks
with LLaVA's ending, as lmms-eval does. `lrm` is in LRM-LLaVA's ten languages: the translations are
not public, `towereval data translate-benchmark` makes such, one split a language, whose answers
stay English; its ending and its reading of other languages' yes are not known: the same ending, in
English, and the first word by a table (towereval/metrics/yes_no.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from towereval.data.columns import text
from towereval.errors import DataError
from towereval.languages import GROUPS
from towereval.metrics.yes_no import YesNoAccuracy, YesNoF1, YesNoRate
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "lmms-lab/POPE"
ENDING = "\nAnswer the question using a single word or phrase."


@dataclass(frozen=True, slots=True)
class Pope:
    variant: Literal["official", "lrm"]

    name: ClassVar[str] = "pope"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def languages(self) -> tuple[str, ...]:
        return GROUPS["lrm10"] if self.variant == "lrm" else ("en",)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        rule: Literal["words", "pope"] = "words" if self.variant == "lrm" else "pope"
        return (YesNoAccuracy(rule), YesNoF1(rule), YesNoRate(rule))

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            split = language if self.variant == "lrm" else "test"
            for index, row in source.rows(Dataset(REPO, split=split, media=("image",))):
                image, answer = source.image(row["image"]), text(row, "answer").strip().lower()
                if answer not in ("yes", "no"):
                    raise DataError(f"column answer: wanted yes or no, found {answer[:40]!r}")
                question = text(row, "question").strip() + ENDING
                yield Sample(
                    # Their `question_id` counts anew in each category.
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (image, Text(question))),),
                    references=(answer,),
                    group=text(row, "category"),
                    cluster=image.sha256,
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=128))


variants = (Pope("official"), Pope("lrm"))
