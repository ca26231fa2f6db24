"""XM3600 (Crossmodal-3600): caption photographs of all the world in 36 languages.

https://huggingface.co/datasets/floschne/xm3600, one split a language, from
https://google.github.io/crossmodal-3600 (captions CC BY 4.0, pictures CC BY 2.0). The captions were
written in each language, not translated.
    {"image_id": "000411001ff7dd4f", "image_locale": "ar", "captions": ["...", "..."], "image": ...}
There is no official scorer. `centurio` is that paper's prompt and metrics; it also set a repetition
penalty of 1.1, which this harness asks of no model: published numbers may differ by it.
`with-and-without-image` asks one prompt twice, the second time without the picture: what that costs
or gains in language fidelity (https://arxiv.org/abs/2503.22577).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from towereval.data.columns import text, texts
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.metrics.coco import CaptionChrf, Cider, RougeL
from towereval.metrics.fidelity import ImageFidelityLoss, LanguageFidelity
from towereval.metrics.fidelity_judge import LanguageFidelityJudged
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "floschne/xm3600"
CODES = (
    "ar bn cs da de el en es fa fi fil fr he hi hr hu id it ja ko mi nl no pl pt quz ro ru sv sw te"
    " th tr uk vi zh"
)


@dataclass(frozen=True, slots=True)
class Xm3600:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "xm3600"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = tuple(CODES.split())
    metrics: ClassVar[tuple[Metric, ...]] = (
        Cider(),
        RougeL(),
        CaptionChrf(),
        LanguageFidelity(),
        LanguageFidelityJudged(),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            ask = Text(_ask(language))
            for _, row in source.rows(Dataset(REPO, split=language, media=("image",))):
                yield Sample(
                    id=text(row, "image_id"),
                    language=language,
                    prompt=(Message("user", (source.image(row["image"]), ask)),),
                    references=tuple(filter(None, map(str.strip, texts(row, "captions")))),
                    # The same picture in all languages.
                    cluster=text(row, "image_id"),
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=128))


def _ask(language: str) -> str:
    return f"Briefly describe the image in {LANGUAGES[language].english} in one sentence."


@dataclass(frozen=True, slots=True)
class WithAndWithoutImage:
    """The prompt has an English caption: without one all pictures' prompts were the same."""

    variant: ClassVar[str] = "with-and-without-image"
    name: ClassVar[str] = "xm3600"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = Xm3600.languages
    metrics: ClassVar[tuple[Metric, ...]] = (
        LanguageFidelity(),
        LanguageFidelity("language_fidelity_without_image", answer=1),
        ImageFidelityLoss(),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        rows = source.rows(Dataset(REPO, split="en", media=("image",)))
        english = {text(row, "image_id"): texts(row, "captions") for _, row in rows}
        for sample in Xm3600().samples(source, languages):
            captions = [caption for caption in english.get(sample.id, ()) if caption.strip()]
            if not captions:
                raise DataError(f"image_id {sample.id!r} has no caption in split en")
            ask = Text(f"An image shows this: {captions[0].strip()}\n{_ask(sample.language)}")
            yield replace(sample, prompt=(Message("user", (sample.prompt[0].parts[0], ask)),))

    def requests(self, sample: Sample) -> Iterator[Request]:
        _, ask = sample.prompt[0].parts
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=128))
        yield Request(sample.id, (Message("user", (ask,)),), Decoding(max_tokens=128))


variants = (Xm3600(), WithAndWithoutImage())
