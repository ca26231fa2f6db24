"""MMBench: questions with two to four options, right only under every rotation of them.

https://huggingface.co/datasets/lmms-lab/MMBench, configuration en, split dev, from
https://github.com/open-compass/MMBench (Apache-2.0).
    {"index": 241, "image": ..., "hint": null, "question": "...", "A": "...", "B": "...", "C": null,
     "D": null, "answer": "A", "category": "identity_reasoning", ...}
Rows from index 1,000,000 on are the same questions with their options rotated; they are left out,
for here a sample is a question with all its rotations, which the task makes itself: so
translations need the plain rows only. `circular_accuracy` is CircularEval, `accuracy` is of the
options as they stand. Prompt and extraction are lmms-eval's (75571cfe), without the judge that it
asks for answers from which no letter can be read: those are wrong. `lrm` is in LRM-LLaVA's ten
languages: the translations are not public, `towereval data translate-benchmark` makes such, one
split a language; the words around question and options stay English.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from towereval.data.columns import text, whole
from towereval.errors import DataError
from towereval.languages import GROUPS
from towereval.metrics.choices import LETTERS, OptionAccuracy, lettered, rotated
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "lmms-lab/MMBench"
ROTATED = 1_000_000
ENDING = "\n\nAnswer with the option's letter from the given choices directly."


@dataclass(frozen=True, slots=True)
class MmBench:
    variant: Literal["official", "lrm"]

    name: ClassVar[str] = "mmbench"
    version: ClassVar[int] = 1
    metrics: ClassVar[tuple[Metric, ...]] = (
        OptionAccuracy("mmbench", circular=True),
        OptionAccuracy("mmbench"),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def languages(self) -> tuple[str, ...]:
        return GROUPS["lrm10"] if self.variant == "lrm" else ("en",)

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            for _, row in source.rows(self._dataset(language)):
                if whole(row, "index") >= ROTATED:
                    continue
                image, choices = source.image(row["image"]), _options(row)
                gold = text(row, "answer").strip()
                if gold not in [*LETTERS[: len(choices)]]:
                    raise DataError(f"column answer: {gold[:40]!r} is none of {len(choices)}")
                hint = "" if _absent(row["hint"]) else f"{text(row, 'hint')} "
                question = hint + text(row, "question")
                yield Sample(
                    id=f"{whole(row, 'index')}",
                    language=language,
                    prompt=(Message("user", (image, _ask(question, choices))),),
                    references=(gold,),
                    choices=choices,
                    group=text(row, "category"),
                    cluster=image.sha256,
                    meta={"question": question},
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        image = sample.prompt[0].parts[0]
        for turn in range(len(sample.choices)):
            ask = _ask(sample.meta["question"], rotated(sample.choices, turn))
            yield Request(sample.id, (Message("user", (image, ask)),), Decoding(max_tokens=1024))

    def _dataset(self, language: str) -> Dataset:
        if self.variant == "lrm":
            return Dataset(REPO, split=language, media=("image",))
        return Dataset(REPO, config="en", split="dev", media=("image",))


def _ask(question: str, choices: Sequence[str]) -> Text:
    return Text(f"{question} There are several options:\n{lettered(choices)}{ENDING}")


def _options(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Those up to the first that is absent."""
    options: list[str] = []
    for letter in "ABCD":
        if _absent(row[letter]):
            break
        options.append(text(row, letter))
    return tuple(options)


def _absent(value: object) -> bool:
    """A missing text is null, or what a table without nulls makes of one."""
    return value is None or value in ("", "nan") or value != value


variants = (MmBench("official"), MmBench("lrm"))
