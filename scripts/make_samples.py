"""Writes towereval/data/samples/: small self-made data in the columns of each task's real data set.

    python scripts/make_samples.py [FOLDER]

Needs Pillow with RAQM, PyAV and the Noto fonts (apt-get install fonts-noto-core fonts-noto-cjk).
What is drawn and asked stands in the sample_*.toml files next to this one. The same machine writes
the same bytes each time; other versions of Pillow, of the fonts or of x264 may write others.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import sample_drawing
from sample_drawing import Picture
from sample_questions import QUESTIONS
from sample_translated import TRANSLATED

from towereval.smpqa.generate import ROWS, Generation, generate

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "towereval" / "data" / "samples"
README = """# Sample data

Small data sets in the columns of the real ones, one folder a task, to try and to test towereval
without a download. All pictures, clips and texts are self-made, nothing comes from any
data set, and scores on them mean nothing. They are dedicated to the public domain under
[CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/). `scripts/make_samples.py` draws all
of it from the shapes and texts in the `sample_*.toml` files next to it: edit those and run it
again.
"""

SPLITS = {
    "Chinese (Simplified)": "chinese_simplified",
    "Chinese (Traditional)": "chinese_traditional",
}
CC_OCR_QUESTION = (
    "Please output only the text content from the image without any additional descriptions "
    "or formatting."
)
CC_OCR_FONTS = {"Korean": "ko", "Japanese": "ja"}
CLIP_FRAMES, CLIP_RATE = 12, 4
SMPQA_LANGUAGES = "en de it id zu ar hi ko ru th zh"

Row = dict[str, Any]
# A file of rows relative to the task's folder, and its rows.
Table = tuple[str, list[Row]]


def main() -> None:
    sample_drawing.check_text_layout()
    samples = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    for task in (*TASKS, *QUESTIONS, *TRANSLATED):
        folder = samples / task
        shutil.rmtree(folder, ignore_errors=True)
        for name, rows in tables_of(task, folder):
            write_rows(folder / name, rows)
    (samples / "README.md").write_text(README, encoding="utf-8")


def tables_of(task: str, folder: Path) -> Iterator[Table]:
    if task in TASKS:
        return TASKS[task](folder)
    return (QUESTIONS | TRANSLATED)[task](functools.partial(write_picture, folder), encoded)


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


# --- the tasks ---------------------------------------------------------------------------------


def alm_bench(folder: Path) -> Iterator[Table]:
    items = load("sample_texts.toml")["alm_bench"]
    opens = load("sample_open.toml")["alm_bench"]
    for language in alm_bench_languages():
        yield f"{SPLITS.get(language, language)}.jsonl", alm_bench_rows(folder, items, language)
    # The whole benchmark is one split, with all types of questions.
    spoken = [name for name in alm_bench_languages() if any(name in one["rows"] for one in opens)]
    rows = [row for name in spoken for row in alm_bench_rows(folder, [*items, *opens], name)]
    yield "test.jsonl", rows


def alm_bench_languages() -> list[str]:
    items = load("sample_texts.toml")["alm_bench"]
    return sorted({language for item in items for language in item["rows"]})


def alm_bench_rows(folder: Path, items: Iterable[Row], language: str) -> list[Row]:
    place = alm_bench_languages().index(language) + 1
    about = {item["picture"]: item["category"] for item in load("sample_texts.toml")["alm_bench"]}
    categories = sorted(set(about.values()))
    rows = []
    for item in items:
        if language not in item["rows"]:
            continue
        picture, number = item["picture"], list(about).index(item["picture"]) + 1
        category = categories.index(about[picture]) + 1
        english_question, english_answer = item.get("english") or item["rows"]["English"]
        question, answer = item["rows"][language]
        rows.append(
            {
                "ID": f"{place:03}_{place:02}_{category:02}_{number:03}",
                "Language": language,
                "Category": about[picture],
                "Question_Type": item.get("type", "Multiple Choice Questions"),
                "English_Question": english_question,
                "English_Answer": english_answer,
                "Translated_Question": question,
                "Translated_Answer": answer,
                "Image_Url": f"https://example.invalid/{picture}.png",
                "file_name": write_picture(folder, picture),
            }
        )
    return rows


def ocrbench(folder: Path) -> Iterator[Table]:
    rows = [
        {
            "image": write_picture(folder, picture),
            "dataset": group["dataset"],
            "question": question,
            "question_type": group["question_type"],
            "answer": answers,
        }
        for group in load("sample_readings.toml")["ocrbench"]
        for picture, question, answers in group["rows"]
    ]
    yield "test.jsonl", rows


def cc_ocr(folder: Path) -> Iterator[Table]:
    rows: list[Row] = []
    for language, texts in load("sample_readings.toml")["cc_ocr"].items():
        for number, text in enumerate(texts):
            name, content = encoded(f"{language}_test_{number}")
            rows.append(
                {
                    "index": len(rows),
                    "image": base64.b64encode(content).decode("ascii"),
                    "image_name": name,
                    "question": CC_OCR_QUESTION,
                    "answer": text,
                    "category": "multi_lan_ocr",
                    "l2-category": language,
                    "split": language,
                }
            )
    yield "multi_lan_ocr/test.jsonl", rows


def textvqa(folder: Path) -> Iterator[Table]:
    rows: list[Row] = []
    for item in load("sample_readings.toml")["textvqa"]:
        picture = pictures()[item["picture"]]
        file_name = write_picture(folder, item["picture"])
        url = f"https://example.invalid/{Path(file_name).name}"
        for question, answers in item["questions"]:
            rows.append(
                {
                    "image_id": hashlib.sha256(item["picture"].encode()).hexdigest()[:16],
                    "question_id": 90001 + len(rows),
                    "question": question,
                    "question_tokens": re.findall(r"\w+", question),
                    "image": file_name,
                    "image_width": picture.size[0],
                    "image_height": picture.size[1],
                    "flickr_original_url": url,
                    "flickr_300k_url": url,
                    "answers": [answer for answer, times in answers for _ in range(times)],
                    "image_classes": item["classes"],
                    "set_name": "val",
                    "ocr_tokens": picture.words(),
                }
            )
    yield "validation.jsonl", rows


def commute(folder: Path) -> Iterator[Table]:
    for language, pairs in load("sample_texts.toml")["commute"].items():
        rows = []
        for source, *meanings in pairs:
            # Each sentence twice: what is correct for one picture is incorrect for the other.
            for (picture, correct), (_, incorrect) in (meanings, meanings[::-1]):
                image = write_picture(folder, picture)
                rows.append(
                    {
                        "source": source,
                        "correct_translation": correct,
                        "incorrect_translation": incorrect,
                        "image": image,
                        "image_name": Path(image).name,
                    }
                )
        yield f"{language}.jsonl", rows


def multi30k(folder: Path) -> Iterator[Table]:
    items = load("sample_texts.toml")["multi30k"]
    yield (
        "test.jsonl",
        [
            {"image": write_picture(folder, item["picture"])}
            | {language: item[language] for language in ("en", "de", "fr", "cs")}
            for item in items
        ],
    )


def vimul_bench(folder: Path) -> Iterator[Table]:
    clips = load("sample_scenes.toml")["clip"]
    for name, clip in clips.items():
        content = sample_drawing.mp4(sample_drawing.clip_frames(clip, CLIP_FRAMES), CLIP_RATE)
        write_file(folder / "videos" / f"{name}.mp4", content)
    for language, items in load("sample_texts.toml")["vimul_bench"].items():
        rows = [
            {
                "mint_video_id": f"../videos/{clip}.mp4",
                "category": clips[clip]["category"],
                "question": question,
                "option": [f"{'ABCD'[place]}. {option}" for place, option in enumerate(options)],
                "answer": answer,
            }
            for clip, question, options, answer in items
        ]
        yield f"vimulmcq_{language}/test.jsonl", rows
    for language, items in load("sample_open.toml")["vimul_bench"].items():
        rows = [
            {
                "mint_video_id": f"../videos/{clip}.mp4",
                "category": clips[clip]["category"],
                "question": question,
                "answer": answer,
            }
            for clip, question, answer in items
        ]
        yield f"vimuloe_{language}/test.jsonl", rows


def smpqa(folder: Path) -> Iterator[Table]:
    """A bar plot and a pie in each language, as `towereval smpqa generate` writes them."""
    with tempfile.TemporaryDirectory() as made:
        for language in SMPQA_LANGUAGES.split():
            generate(Generation(language, bars=1, pies=1), Path(made))
        shutil.copytree(Path(made, "images"), folder / "images")
        rows = Path(made, ROWS).read_text("utf-8").split("\n")
    yield ROWS, [json.loads(row) for row in rows if row]


def xm3600(folder: Path) -> Iterator[Table]:
    for language, captions in load("sample_captions.toml").items():
        rows = [
            {
                "image_id": hashlib.sha256(picture.encode()).hexdigest()[:16],
                "image_locale": language,
                "captions": texts,
                "image": write_picture(folder, picture),
            }
            for picture, texts in captions.items()
        ]
        yield f"{language}.jsonl", rows


TASKS: dict[str, Callable[[Path], Iterator[Table]]] = {
    "alm_bench": alm_bench,
    "ocrbench": ocrbench,
    "cc_ocr": cc_ocr,
    "textvqa": textvqa,
    "commute": commute,
    "multi30k": multi30k,
    "vimul_bench": vimul_bench,
    "smpqa": smpqa,
    "xm3600": xm3600,
}


# --- the pictures ------------------------------------------------------------------------------


@functools.cache
def load(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


@functools.cache
def pictures() -> dict[str, Picture]:
    """All pictures by name; cc_ocr's are laid out from their texts."""
    scenes, readings = load("sample_scenes.toml"), load("sample_readings.toml")
    symbols = scenes["symbol"]
    drawn = {
        name: Picture(symbols=symbols, **(picture | {"size": tuple(picture["size"])}))
        for name, picture in (scenes["picture"] | load("sample_signs.toml")["picture"]).items()
    }
    for language, texts in readings["cc_ocr"].items():
        for number, (layout, text) in enumerate(zip(LAYOUTS, texts, strict=False)):
            lines = text.split("\n")
            drawn[f"{language}_test_{number}"] = layout(lines, CC_OCR_FONTS.get(language, ""))
    return drawn


