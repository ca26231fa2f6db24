"""M3Exam: school exams' questions with one picture, in seven languages; which option is right?

https://huggingface.co/datasets/neulab/PangeaBench-m3exam, one split a language, from
https://github.com/DAMO-NLP-SG/M3Exam (Apache-2.0 code; the exams are their authors').
    {"language": "thai", "question_text": "... (image)[image-3.png] ...", "options": ["1. ...",
     ...], "answer_text": "2", "background_description": ["..."], "subject_category": "math",
     "image_0": "<base64>", "image_1": "None", ...}
Options bear letters, numbers or nothing; where all bear them in order they are taken off, and the
answer names one of them. Left out: questions with several pictures or none, and options that are a
picture. `centurio` is that paper's prompt (arXiv 2501.05122, figure 2) and rule, 512 tokens are
what its baselines were given; pictures come first here, and where it puts the background of a
question is not verified: before it. `cyclic` asks under every rotation of the options and wants all
answers right, as that paper's code does; how it rotated is not public.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from towereval.data.columns import text, texts
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.choices import LETTERS, OptionAccuracy, lettered, rotated
from towereval.types import Dataset, Decoding, Message, Metric, Request, Sample, Source, Text

REPO = "neulab/PangeaBench-m3exam"
PICTURES = tuple(f"image_{number}" for number in range(10))
MARK = re.compile(r"\(image\)\[[^\]]*\]")
# "3.5 kg" is no option number 3.
LABEL = re.compile(r"\s*[(（]?([A-Ja-j]|\d{1,2}(?![.．]\d))[)）.、．]+\s*")
ENDING = "Answer with the option’s letter from the given choices directly."


@dataclass(frozen=True, slots=True)
class M3Exam:
    variant: Literal["centurio", "cyclic"]

    name: ClassVar[str] = "m3exam"
    version: ClassVar[int] = 1
    languages: ClassVar[tuple[str, ...]] = ("af", "zh", "en", "it", "pt", "th", "vi")
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def metrics(self) -> tuple[Metric, ...]:
        if self.variant == "cyclic":
            return (OptionAccuracy("centurio", circular=True), OptionAccuracy("centurio"))
        return (LabelAccuracy(relaxed=True), LabelAccuracy())

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        for language in languages:
            split = LANGUAGES[language].english.lower()
            for index, row in source.rows(Dataset(REPO, split=split)):
                pictures = [row[name] for name in PICTURES if row[name] not in (None, "", "None")]
                options = texts(row, "options")
                if len(pictures) != 1 or any(MARK.search(option) for option in options):
                    continue
                image = source.image(_decoded(pictures[0]))
                choices, gold = _options(options, text(row, "answer_text"))
                yield Sample(
                    id=f"{index}",
                    language=language,
                    prompt=(Message("user", (image, _ask(_question(row), choices))),),
                    references=(gold,),
                    choices=choices,
                    group=text(row, "subject_category"),
                    cluster=image.sha256,
                    meta={"question": _question(row)},
                )

    def requests(self, sample: Sample) -> Iterator[Request]:
        image = sample.prompt[0].parts[0]
        turns = len(sample.choices) if self.variant == "cyclic" else 1
        for turn in range(turns):
            ask = _ask(sample.meta["question"], rotated(sample.choices, turn))
            yield Request(sample.id, (Message("user", (image, ask)),), Decoding(max_tokens=512))


def _ask(question: str, choices: Sequence[str]) -> Text:
    return Text(f"{question}\nOptions:\n{lettered(choices)}\n{ENDING}")


def _question(row: Mapping[str, Any]) -> str:
    background = row["background_description"] or []
    lines = [background] if isinstance(background, str) else list(background)
    return MARK.sub("", "\n".join([*lines, text(row, "question_text")])).strip()


def _options(options: Sequence[str], answer: str) -> tuple[tuple[str, ...], str]:
    """The options without their letters or numbers, and the letter of the right one."""
    found = [LABEL.match(option) for option in options]
    named = [_plain(one[1]) if one else "" for one in found]
    count, wanted = len(options), _plain(answer.strip().strip("()（）."))
    numbers = [str(number + 1) for number in range(count)]
    if named in ([*LETTERS[:count]], numbers):
        options = [option[one.end() :] for option, one in zip(options, found, strict=True) if one]
    # Labels out of order still name their options, but not where an option begins like one.
    labels = named if all(named) and len(set(named)) == count else []
    for names in (labels, [*LETTERS[:count]], numbers):
        if wanted in names[: len(LETTERS)] and wanted:
            return tuple(option.strip() for option in options), LETTERS[names.index(wanted)]
    raise DataError(f"column answer_text: {answer[:40]!r} names none of {count} options")


def _plain(label: str) -> str:
    """Thai exams count in Thai digits, too."""
    return str(int(label)) if label.isdecimal() else label.upper()


def _decoded(picture: object) -> object:
    """The data set holds pictures as base64 text."""
    if not isinstance(picture, str):
        return picture
    try:
        return base64.b64decode(picture, validate=True)
    except ValueError as error:
        raise DataError(f"a picture that is no base64: {picture[:40]!r}...") from error


variants = (M3Exam("centurio"), M3Exam("cyclic"))
