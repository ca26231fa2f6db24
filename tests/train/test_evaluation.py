"""The held-out folders: the tasks read them, ask as training did, and none of it was trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from towereval import plugins
from towereval.cli import options
from towereval.cli.run import OPTIONS
from towereval.corpus.contamination import Held
from towereval.corpus.pictures import Seen
from towereval.data.folder import FolderSource
from towereval.data.video import decode_video
from towereval.train import drawn, evaluation, phrases, questions
from towereval.train.data import Record, Turn
from towereval.train.packing import Encoder, Rendering, collate
from towereval.types import Sample, Text, Video

TASKS = {
    "ocrbench": 200,
    "multi30k": 300,
    "commute": 96,
    "alm_bench@towervision-text": 300,
    "vimul_bench": 200,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    evaluation.write(folder, seed=0)
    return folder


def samples(folder: Path, name: str) -> list[Sample]:
    task = plugins.load_task(name)
    drawn_in = questions.CLIP_LANGUAGES if name == "vimul_bench" else phrases.LANGUAGES
    languages = [language for language in task.languages if language in drawn_in]
    return list(task.samples(FolderSource(folder / task.name), languages))


def test_the_files_of_options_name_its_tasks_and_folders(folder: Path) -> None:
    kept = set()
    for name, diagnosis in (("run", ""), ("wrong-pictures", "+wrong-picture")):
        read = options.from_file(folder / f"{name}.toml", OPTIONS)
        assert read["tasks"] == [f"{task}{diagnosis}" for task in TASKS]
        assert read["languages"] == [*phrases.LANGUAGES]
        assert {Path(data) for data in read["data"].values()} == {
            folder / task.partition("@")[0] for task in TASKS
        }
        kept.add(Path(read["output"]))
    assert kept == {folder.parent / "scores", folder.parent / "scores-wrong-pictures"}


def said(sample: Sample) -> str:
    (text,) = [part.text for part in sample.prompt[0].parts if isinstance(part, Text)]
    return text


def trained(kind: str, count: int, *, held_out: bool = False) -> Iterator[Record]:
    return (drawn.record(kind, 0, index, held_out=held_out) for index in range(count))


@pytest.mark.parametrize(("name", "count"), TASKS.items())
def test_tasks_read_it_and_ask_as_training_did(folder: Path, name: str, count: int) -> None:
    found = samples(folder, name)
    assert len(found) == count
    asked = {said(sample) for sample in found}
    if name == "ocrbench":
        assert asked == set(phrases.READ.values())
    elif name == "vimul_bench":
        assert asked == {record.turns[0].text for record in trained("clips", 300)}
    elif name.startswith("alm_bench"):
        for sample in found:
            question = said(sample).removeprefix(questions.CHOOSE).split("\n")[0].strip()
            assert said(sample) == questions.choice(question, sample.choices)
            assert sample.references[0] in sample.choices
    else:
        for sample in found:
            assert said(sample) == drawn.translate(sample.language, said(sample).partition("\n")[2])


def test_a_clip_is_shown_as_it_was_trained(
    folder: Path, encoder: Encoder, built: tuple[Any, Any]
) -> None:
    """The adapter's prompt and the exported processor give the tokens and pixels of training."""
    sample = samples(folder, "vimul_bench")[0]
    clip = sample.prompt[0].parts[0]
    assert isinstance(clip, Video)
    frames = tuple(decode_video(clip, 4).frames_THWC)
    adapter, checkpoint = plugins.find_model("tiny:trained/tiny/model")
    rendered = adapter.render(sample.prompt, checkpoint)
    assert len(rendered.images) == 4
    text = built[1].tokenizer.apply_chat_template(
        list(rendered.messages), tokenize=False, add_generation_prompt=True
    )
    read = built[1](images=list(frames), text=text, add_special_tokens=False, return_tensors="pt")
    answer = sample.choices["ABCD".index(sample.references[0])]
    turns = (Turn("user", said(sample)), Turn("assistant", answer))
    record = Record("clips", sample.language, turns, frames)
    batch = collate([encoder.example(record, Rendering())], [[0]], encoder)
    asked = read["input_ids"].shape[1]
    assert batch.ids_BT[:, :asked].tolist() == read["input_ids"].tolist()
    assert batch.pixels_IKCHW is not None
    assert np.array_equal(batch.pixels_IKCHW, read["pixel_values"])


def test_the_films_lose_nothing(tmp_path: Path) -> None:
    clip = next(trained("clips", 1))
    for name in ("a.mkv", "again.mkv"):
        evaluation._write_film(tmp_path / name, clip.pictures)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "again.mkv").read_bytes()
    shown = decode_video(Video(str(tmp_path / "a.mkv"), ""), 4)
    assert shown.total == 4
    assert np.array_equal(shown.frames_THWC, np.stack(clip.pictures))


def held(folder: Path, *names: str) -> Held:
    found = Held()
    for name in names:
        found.add(name, samples(folder, name))
    return found


KINDS = ("caption", "translation", "ambiguous", "words", "text", "choice", "clips")


def test_validation_finds_no_text_of_training_in_it(folder: Path) -> None:
    """By the rules of `towereval data validate --against`."""
    against, counts = held(folder, *TASKS), {False: 0, True: 0}
    for held_out in counts:
        for record in (one for kind in KINDS for one in trained(kind, 200, held_out=held_out)):
            texts = [turn.text for turn in record.turns]
            counts[held_out] += bool(list(against.overlaps([], texts)))
    assert counts[False] == 0
    assert counts[True] > 100


def test_validation_finds_no_picture_like_one_of_it_but_the_signs(folder: Path) -> None:
    """Those of ambiguous words are evaluated in other sentences, and are the same signs."""
    apart = held(folder, *(name for name in TASKS if name != "commute"))
    signs = held(folder, "commute")
    similar = {"apart": 0, "signs": 0}
    for record in (one for kind in KINDS for one in trained(kind, 60)):
        middle = record.pictures[len(record.pictures) // 2 :][:1]
        shown = [Seen(Image.fromarray(pixels), "") for pixels in middle]
        similar["apart"] += bool(list(apart.overlaps(shown, [])))
        similar["signs"] += bool(list(signs.overlaps(shown, [])))
    assert similar["apart"] == 0
    assert similar["signs"] > 0


def test_no_picture_is_one_of_training(folder: Path) -> None:
    def key(pixels: Any) -> bytes:
        return bytes(np.ascontiguousarray(pixels))

    evaluated = {key(np.array(Image.open(file))) for file in folder.rglob("*.png")}
    assert len(evaluated) == 200 + 100 + 96 + 300
    shown = (record.pictures for kind in KINDS for record in trained(kind, 200))
    assert not evaluated & {key(picture) for pictures in shown for picture in pictures}
