"""ViMUL-Bench: multiple-choice questions about clips, in 14 languages; accuracy of the chosen
letter.

https://huggingface.co/datasets/MBZUAI/ViMUL-Bench (CC BY-SA 4.0), configurations
vimulmcq_<language>. The benchmark publishes no scorer: `towereval` is our choice, named so. The
letter is read as lmms-eval reads Video-MME's. Column names are those of the benchmark's lmms-eval
tasks as far as they are known; where they differ the run stops and names the missing one.
Open-ended questions (vimuloe_<language>) need a judge and are not part of this version.
    {"mint_video_id": "videos/x.mp4", "question": "...", "option": ["A. ...", "B. ..."], "answer":
    "B"}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.languages import LANGUAGES
from towereval.metrics.exact import OptionLetter
from towereval.types import (
    Dataset,
    Decoding,
    Message,
    Metric,
    Request,
    Sample,
    Source,
    Text,
)

REPO = "MBZUAI/ViMUL-Bench"
ENDING = "Answer with the option's letter from the given choices directly."


@dataclass(frozen=True, slots=True)
class VimulBench:
    variant: ClassVar[str] = "towereval"
    name: ClassVar[str] = "vimul_bench"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = (
        *("ar", "bn", "zh", "en", "fr", "de", "hi", "ja", "ru", "si", "es", "sv", "ta", "ur"),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (OptionLetter(),)
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            config = f"vimulmcq_{LANGUAGES[language].english.lower()}"
            dataset = Dataset(REPO, config=config, split="test", media=("mint_video_id",))
            for index, row in source.rows(dataset):
                video = source.video(row["mint_video_id"])
                question = "\n".join([row["question"], *row["option"], ENDING])
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (video, Text(question))),),
                    references=(row["answer"],),
                    choices=tuple(row["option"]),
                    cluster=video.sha256,
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=16))


variants = (VimulBench(),)
