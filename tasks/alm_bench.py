"""ALM-Bench: multiple-choice questions about pictures of a country's culture, in 23 languages.

https://huggingface.co/datasets/sonalsannigrahi/alm-bench-lang-split, derived by the TowerVision
authors from
https://github.com/mbzuai-oryx/ALM-Bench (CC BY-NC-SA 4.0). Options stand inside the answer:
    Translated_Answer = "Dirndl (Optionen: Dirndl, Lederhosen, Sari, Kimono)"
`towervision` asks for a letter after "Final Answer:" (their last prompt, deep-spin/lmms-eval
a98cfe3d); `towervision-text` asks for the option's text and compares it exactly (their logged runs
of 2025); `official` is the benchmark's own protocol: four question types, judged out of ten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from towereval.data.columns import text
from towereval.errors import Unscorable
from towereval.metrics import alm_bench
from towereval.metrics.exact import ChoiceLetter, ExactMatch
from towereval.metrics.fidelity import LanguageFidelity
from towereval.metrics.judge import AlmBenchJudge
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "sonalsannigrahi/alm-bench-lang-split"
# Language -> (split of the data set, country that the prompt names).
SPLITS = {
    "de": ("German", "Germany"),
    "es": ("Spanish", "Spain"),
    "fr": ("French", "France"),
    "it": ("Italian", "Italy"),
    "ko": ("Korean", "South Korea"),
    "nl": ("Dutch", "Netherlands"),
    "ru": ("Russian", "Russia"),
    "en": ("English", "United States"),
    "pt": ("Portuguese", "Portugal"),
    "zh-Hans": ("chinese_simplified", "China"),
    "zh-Hant": ("chinese_traditional", "Taiwan"),
    "is": ("Icelandic", "Iceland"),
    "cs": ("Czech", "Czech Republic"),
    "uk": ("Ukrainian", "Ukraine"),
    "hi": ("Hindi", "India"),
    "ja": ("Japanese", "Japan"),
    "pl": ("Polish", "Poland"),
    "sv": ("Swedish", "Sweden"),
    "hu": ("Hungarian", "Hungary"),
    "ro": ("Romanian", "Romania"),
    "da": ("Danish", "Denmark"),
    "no": ("Norwegian", "Norway"),
    "fi": ("Finnish", "Finland"),
}
OFFICIAL = Dataset("MBZUAI/ALM-Bench", split="test", media=("file_name",))
OFFICIAL_NAMES = {"zh-Hans": "Chinese (Simplified)", "zh-Hant": "Chinese (Traditional)"}
ASK = (
    "For the given Multiple Choice Question Answer below, analyze the question and answer strictly"
    " from one of the options below."
)
ASK_LETTER = (
    f"{ASK} End your answer with 'Final Answer: <your answer>' where <your answer> is strictly the"
    " choice letter only."
)
ASK_TEXT = f"{ASK} Strictly answer the choice only. No additional text."


@dataclass(frozen=True, slots=True)
class AlmBench:
    variant: str
    metrics: tuple[Metric, ...]
    max_tokens: int

    name: ClassVar[str] = "alm_bench"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = tuple(SPLITS)
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            dataset = Dataset(REPO, split=SPLITS[language][0], media=("file_name",))
            for index, row in source.rows(dataset):
                if row["Question_Type"] == alm_bench.MULTIPLE_CHOICE:
                    image = source.image(row["file_name"])
                    prompt = (Message("user", (image, Text(self._question(language, row)))),)
                    # IDs repeat within a language: several questions about one picture share one.
                    yield Sample(
                        id=f"{index}",
                        language=language,
                        prompt=prompt,
                        references=self._references(row),
                        choices=alm_bench.split_options(text(row, "Translated_Answer"))[1],
                        cluster=row["Image_Url"] or image.sha256,
                        meta={"ID": row["ID"], "Category": row["Category"]},
                    )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=self.max_tokens))

    def _question(self, language: str, row: Mapping[str, Any]) -> str:
        question, answer = text(row, "Translated_Question"), text(row, "Translated_Answer")
        if self.variant == "towervision-text":
            return alm_bench.fork_prompt(
                question, answer, ASK_TEXT, keywords=alm_bench.LOGGED_KEYWORDS
            )
        _, choices = alm_bench.split_options(answer)
        country = SPLITS[language][1]
        lines = [f"{alm_bench.option_label(i)}) {choice}" for i, choice in enumerate(choices)]
        return (
            f"{ASK_LETTER} Provide brief, clear responses in {row['Language']} language."
            f" The image represents the {row['Category']} in {country} {question}\n"
            + "\n".join(lines)
        )

    def _references(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The gold letter or text; none where the row's options cannot be told apart."""
        answer = text(row, "Translated_Answer")
        if self.variant == "towervision-text":
            truth, _ = alm_bench.fork_split_answer_options(answer, alm_bench.LOGGED_KEYWORDS)
            return () if truth is None else (truth,)
        truth, choices = alm_bench.split_options(answer)
        try:
            return (alm_bench.gold_letter(choices, truth),)
        except Unscorable:
            return ()


@dataclass(frozen=True, slots=True)
class OfficialAlmBench:
    """All four question types of MBZUAI/ALM-Bench in our 23 of its 100 languages, judged."""

    variant: ClassVar[str] = "official"
    name: ClassVar[str] = "alm_bench"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = tuple(SPLITS)
    metrics: ClassVar[tuple[Metric, ...]] = (AlmBenchJudge(), LanguageFidelity())
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        names = {OFFICIAL_NAMES.get(code, SPLITS[code][0]): code for code in languages}
        for index, row in source.rows(OFFICIAL):
            language = names.get(text(row, "Language"))
            if language is None:
                continue
            kind, question = text(row, "Question_Type"), text(row, "Translated_Question")
            try:
                ask = alm_bench.official_prompt(
                    kind, question, text(row, "Translated_Answer"), row["Language"]
                )
            except Unscorable:  # no options in parentheses: the official code skips the row too
                continue
            image = source.image(row["file_name"])
            yield Sample(
                id=f"{index}",
                language=language,
                prompt=(Message("user", (image, Text(ask))),),
                references=(text(row, "Translated_Answer"),),
                group=kind,
                cluster=row["Image_Url"] or image.sha256,
                meta={"ID": row["ID"], "Question_Type": kind, "Question": question},
            )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=2048))


variants = (
    AlmBench("towervision", (ChoiceLetter(),), max_tokens=1024),
    AlmBench("towervision-text", (ExactMatch(),), max_tokens=128),
    OfficialAlmBench(),
)
