"""Sample data of the English benchmarks that are translated: mme, pope, seedbench, mmbench.

As sample_questions.py; a file a language, English also under the original's split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sample_questions import LETTERS, Encode, Table, Write, loaded, options, pictures, some, spoken

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


TRANSLATED: dict[str, Callable[[Write, Encode], Iterator[Table]]] = {
    "mme": mme,
    "pope": pope,
    "seedbench": seedbench,
    "mmbench": mmbench,
}
