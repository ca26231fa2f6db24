"""Sample data of the tasks that ask the same few words in many languages (sample_words.toml).

Each function gives a data set's files of rows in its columns; `picture` writes a picture of
sample_scenes.toml beside them and gives its path.
"""

from __future__ import annotations

import base64
import functools
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.languages import LANGUAGES

Row = dict[str, Any]
Table = tuple[str, list[Row]]
Write = Callable[[str], str]
# A picture's file, encoded: for the data sets that hold pictures inside their rows.
Encode = Callable[[str], tuple[str, bytes]]
LETTERS = "ABCD"


@dataclass(frozen=True)
class Spoken:
    question: str
    statement: str
    words: list[str]


@functools.cache
def loaded() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "sample_words.toml").read_text("utf-8"))


def spoken(language: str) -> Spoken:
    question, statement, *words = loaded()["words"][language]
    return Spoken(question, statement, words)


def pictures() -> list[str]:
    return list(loaded()["pictures"])


def english(number: int) -> str:
    """The thing without its article: "house"."""
    return spoken("en").words[number].partition(" ")[2]


def options(language: str, number: int, count: int = 4) -> tuple[list[str], int]:
    """So many words, the right one among them, and its place, which differs by picture."""
    words, place = spoken(language).words, number % count
    others = [words[(number + step) % len(words)] for step in range(1, count)]
    return [*others[:place], words[number], *others[place:]], place


def some(index: int, count: int = 4) -> list[int]:
    """Numbers of pictures: other ones for the next language."""
    return sorted((index * count + step) % len(pictures()) for step in range(count))


def mtvqa(picture: Write, encode: Encode) -> Iterator[Table]:
    rows = []
    for index, code in enumerate(["ar", "de", "fr", "it", "ja", "ko", "ru", "th", "vi"]):
        for number in some(index):
            pair = {"question": spoken(code).question, "answer": spoken(code).words[number]}
            rows.append(
                {
                    "image": picture(pictures()[number]),
                    "id": f"{code}_{number}",
                    "qa_pairs": str([pair]),
                    "lang": {"ko": "KR"}.get(code, code.upper()),
                }
            )
    yield "test.jsonl", rows


def maxm(picture: Write, encode: Encode) -> Iterator[Table]:
    for index, code in enumerate(["en", "fr", "hi", "he", "ro", "th", "zh"]):
        rows = [
            {
                "image_id": pictures()[number],
                "image": picture(pictures()[number]),
                "question": spoken(code).question,
                "answers": [spoken(code).words[number]],
                "processed_answers": [spoken(code).words[number].lower()],
            }
            for number in some(index)
        ]
        yield f"{'iw' if code == 'he' else code}.jsonl", rows


def xgqa(picture: Write, encode: Encode) -> Iterator[Table]:
    for index, code in enumerate(["bn", "de", "en", "id", "ko", "pt", "ru", "zh"]):
        rows = [
            {
                "image_id": pictures()[number],
                "image": picture(pictures()[number]),
                "question": spoken(code).question,
                "answer": english(number),
            }
            for number in some(index)
        ]
        yield f"{code}.jsonl", rows


def m3exam(picture: Write, encode: Encode) -> Iterator[Table]:
    """Options are lettered, numbered or bare, as in the real exams."""
    named = {"af": "afrikaans", "zh": "chinese", "en": "english", "it": "italian"}
    named |= {"pt": "portuguese", "th": "thai", "vi": "vietnamese"}
    for index, (code, split) in enumerate(named.items()):
        rows = []
        for number in some(index):
            words, place = options(code, number)
            if number % 3 == 0:
                words = [f"{letter}. {word}" for letter, word in zip(LETTERS, words, strict=True)]
            elif number % 3 == 1:
                words = [f"({count}) {word}" for count, word in enumerate(words, start=1)]
            images = dict.fromkeys((f"image_{count}" for count in range(10)), "None")
            content = encode(pictures()[number])[1]
            rows.append(
                {
                    "language": split,
                    "subject_category": ["language", "natural-science"][number % 2],
                    "question_text": f"(image)[image-{number}.png] {spoken(code).question}",
                    "background_description": [],
                    "options": words,
                    "answer_text": str(place + 1) if number % 3 == 1 else LETTERS[place],
                    **images,
                    "image_0": base64.b64encode(content).decode("ascii"),
                }
            )
        yield f"{split}.jsonl", rows


def xmmmu(picture: Write, encode: Encode) -> Iterator[Table]:
    for code in ["ar", "en", "fr", "hi", "id", "ja", "pt"]:
        rows = []
        for number in range(len(pictures())):
            words, place = options(code, number)
            images = dict.fromkeys(f"image_{count}" for count in range(1, 8))
            shown = picture(pictures()[number])
            rows.append(
                {
                    "id": f"validation_{['Art', 'Manage'][number % 2]}_{number}",
                    "question": f"<image 1> {spoken(code).question}",
                    "question_type": "multiple-choice",
                    "options": str(words),
                    "answer": LETTERS[place],
                    **images,
                    "image_1": shown,
                }
            )
        yield f"{code}.jsonl", rows


