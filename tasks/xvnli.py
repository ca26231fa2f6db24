"""XVNLI: does a statement in one of five languages follow from a photograph? Yes, no, or maybe.

https://huggingface.co/datasets/floschne/xvnli, from the IGLUE benchmark
(https://github.com/e-bug/iglue; Flickr30K's pictures: research and education only).
    {"flikr30k_id": "...", "image": ..., "hypothesis": "...", "caption": "...",
     "label": "entailment"}
`centurio` is that paper's prompt as its code writes it (8f6ed69e, configs/dataspec/xvnli.yaml) and
rule; 512 tokens are what its baselines were given. The column names are those of Pangea's harness;
that each language is a split of its own is not verified beyond English.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text
from towereval.errors import DataError
from towereval.metrics.centurio import LabelAccuracy
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "floschne/xvnli"
ANSWERS = {"entailment": "yes", "contradiction": "no", "neutral": "maybe"}


@dataclass(frozen=True, slots=True)
class Xvnli:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "xvnli"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("ar", "en", "es", "fr", "ru")
    metrics: ClassVar[tuple[Metric, ...]] = (LabelAccuracy(), LabelAccuracy(relaxed=True))
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            for index, row in source.rows(Dataset(REPO, split=language, media=("image",))):
                label = text(row, "label").strip().lower()
                if label not in ANSWERS:
                    raise DataError(f"column label: wanted {', '.join(ANSWERS)}, found {label!r}")
                ask = (
                    f'Is it guaranteed true that "{text(row, "hypothesis")}"?'
                    " Yes, no, or maybe? Answer in English:"
                )
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (source.image(row["image"]), Text(ask))),),
                    references=(ANSWERS[label],),
                    group=label,
                    cluster=str(row["flikr30k_id"]),
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


variants = (Xvnli(),)
