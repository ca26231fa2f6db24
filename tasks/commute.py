"""CoMMuTE: which of two translations of an ambiguous sentence does the picture make likelier?

https://huggingface.co/datasets/Unbabel/commute_multimodal_mt (gated), from
https://github.com/MatthieuFP/CoMMuTE
(CC BY-NC-SA 4.0 or CC BY-SA 4.0: its files disagree). Rows come in pairs: same source, other
picture, translations swapped; so a model that does not look scores exactly 50%.
    {"source": "I saw a bat.", "correct_translation": "J'ai vu une chauve-souris.",
    "incorrect_translation": "... batte."}
Two Arabic and six Russian rows hold two equal translations: they can only tie and count as wrong,
as officially.
`official` compares the mean negative log-likelihood of the candidate as the assistant's turn. The
prompt is Multi30K's: the official repository leaves it to the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text
from towereval.languages import LANGUAGES
from towereval.metrics.contrastive import ContrastiveAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "Unbabel/commute_multimodal_mt"
TIED = "with equal candidates, which cannot be told apart and count as wrong"


@dataclass(frozen=True, slots=True)
class Commute:
    variant: ClassVar[str] = "official"
    name: ClassVar[str] = "commute"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("de", "fr", "ru", "zh", "cs", "ar")
    metrics: ClassVar[tuple[Metric, ...]] = (ContrastiveAccuracy(),)
    needs: ClassVar[frozenset[str]] = frozenset({"score"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            for index, row in source.rows(Dataset(REPO, split=language, media=("image",))):
                correct = text(row, "correct_translation")
                incorrect = text(row, "incorrect_translation")
                ask = (
                    "Translate the following source text from English to"
                    f" {LANGUAGES[language].english}:\n{text(row, 'source')}"
                )
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (source.image(row["image"]), Text(ask))),),
                    references=(correct,),
                    choices=(correct, incorrect),
                    # The pair, in whatever language: half of the sources are shared between
                    # languages.
                    cluster=row["source"],
                    meta={"remark": TIED} if correct == incorrect else {},
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        for candidate in sample.choices:
            yield Request(sample.id, sample.prompt, Decoding(max_tokens=1), continuation=candidate)


variants = (Commute(),)
