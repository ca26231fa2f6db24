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


LRM = ["en", "cs", "de", "fr", "hr", "it", "ro", "ru", "es", "zh"]


def is_there(language: str, number: int) -> str:
    return str(loaded()["is_there"][language][0]).format(spoken(language).words[number])


def some_of(language: str) -> list[int]:
    """English has all pictures, every other language three."""
    return list(range(len(pictures()))) if language == "en" else some(LRM.index(language), 3)


def mme(picture: Write, encode: Encode) -> Iterator[Table]:
    """The first question of a picture is not always the one of yes."""
    subtasks = ("existence", "scene", "OCR", "commonsense_reasoning")
    for code in LRM:
        rows = []
        for turn in range(4) if code == "en" else range(1):
            for number in some_of(code):
                asked = [(number, "Yes"), ((number + 1) % len(pictures()), "No")]
                subtask = subtasks[(number + turn) % 4]
                rows += [
                    {
                        "question_id": f"{subtask}/{turn}-{pictures()[number]}.png",
                        "image": picture(pictures()[number]),
                        "question": " ".join(
                            [is_there(code, said), *["..."] * turn, loaded()["is_there"][code][1]]
                        ),
                        "answer": answer,
                        "category": subtask,
                    }
                    for said, answer in asked[:: 1 if number % 2 else -1]
                ]
        yield f"{code}.jsonl", rows
        if code == "en":
            yield "test.jsonl", rows


def pope(picture: Write, encode: Encode) -> Iterator[Table]:
    categories = ("adversarial", "popular", "random")
    for code in LRM:
        rows = []
        for turn, category in enumerate(categories):
            for number in some_of(code):
                yes = (number + turn) % 2 == 0
                said = number if yes and turn < 2 else (number + 1 + turn) % len(pictures())
                rows.append(
                    {
                        "question_id": f"{number + 1}",
                        "image": picture(pictures()[number]),
                        "question": is_there(code, said),
                        "answer": "yes" if said == number else "no",
                        "category": category,
                    }
                )
        yield f"{code}.jsonl", rows
        if code == "en":
            yield "test.jsonl", rows


def seedbench(picture: Write, encode: Encode) -> Iterator[Table]:
    for code in LRM:
        rows = []
        for turn in range(3 if code == "en" else 1):
            for number in some_of(code):
                words, place = options(code, number)
                rows.append(
                    {
                        "question_id": f"{turn}{number}",
                        "image": [picture(pictures()[number])],
                        "question": " ".join([spoken(code).question, *["..."] * turn]),
                        **dict(zip(CHOICES, words, strict=True)),
                        "answer": LETTERS[place],
                        "data_type": "image",
                        "question_type_id": 1 + number % 9,
                    }
                )
        yield f"{code}.jsonl", rows
        if code == "en":
            yield "test.jsonl", rows


CHOICES = ("choice_a", "choice_b", "choice_c", "choice_d")


def mmbench(picture: Write, encode: Encode) -> Iterator[Table]:
    """Two, three or four options; English is asked three times, once with a hint."""
    for code in LRM:
        rows = []
        for turn in range(3 if code == "en" else 1):
            for number in some_of(code):
                count = 2 + (number + turn) % 3
                words, place = options(code, number, count)
                rows.append(
                    {
                        "index": 100 * turn + number,
                        "image": picture(pictures()[number]),
                        "hint": "Look closely." if turn == 1 else None,
                        "question": " ".join([spoken(code).question, *["..."] * turn]),
                        **dict(zip(LETTERS, [*words, None, None][:4], strict=True)),
                        "answer": LETTERS[place],
                        "category": ["object_localization", "image_topic"][number % 2],
                    }
                )
        yield f"{code}.jsonl", rows
        if code == "en":
            yield "en/dev.jsonl", [row | {"image": f"../{row['image']}"} for row in rows]


QUESTIONS: dict[str, Callable[[Write, Encode], Iterator[Table]]] = {
    "mtvqa": mtvqa,
    "maxm": maxm,
    "xgqa": xgqa,
    "m3exam": m3exam,
    "xmmmu": xmmmu,
    "marvl": marvl,
    "xvnli": xvnli,
    "mme": mme,
    "pope": pope,
    "seedbench": seedbench,
    "mmbench": mmbench,
}
