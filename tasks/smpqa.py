"""SMPQA: which label has the biggest bar? Plots with labels in eleven languages and more.

https://huggingface.co/datasets/WueNLP/SMPQA (Apache-2.0) is Centurio's; its files lie otherwise
than here. Plots in kind, with labels in any language, come from `towereval smpqa generate`; give
their folder: --data smpqa=FOLDER. A row is a plot with eight questions of yes or no (grounding)
and five for a label (reading), in English about labels in the language:
    {"language": "de", "plot": "bar-000", "image": "images/de/bar-000.png",
     "question_ground": ["Is the bar with label 'Mond' the biggest?", ...],
     "answer_ground": ["yes", ...], "questions_name": [...], "answer_name": ["Mond", ...]}
`centurio` asks as that paper does (arXiv 2501.05122, figure 2); 512 tokens are what its baselines
were given. `towereval` says which answer is wanted of which question, and takes any language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from towereval.data.columns import text, texts
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.smpqa import CharacterAccuracy
from towereval.metrics.yes_no import YesNoRate
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

DATASET = Dataset("WueNLP/SMPQA", split="test", media=("image",))
PUBLISHED = ("en", "de", "it", "id", "zu", "ar", "hi", "ko", "ru", "th", "zh")
OTHERS = tuple(code for code in LANGUAGES if code not in (*PUBLISHED, "und"))
INSTRUCTIONS = {
    "centurio": dict.fromkeys(
        ("grounding", "reading"), "\nAnswer the question using a single word or phrase."
    ),
    "towereval": {
        "grounding": "\nAnswer with yes or no.",
        "reading": "\nAnswer with only the label.",
    },
}
TOKENS = {"centurio": 512, "towereval": 32}
COLUMNS = {
    "grounding": ("question_ground", "answer_ground"),
    "reading": ("questions_name", "answer_name"),
}


@dataclass(frozen=True, slots=True)
class Smpqa:
    variant: Literal["centurio", "towereval"]

    name: ClassVar[str] = "smpqa"
    metrics: ClassVar[tuple[Metric, ...]] = (
        LabelAccuracy(),
        LabelAccuracy(relaxed=True),
        CharacterAccuracy(),
        YesNoRate("words", group="grounding"),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def version(self) -> int:
        return 2 if self.variant == "centurio" else 1  # 1 asked the bare question for ten tokens

    @property
    def languages(self) -> tuple[str, ...]:
        return PUBLISHED if self.variant == "centurio" else (*PUBLISHED, *OTHERS)

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for _, row in source.rows(DATASET):
            if text(row, "language") not in languages:
                continue
            image, plot = source.image(row["image"]), text(row, "plot")
            for group, (asked, answers) in COLUMNS.items():
                pairs = zip(texts(row, asked), texts(row, answers), strict=False)
                if len(row[asked]) != len(row[answers]):
                    raise DataError(f"smpqa: {plot} has not as many answers as {group} questions")
                ending = INSTRUCTIONS[self.variant][group]
                for number, (question, answer) in enumerate(pairs):
                    yield Sample(
                        id=f"{plot}-{group}-{number}",
                        language=row["language"],
                        prompt=(Message("user", (image, Text(question + ending))),),
                        references=(answer,),
                        group=group,
                        # The same plot in all languages.
                        cluster=plot,
                    )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=TOKENS[self.variant]))


variants = (Smpqa("centurio"), Smpqa("towereval"))