def write_picture(folder: Path, name: str) -> str:
    """Write a picture into the task's images/, and give its path for a row next to it."""
    file_name, content = encoded(name)
    write_file(folder / "images" / file_name, content)
    return f"images/{file_name}"


def write_file(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


@functools.cache
def encoded(name: str) -> tuple[str, bytes]:
    """A picture's file name and content; cc_ocr's are JPEG, as in the real data."""
    image = sample_drawing.draw_picture(pictures()[name])
    if "_test_" in name:
        return f"{name}.jpg", sample_drawing.jpeg(image)
    return f"{name}.png", sample_drawing.png(image)


def sign(lines: list[str], language: str) -> Picture:
    shapes: list[Any] = [
        ["rect", 60, 110, 68, 200, "#607d8b"],
        ["rect", 292, 110, 300, 200, "#607d8b"],
    ]
    shapes += [
        ["rounded", 8, 16, 352, 136, 8, "white"],
        ["rounded", 13, 21, 347, 131, 6, "#c62828"],
    ]
    shapes += [["text", 180, 50, 26, "white", lines[0]], ["text", 180, 98, 21, "white", lines[1]]]
    return Picture((360, 200), shapes, "#b3e5fc", language)


def menu(lines: list[str], language: str) -> Picture:
    height = 70 + 42 * len(lines)
    shapes: list[Any] = [["rect", 12, 12, 308, height - 12, "#6d4c41"]]
    shapes += [
        ["rect", 15, 15, 305, height - 15, "#fff8e1"],
        ["line", [60, 74, 260, 74], 1, "#6d4c41"],
    ]
    shapes.append(["text", 160, 48, 26, "#4e342e", lines[0], "serif"])
    for number, dish in enumerate(lines[1:]):
        shapes.append(["text", 160, 102 + 42 * number, 20, "#212121", dish, "plain"])
    return Picture((320, height), shapes, "#d7ccc8", language)


def poster(lines: list[str], language: str) -> Picture:
    shapes: list[Any] = [
        ["oval", 20, 150, 130, 260, "#ffb300"],
        ["oval", 190, 170, 300, 280, "#00897b"],
    ]
    shapes += [["rect", 0, 215, 320, 280, "#4a148c"], ["text", 160, 50, 28, "white", lines[0]]]
    shapes += [
        ["text", 160, 110, 24, "#ffeb3b", lines[1]],
        ["text", 160, 247, 22, "white", lines[2]],
    ]
    return Picture((320, 280), shapes, "#7b1fa2", language)


def note(lines: list[str], language: str) -> Picture:
    shapes: list[Any] = [["poly", [20, 24, 300, 16, 304, 206, 24, 206], "#fff59d"]]
    shapes += [["oval", 152, 12, 168, 28, "#e53935"]]
    for number, words in enumerate(lines):
        shapes.append(["text", 162, 66 + 46 * number, 22, "#1a237e", words, "hand"])
    return Picture((320, 220), shapes, "#a1887f", language)


LAYOUTS = (sign, menu, poster, note)


if __name__ == "__main__":
    main()
