"""ViMUL-Bench: questions about clips in 14 languages, with options or open.

https://huggingface.co/datasets/MBZUAI/ViMUL-Bench (CC BY-SA 4.0). Column names are those of the
benchmark's lmms-eval tasks as far as they are known; where they differ the run stops and names the
missing one.
    vimulmcq_<language>: {"mint_video_id": "videos/x.mp4", "question": "...",
                          "option": ["A. ...", "B. ..."], "answer": "B"}
    vimuloe_<language>:  {"mint_video_id": "videos/x.mp4", "question": "...", "answer": "..."}
The benchmark publishes no scorer and no prompt for open questions: `towereval` is our choice, named
so. Options are asked with the benchmark's own ending, and the letter is read as lmms-eval reads
Video-MME's; the ending of open questions, their 128 tokens and the judge's question are ours. The
paper's "accuracy" is the average of both kinds, unpublished how: we publish `accuracy` (group
"mcq") and `judge` (group "open"), each on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.data.columns import text, texts
from towereval.languages import LANGUAGES
from towereval.metrics.exact import OptionLetter
from towereval.metrics.fidelity import LanguageFidelity
from towereval.metrics.judge import VideoJudge
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "MBZUAI/ViMUL-Bench"
ENDING = "Answer with the option's letter from the given choices directly."
OPEN_ENDING = "Answer briefly, in the language of the question."


@dataclass(frozen=True, slots=True)
class VimulBench:
    variant: ClassVar[str] = "towereval"
    name: ClassVar[str] = "vimul_bench"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = (
        *("ar", "bn", "zh", "en", "fr", "de", "hi", "ja", "ru", "si", "es", "sv", "ta", "ur"),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (OptionLetter(), VideoJudge(), LanguageFidelity())
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            yield from self._choices(source, language)
            yield from self._open(source, language)

    def requests(self, sample: Sample) -> Iterator[Request]:
        max_tokens = 16 if sample.choices else 128
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=max_tokens))

    def _choices(self, source: Source, language: str) -> Iterator[Sample]:
        for index, row in source.rows(_dataset("vimulmcq", language)):
            video = source.video(row["mint_video_id"])
            choices = texts(row, "option")
            question = "\n".join([text(row, "question"), *choices, ENDING])
            yield Sample(
                id=f"mcq-{index}",
                language=language,
                prompt=(Message("user", (video, Text(question))),),
                references=(text(row, "answer"),),
                choices=choices,
                group="mcq",
                cluster=video.sha256,
            )

    def _open(self, source: Source, language: str) -> Iterator[Sample]:
        for index, row in source.rows(_dataset("vimuloe", language)):
            video = source.video(row["mint_video_id"])
            question = text(row, "question")
            yield Sample(
                id=f"open-{index}",
                language=language,
                prompt=(Message("user", (video, Text(f"{question}\n{OPEN_ENDING}"))),),
                references=(text(row, "answer"),),
                group="open",
                cluster=video.sha256,
                meta={"Question": question},
            )


def _dataset(kind: str, language: str) -> Dataset:
    config = f"{kind}_{LANGUAGES[language].english.lower()}"
    return Dataset(REPO, config=config, split="test", media=("mint_video_id",))


variants = (VimulBench(),)