def marvl(picture: Write, encode: Encode) -> Iterator[Table]:
    for index, code in enumerate(["id", "sw", "ta", "tr", "zh", "en"]):
        rows = []
        for number in some(index):
            left, right = number, (number + 1) % len(pictures())
            said = left if number % 2 else (number + 3) % len(pictures())
            rows.append(
                {
                    "id": f"{code}-{number}",
                    "hypothesis": spoken(code).statement.format(spoken(code).words[said]),
                    "label": said == left,
                    "left_img": picture(pictures()[left]),
                    "right_img": picture(pictures()[right]),
                }
            )
        yield f"{code}.jsonl", rows


def xvnli(picture: Write, encode: Encode) -> Iterator[Table]:
    labels = ("entailment", "contradiction", "neutral")
    for index, code in enumerate(["ar", "en", "es", "fr", "ru"]):
        rows = []
        for number in some(index, 6):
            label = labels[number % 3]
            said = number if label == "entailment" else (number + 3) % len(pictures())
            rows.append(
                {
                    "flikr30k_id": pictures()[number],
                    "image": picture(pictures()[number]),
                    "hypothesis": spoken(code).statement.format(spoken(code).words[said]),
                    "label": label,
                }
            )
        yield f"{code}.jsonl", rows


def cvqa(picture: Write, encode: Encode) -> Iterator[Table]:
    countries = {
        "am": "Ethiopia",
        "arz": "Egypt",
        "bg": "Bulgaria",
        "bn": "India",
        "br": "France",
        "es": "Mexico",
        "fil": "Philippines",
        "ga": "Ireland",
        "hi": "India",
        "id": "Indonesia",
        "ig": "Nigeria",
        "ja": "Japan",
        "jv": "Indonesia",
        "ko": "South_Korea",
        "min": "Indonesia",
        "mn": "Mongolia",
        "mr": "India",
        "ms": "Malaysia",
        "no": "Norway",
        "om": "Ethiopia",
        "pt": "Brazil",
        "ro": "Romania",
        "ru": "Russia",
        "rw": "Rwanda",
        "si": "Sri_Lanka",
        "su": "Indonesia",
        "sw": "Kenya",
        "ta": "India",
        "te": "India",
        "ur": "Pakistan",
        "zh": "China",
    }
    rows = []
    for index, (code, country) in enumerate(countries.items()):
        for number in some(index, 2):
            words, place = options(code, number)
            name = LANGUAGES[code].english.replace(" ", "_")
            rows.append(
                {
                    "image": picture(pictures()[number]),
                    "ID": f"{code}_{number}",
                    "Subset": f"('{name}', '{country}')",
                    "Question": spoken(code).question,
                    "Options": words,
                    "Label": place,
                }
            )
    yield "test.jsonl", rows


M5 = ["am", "ber", "bn", "de", "en", "fil", "ha", "hi", "ru", "sw", "th", "zu"]


def m5_vgr(picture: Write, encode: Encode) -> Iterator[Table]:
    for index, code in enumerate(M5):
        rows = []
        for number in some(index, 3):
            left, right = number, (number + 1) % len(pictures())
            said = right if number % 2 else (number + 3) % len(pictures())
            rows.append(
                {
                    "hypothesis": spoken(code).statement.format(spoken(code).words[said]),
                    "label": said == right,
                    "left_img": picture(pictures()[left]),
                    "right_img": picture(pictures()[right]),
                }
            )
        yield f"{code}.jsonl", rows


def m5_vlod(picture: Write, encode: Encode) -> Iterator[Table]:
    """The same thing four times and another one."""
    for index, code in enumerate(M5):
        rows = []
        for number in some(index, 3):
            place, other = number % 5, (number + 2) % len(pictures())
            names = [pictures()[number]] * 5
            names[place] = pictures()[other]
            rows.append(
                {
                    "hypothesis": spoken(code).statement.format(spoken(code).words[number]),
                    "label": place,
                    "images": [picture(name) for name in names],
                }
            )
        yield f"{code}.jsonl", rows


def babel_imagenet_mc(picture: Write, encode: Encode) -> Iterator[Table]:
    codes = ["en", "mi", "no", "te", "am", "ha", "zu", "af", "el", "ro", "ta", "hr", "cs", "nl"]
    for index, code in enumerate([*codes, "fi", "hu", "fa", "pl", "es", "ja"]):
        rows = []
        for number in some(index, 3):
            words, place = options(code, number)
            rows.append({"image": picture(pictures()[number]), "choices": words, "answer": place})
        yield f"{code}.jsonl", rows


QUESTIONS: dict[str, Callable[[Write, Encode], Iterator[Table]]] = {
    "mtvqa": mtvqa,
    "maxm": maxm,
    "xgqa": xgqa,
    "m3exam": m3exam,
    "xmmmu": xmmmu,
    "marvl": marvl,
    "xvnli": xvnli,
    "cvqa": cvqa,
    "m5_vgr": m5_vgr,
    "m5_vlod": m5_vlod,
    "babel_imagenet_mc": babel_imagenet_mc,
}
