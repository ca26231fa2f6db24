"""A few made rows in the columns of lmms-eval's data sets, a task of a user's own, and answers."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import datasets
from PIL import Image

YAML = """\
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: rows.jsonl
test_split: test
output_type: {kind}
doc_to_visual: !function code.pictures
doc_to_text: "{{{{question}}}} Short, please."
doc_to_target: answer
process_results: !function code.judged
{decoding}
metric_list:
  - metric: right
    aggregation: mean
    higher_is_better: true
  - metric: longest
    aggregation: !function code.longest
    higher_is_better: true
  - metric: mistakes
    aggregation: mean
    higher_is_better: false
  - metric: written
    aggregation: !function code.written
    higher_is_better: true
metadata:
  version: 3.0
{more}
"""
DECODING = """\
generation_kwargs:
  max_new_tokens: 12
  until: ["###"]
"""
LANGUAGES = """\
  towereval:
    language_column: tongue
    languages: {German: de, French: fr}
"""
CODE = '''\
from pathlib import Path

from PIL import Image

SEEN = []


def pictures(doc):
    picture = Image.open(Path(__file__).parent / doc["file"])
    if doc["cut"]:
        return [picture.convert("RGB").crop((0, 0, 20, 10))]
    return [picture.convert("RGB")]


def judged(doc, results):
    if "crash" in results[0]:
        raise ValueError("no judge for this")
    right = results[0].lower() == doc["answer"].lower()
    return {
        "right": right,
        "longest": {"length": len(results[0]), "score": float(right)},
        "mistakes": float(not right),
        "written": results[0],
    }


def longest(items):
    """Adds up in a global, as some of lmms-eval's own do."""
    SEEN.extend(items)
    return max(item["length"] for item in SEEN) + len(SEEN) / 100


def written(items, args):
    Path("written.txt").write_text(" ".join(items))
    return None
'''
WORDS = ("Halt", "halt", "<think>Los, oder?</think>Halt", "nein", "ＨＡＬＴ", "", "1/2", "Straße 7")


def picture(number: int, *, size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    drawn = Image.new("RGB", size, (10 * number % 256, 200, 30 * number % 256))
    drawn.putpixel((number % size[0], 3), (255, 255, 255))
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6 if number == 3 else 1  # one picture lies on its side
    drawn.save(buffer, kind, exif=exif)
    return buffer.getvalue()


def ocrbench(folder: Path) -> Path:
    kinds = ("Regular Text Recognition", "Handwriting Recognition", "Doc-oriented VQA")
    rows = [
        {
            "dataset": "HME100k" if number == 6 else "IIIT5K",
            "question": f"what is written in picture {number}?",
            "question_type": kinds[number % 3],
            "answer": ["halt", "1/2"],
            "image": picture(number, kind="JPEG" if number % 2 else "PNG"),
        }
        for number in range(len(WORDS))
    ]
    return written(rows, folder / "test.parquet")


def textvqa(folder: Path) -> Path:
    rows = [
        {
            "image": picture(number // 2),
            "question_id": number,
            "question": f"what Is written on sign {number}?",
            "answers": ["halt"] * (number % 5) + ["stop"] * (10 - number % 5),
            "ocr_tokens": ["halt"],
        }
        for number in range(len(WORDS))
    ]
    return written(rows, folder / "validation.parquet")


def cc_ocr(folder: Path) -> Path:
    rows = [
        {
            "image": base64.b64encode(picture(number)).decode(),
            "image_name": f"{number}.png",
            "question": "Please output the text.",
            "answer": "halt oder stopp 7",
            "split": ("German", "Korean")[number % 2],
            "l2-category": "multi_lan_ocr",
        }
        for number in range(len(WORDS))
    ]
    return written(rows, folder / "test.parquet", picture_column="")


def written(rows: list[dict[str, Any]], file: Path, picture_column: str = "image") -> Path:
    file.parent.mkdir(parents=True)
    table = datasets.Dataset.from_list(rows)
    if picture_column:
        table = table.cast_column(picture_column, datasets.Image())
    table.to_parquet(file)
    return file
