"""Multi30K: translate an English caption of a photograph into Czech, German or French.

https://huggingface.co/datasets/romrawinjp/multi30k, split test: the 1,000 of test_2016_flickr, from
https://github.com/multi30k/dataset (Flickr30K's pictures: research and education only).
    {"en": "A man in an orange hat starring at something.", "cs": "Muž v oranžovém klobouku na něco
    zírá.", ...}
The whole answer is taken as the translation: a model that chats around it loses, as in the paper.
XCOMET-XL is the paper's metric and needs `towereval setup comet`; BLEU and chrF are sacrebleu's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text
from towereval.languages import LANGUAGES
from towereval.metrics.comet import XCOMET_XL
from towereval.metrics.fidelity import LanguageFidelity
from towereval.metrics.translation import Bleu, Chrf
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

DATASET = Dataset("romrawinjp/multi30k", split="test", media=("image",))


@dataclass(frozen=True, slots=True)
class Multi30K:
    variant: ClassVar[str] = "towervision"
    name: ClassVar[str] = "multi30k"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("cs", "de", "fr")
    metrics: ClassVar[tuple[Metric, ...]] = (XCOMET_XL, Bleu(), Chrf(), LanguageFidelity())
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for index, row in source.rows(DATASET):
            image = source.image(row["image"])
            for language in languages:
                ask = (
                    "Translate the following source text from English to"
                    f" {LANGUAGES[language].english}:\n{text(row, 'en')}"
                )
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (image, Text(ask))),),
                    references=(text(row, language),),
                    # The same caption in all languages: they are not independent.
                    cluster=f"{index}",
                    meta={"source": text(row, "en")},
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=128))


variants = (Multi30K(),)
