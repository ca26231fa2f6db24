"""Held-out drawings as folders that `towereval run --data TASK=FOLDER` reads.

They have the columns of the benchmarks' data sets. The tasks ask their own questions of them;
OCRBench's rows bring theirs. Beside them lie the options of the runs that read them, for `towereval
run --config`: `run.toml`, and `wrong-pictures.toml`, which shows other rows' pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from numpy.typing import NDArray

from towereval.languages import LANGUAGES
from towereval.train import drawings, drawn, phrases, questions

WORDS, CAPTIONS = 200, 100
# Of each language: so many that what its questions share is told from what they ask.
CHOICES, CLIPS = 60, 50
TASKS = ("ocrbench", "multi30k", "commute", "alm_bench@towervision-text", "vimul_bench")
# File -> what it appends to each task, and where its runs are kept, beside the drawings.
_RUNS = {"run": ("", "scores"), "wrong-pictures": ("+wrong-picture", "scores-wrong-pictures")}


def write(folder: Path, seed: int) -> None:
    """A folder of each of `TASKS`, and the files of options."""
    _write(folder / "ocrbench", "test", (_word_row(seed, index) for index in range(WORDS)))
    _write(folder / "multi30k", "test", (_caption_row(seed, index) for index in range(CAPTIONS)))
    for language in ("de", "fr", "cs", "ru"):
        _write(folder / "commute", language, _ambiguous_rows(seed, language))
    for language in phrases.LANGUAGES:
        split = LANGUAGES[language].english
        rows = (_choice_row(seed, language, index) for index in range(CHOICES))
        _write(folder / "alm_bench", split, rows, "file_name")
    for language in questions.CLIP_LANGUAGES:
        _write_clips(folder / "vimul_bench", language, seed)
    for name, (diagnosis, output) in _RUNS.items():
        _write_options(folder / f"{name}.toml", diagnosis, folder.parent / output)


def _write_options(file: Path, diagnosis: str, output: Path) -> None:
    data = {task.partition("@")[0]: file.parent.resolve() for task in TASKS}
    lines = [
        f"tasks = {_toml([f'{task}{diagnosis}' for task in TASKS])}",
        f"languages = {_toml(phrases.LANGUAGES)}",
        f"output = {_toml(str(output.resolve()))}",
        "[data]",
        *(f"{name} = {_toml(str(folder / name))}" for name, folder in data.items()),
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: str | Sequence[str]) -> str:
    """A text or a list of such: as JSON writes them, TOML reads them."""
    return json.dumps(value, ensure_ascii=False)


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


def _choice_row(seed: int, language: str, index: int) -> dict[str, Any]:
    """Each of the four questions for a thing in turn, and after each the one for a colour."""
    random = Random(f"alm_bench {seed} {language} {index}")
    arrangement, asked = ("beside", "above")[index // 4 % 2], index // 2 % 2
    if index % 2:
        question = questions.COLOUR[language]
        drawing = drawn.choice_of_colour(random, language, arrangement, held_out=True)
    else:
        question = questions.WHERE[arrangement][asked][language]
        drawing = drawn.choice(random, language, arrangement, asked, held_out=True)
    picture, listed, answer = drawing
    return {
        "ID": f"{language}-{index}",
        "Language": LANGUAGES[language].english,
        "Category": "Drawings",
        "Question_Type": "Multiple Choice Questions",
        "Translated_Question": question,
        "Translated_Answer": f"{answer} ({questions.OPTIONS[language]}: {', '.join(listed)})",
        "Image_Url": "",
        "file_name": picture,
    }


def _write_clips(folder: Path, language: str, seed: int) -> None:
    """Questions with options; the file of open ones, which want a judge, is empty."""
    name = LANGUAGES[language].english.lower()
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    lines = []
    for index in range(CLIPS):
        asked = sorted(questions.CLIPS)[index % len(questions.CLIPS)]
        random = Random(f"vimul_bench {seed} {language} {index}")
        clip = drawn.clip(random, asked, held_out=True)
        film = f"videos/{name}-{index:04d}.mkv"
        _write_film(folder / film, clip.frames)
        row = {
            "mint_video_id": film,
            "question": questions.CLIPS[asked][language],
            "option": questions.clip_options(language, asked),
            "answer": "ABCD"[clip.right],
        }
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    for kind, text in (("mcq", "".join(lines)), ("oe", "")):
        file = folder / f"vimul{kind}_{name}" / "test.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _write_film(file: Path, frames: Sequence[NDArray[Any]]) -> None:
    """Without loss: the frames are what training shows. The same frames are the same bytes."""
    import av

    height, width = frames[0].shape[:2]
    # Else a container gets a random id, and what was answered about the clip is asked again.
    with av.open(str(file), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("ffv1", rate=Fraction(2), options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _write(
    folder: Path, split: str, rows: Iterable[Mapping[str, Any]], column: str = "image"
) -> None:
    from PIL import Image

    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, row in enumerate(rows):
        name = f"pictures/{split}-{index:04d}.png"
        Image.fromarray(row[column]).save(folder / name)
        lines.append(json.dumps({**row, column: name}, ensure_ascii=False) + "\n")
    (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
