"""MME: questions of yes and no about what is in a picture, two a picture; perception of 2,000.

https://huggingface.co/datasets/lmms-lab/MME, split test, 2,374 questions, from
https://github.com/BradyFU/Awesome-Multimodal-Large-Language-Models/tree/Evaluation (academic
research only).
    {"question_id": "existence/000001.png", "image": ..., "question": "Is there a dog in this image?
     Please answer yes or no.", "answer": "Yes", "category": "existence"}
A sample is a picture with both its questions, which share `question_id`. `official` asks the
question as it stands and reads the answer as the benchmark's script does. `lrm` is in LRM-LLaVA's
ten languages: the translations are not public, `towereval data translate-benchmark` makes such, one
split a language, whose answers stay English (a picture of which one question could not be
translated is left out); how that paper reads other languages' yes is not known: here by the first
word and a table (towereval/metrics/yes_no.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from towereval.data.columns import text
from towereval.errors import DataError
from towereval.languages import GROUPS
from towereval.metrics.mme import COGNITION, PERCEPTION, MmeScore, PairAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "lmms-lab/MME"


@dataclass(frozen=True, slots=True)
class Mme:
    variant: Literal["official", "lrm"]

    name: ClassVar[str] = "mme"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def languages(self) -> tuple[str, ...]:
        return GROUPS["lrm10"] if self.variant == "lrm" else ("en",)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        rule: Literal["words", "mme"] = "words" if self.variant == "lrm" else "mme"
        return (
            MmeScore("perception", rule),
            MmeScore("cognition", rule),
            PairAccuracy(rule),
            PairAccuracy(rule, plus=True),
        )

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            split = language if self.variant == "lrm" else "test"
            # A picture's first question waits for the second, wherever it stands.
            waiting: dict[str, Sample] = {}
            for _, row in source.rows(Dataset(REPO, split=split, media=("image",))):
                one = _asked(source, row, language)
                if one.id not in waiting:
                    waiting[one.id] = one
                    continue
                yield _joined(waiting.pop(one.id), one)
            if waiting and self.variant == "official":
                raise DataError(f"{split}: {next(iter(waiting))} has not two questions")

    def requests(self, sample: Sample) -> Iterator[Request]:
        image = sample.prompt[0].parts[0]
        for question in (sample.meta["first"], sample.meta["second"]):
            prompt = (Message("user", (image, Text(question))),)
            yield Request(sample.id, prompt, Decoding(max_tokens=16))


def _asked(source: Source, row: Mapping[str, Any], language: str) -> Sample:
    image, question = source.image(row["image"]), text(row, "question").strip()
    category, answer = text(row, "category"), text(row, "answer").strip().lower().rstrip(".")
    if category not in (*PERCEPTION, *COGNITION):
        raise DataError(f"column category: no subtask of MME is {category[:40]!r}")
    if answer not in ("yes", "no"):
        raise DataError(f"column answer: wanted Yes or No, found {answer[:40]!r}")
    return Sample(
        id=text(row, "question_id"),
        language=language,
        prompt=(Message("user", (image, Text(question))),),
        references=(answer,),
        group=category,
        # The same picture in all languages.
        cluster=f"{category}: {text(row, 'question_id')}",
        meta={"first": question},
    )


def _joined(first: Sample, second: Sample) -> Sample:
    """Raises `DataError` where they share no more than their name."""
    if first.group != second.group:
        raise DataError(f"question_id {first.id[:40]!r} is of {first.group} and {second.group}")
    return Sample(
        id=first.id,
        language=first.language,
        prompt=first.prompt,
        references=(*first.references, *second.references),
        group=first.group,
        cluster=first.cluster,
        meta={"first": first.meta["first"], "second": second.meta["first"]},
    )


variants = (Mme("official"), Mme("lrm"))
