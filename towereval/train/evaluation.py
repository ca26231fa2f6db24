"""Held-out drawings as folders that `towereval run --data TASK=FOLDER` reads.

They have the columns of the benchmarks' data sets. The tasks ask their own questions of them;
OCRBench's rows bring theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from towereval.train import drawings, drawn, phrases

COUNT = 200


def write(folder: Path, seed: int) -> None:
    """`ocrbench`, `multi30k` and `commute` below the folder."""
    _write(folder / "ocrbench", "test", (_word_row(seed, index) for index in range(COUNT)))
    _write(folder / "multi30k", "test", (_caption_row(seed, index) for index in range(COUNT)))
    for language in ("de", "fr", "cs", "ru"):
        _write(folder / "commute", language, _ambiguous_rows(seed, language))


def _word_row(seed: int, index: int) -> dict[str, Any]:
    record = drawn.record("words", seed, index, held_out=True)
    question, answer = (turn.text for turn in record.turns)
    return {
        "dataset": f"drawn words of {len(answer)} letters",
        "question": question,
        "answer": [answer],
        "question_type": f"{len(answer)} letters",
        "image": record.pictures[0],
    }


def _caption_row(seed: int, index: int) -> dict[str, Any]:
    random = Random(f"multi30k {seed} {index}")
    arrangement, things = drawn.scene(random, held_out=True)
    opening = random.randrange(len(phrases.OPENINGS))
    row: dict[str, Any] = {
        language: phrases.caption(language, arrangement, things, opening)
        for language in phrases.LANGUAGES
    }
    return {**row, "image": drawings.scene(random, arrangement, things)}


def _ambiguous_rows(seed: int, language: str) -> Iterable[dict[str, Any]]:
    """Pairs: one sentence, two pictures, the translations swapped."""
    for word in sorted(phrases.AMBIGUOUS):
        for around in sorted(drawn.held_out_around(word)):
            answers = [drawn.ambiguity(word, sense, around, language)[1] for sense in (0, 1)]
            for sense in (0, 1):
                random = Random(f"commute {seed} {language} {word} {around} {sense}")
                yield {
                    "source": phrases.AROUND[around]["en"].format(word),
                    "correct_translation": answers[sense],
                    "incorrect_translation": answers[1 - sense],
                    "image": drawings.icon(random, word, sense),
                }


def _write(folder: Path, split: str, rows: Iterable[Mapping[str, Any]]) -> None:
    from PIL import Image

    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, row in enumerate(rows):
        name = f"pictures/{split}-{index:04d}.png"
        Image.fromarray(row["image"]).save(folder / name)
        lines.append(json.dumps({**row, "image": name}, ensure_ascii=False) + "\n")
    (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
