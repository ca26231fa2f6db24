"""CVQA: questions about pictures of 30 countries' culture, in 31 languages; which option is right?

https://huggingface.co/datasets/afaji/cvqa, split test (licences by picture, column License), from
https://arxiv.org/abs/2406.05967: 39 pairs of a language and a country, written by native speakers.
    {"image": ..., "ID": "5919991144272485961_0", "Subset": "('Indonesian', 'Indonesia')",
     "Question": "...", "Options": ["...", ...], "Label": 2, "Category": "...", ...}
`centurio` is that paper's prompt (arXiv 2501.05122, figure 2), in the local language, and its rule;
512 tokens are what its baselines were given. The labels of the test split were kept for the
benchmark's leaderboard: a row without one (null or -1) is asked and unscored, and its answer is in
the run to be submitted. Whether today's copy has them is not verified, nor are the languages' names
as the data set writes them: one that is not known stops the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from towereval.data.columns import text, texts
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.choices import LETTERS, lettered
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

DATASET = Dataset("afaji/cvqa", split="test", media=("image",))
SPOKEN = (
    *("am", "arz", "bg", "bn", "br", "es", "fil", "ga", "hi", "id", "ig", "ja", "jv", "ko", "min"),
    *("mn", "mr", "ms", "no", "om", "pt", "ro", "ru", "rw", "si", "su", "sw", "ta", "te", "ur"),
    "zh",
)
NAMES = {LANGUAGES[code].english: code for code in SPOKEN}
SUBSET = re.compile(r"""\(\s*['"](.+?)['"]\s*,\s*['"](.+?)['"]\s*\)""")
ENDING = "Answer with the option’s letter from the given choices directly."
UNLABELLED = "the label is not public: submit the answers to CVQA's leaderboard"


@dataclass(frozen=True, slots=True)
class Cvqa:
    variant: ClassVar[str] = "centurio"
    name: ClassVar[str] = "cvqa"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = SPOKEN
    metrics: ClassVar[tuple[Metric, ...]] = (LabelAccuracy(relaxed=True), LabelAccuracy())
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for _, row in source.rows(DATASET):
            language, country = _subset(text(row, "Subset"))
            if language not in languages:
                continue
            image, options = source.image(row["image"]), texts(row, "Options")
            asked = f"{text(row, 'Question')}\nThere are several options:\n{lettered(options)}"
            gold = _gold(row, len(options))
            yield Sample(
                id=str(row["ID"]),
                language=language,
                prompt=(Message("user", (image, Text(f"{asked}\n{ENDING}"))),),
                references=gold,
                choices=options,
                group=country,
                cluster=image.sha256,
                meta={} if gold else {"unlabelled": UNLABELLED},
            )

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield Request(sample.id, sample.prompt, Decoding(max_tokens=512))


def _subset(written: str) -> tuple[str, str]:
    """The language's code and the country's name."""
    found = SUBSET.fullmatch(written.strip())
    spoken, country = (part.replace("_", " ") for part in found.groups()) if found else ("", "")
    if spoken not in NAMES:
        raise DataError(f"column Subset: no language of CVQA is in {written[:60]!r}")
    return NAMES[spoken], country


def _gold(row: Mapping[str, Any], count: int) -> tuple[str, ...]:
    label = row["Label"]
    if label is None or label == -1:
        return ()
    if not isinstance(label, int) or not 0 <= label < count:
        raise DataError(f"column Label: wanted 0 to {count - 1}, found {label!r:.40}")
    return (LETTERS[label],)


variants = (Cvqa(),)
