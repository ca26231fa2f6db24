"""Records of files: the same tokens as the processor's, faults named, the same again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from towereval.corpus import files
from towereval.corpus.records import Picture, Record, Slot, Translation, Turn
from towereval.errors import DataError, UsageError
from towereval.train import checkpoint, indexed, loop
from towereval.train.data import pixels_of
from towereval.train.loader import Loader
from towereval.train.loop import StageRun
from towereval.train.packing import Encoder, Rendering
from towereval.train.recipe import Formats, Mix, Recipe, Source
from towereval.train.stage_data import StageData, shares_by
from towereval.types import Text

PICTURE = "pictures/{}.png"


def record(number: int, language: str = "en", pictures: int = 1, **changes: Any) -> Record:
    question = Text(f"What is number {number}?")
    parts = (*[Slot.IMAGE] * pictures, question)
    known = tuple(Picture(path=PICTURE.format(number % 3)) for _ in range(pictures))
    turns = (Turn("user", parts), Turn("assistant", (Text(f"It is {number}."),)))
    made = Record(f"r{number}", "test", language, "vqa", turns, known)
    return replace(made, **changes)


def corpus(folder: Path, records: Sequence[Record], suffix: str = "jsonl") -> Path:
    (folder / "pictures").mkdir(exist_ok=True)
    for number, size in enumerate([(48, 48), (96, 40), (61, 130)]):
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / PICTURE.format(number))
    file = folder / f"records.{suffix}"
    with files.writing(file) as writer:
        for one in records:
            writer.add(one)
    return file


def staged(
    recipe: Recipe, file: Path, mix: Mix | None = None, max_faulty: float = 0.01, **changes: Any
) -> Recipe:
    changes = {"steps": 4, **changes}
    data = (Source(path=str(file), max_faulty=max_faulty),)
    stage = replace(recipe.stages["stage2"], data=data, mix=mix or Mix(), **changes)
    room = replace(recipe.packing, tokens=400)
    return replace(recipe, stages={"stage2": stage}, packing=room)


MIXED = [record(i, "en" if i % 2 else "de", pictures=i % 3) for i in range(24)]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_lengths_are_those_of_the_processor(
    suffix: str, built: Any, encoder: Encoder, tmp_path: Path
) -> None:
    file = corpus(tmp_path, MIXED, suffix)
    index = indexed.index_of(file, encoder, Rendering())
    processor = built[1]
    for row in (0, 1, 2, 23):
        found = index.record(row, "records", Formats(), "")
        shown = [Image.fromarray(pixels_of(picture)) for picture in found.pictures]
        content = [{"type": "image"} for _ in shown]
        content.append({"type": "text", "text": f"What is number {row}?"})
        answer = [{"type": "text", "text": f"It is {row}."}]
        asked = [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]
        text = processor.apply_chat_template(asked)
        read = processor(images=shown or None, text=text, add_special_tokens=False)
        assert list(encoder.example(found, Rendering()).ids) == list(read["input_ids"][0])
        assert index.column("tokens")[row] == len(read["input_ids"][0])
        # The processor fills up to the picture with the most tiles.
        most = len(read["pixel_values"][0]) if shown else 0
        assert index.column("tiles")[row] <= most * len(shown)
        assert (most == 0) == (index.pictures[row] == 0)


def test_an_index_is_read_again_and_made_anew_when_the_file_changes(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = corpus(tmp_path, MIXED)
    first = indexed.index_of(file, encoder, Rendering())
    monkeypatch.setattr(indexed, "_row", None)  # nothing is read a second time
    assert indexed.index_of(file, encoder, Rendering()).table.equals(first.table)
    monkeypatch.undo()
    with file.open("a") as lines:
        lines.write(file.read_text().splitlines()[0] + "\n")
    again = indexed.index_of(file, encoder, Rendering())
    assert (again.table.num_rows, again.digest == first.digest) == (25, False)


def test_faults_are_named_counted_and_left_out(
    recipe: Recipe, encoder: Encoder, tmp_path: Path
) -> None:
    long = Text("Word after word. " * 200)
    turns = record(0, pictures=0).messages
    bad = [
        record(1, "xx"),
        record(2, images=(Picture(path="pictures/torn.png"),)),
        record(3, images=()),
        record(4, pictures=0, messages=(*turns[:1], Turn("assistant", (long,)))),
        record(5, pictures=0, messages=turns[::-1]),
        record(6, pictures=0, messages=(*turns[:1], Turn("assistant", (Text(" "),)))),
    ]
    file = corpus(tmp_path, [*MIXED, *bad])
    whole = (tmp_path / PICTURE.format(0)).read_bytes()
    (tmp_path / "pictures" / "torn.png").write_bytes(whole[: len(whole) // 2])
    with file.open("a") as lines:
        lines.write('{"id": "r7"\n')
    wanted = {
        "unknown language": 1,
        "picture": 1,
        "placeholders": 1,
        "longer than a pack": 1,
        "turns": 2,
        "not a record": 1,
    }
    with pytest.raises(
        DataError, match=r"7 of 31 records cannot be trained on, .* max_faulty 0.01"
    ):
        StageData(staged(recipe, file), "stage2", encoder)
    data = StageData(staged(recipe, file, max_faulty=0.5), "stage2", encoder)
    (told,) = data.report
    assert {kind: told[kind] for kind in wanted} == wanted
    assert (told["records"], told["faulty"]) == (31, 7)
    assert told["first"][0].startswith("row 25: unknown language: language 'xx'")
    assert "torn.png" in told["first"][1]
    assert sum(stratum.count or 0 for stratum in data.strata) == 24
    loop.tell_data(tmp_path / "out", "stage2", data)
    written = json.loads((tmp_path / "out" / "data-stage2.json").read_text())
    assert written["files"][0]["faulty"] == 7


def test_an_epoch_sees_every_record_once(recipe: Recipe, encoder: Encoder, tmp_path: Path) -> None:
    file = corpus(tmp_path, MIXED)
    data = StageData(staged(recipe, file, steps=None, epochs=1.0), "stage2", encoder)
    assert data.steps == 6
    orders = [
        [example.ids for step in steps for example in data.examples(step)[0]]
        for steps in (range(6), range(6, 12))
    ]
    index = indexed.index_of(file, encoder, Rendering())
    asked = [index.record(row, "records", Formats(), "") for row in range(24)]
    every = {encoder.example(one, Rendering()).ids for one in asked}
    assert len(set(orders[0])) >= 22  # a rare stratum's last may come a little late
    assert set(orders[0]) | set(orders[1]) == every
    assert orders[0] != orders[1]


def test_shares_of_languages_and_texts_are_kept(
    recipe: Recipe, encoder: Encoder, tmp_path: Path
) -> None:
    mix = Mix(english_share=0.7, text_only_share=0.25)
    data = StageData(staged(recipe, corpus(tmp_path, MIXED), mix), "stage2", encoder)
    assert shares_by(data, "language") == pytest.approx({"de": 0.3, "en": 0.7}, abs=1e-6)
    assert shares_by(data, "text_only") == pytest.approx({"True": 0.25, "False": 0.75}, abs=1e-6)


def test_what_is_dropped_is_never_seen(recipe: Recipe, encoder: Encoder, tmp_path: Path) -> None:
    file = corpus(tmp_path, MIXED)
    mix = Mix(drop_multilingual=1.0, drop_images=0.5)
    data = StageData(staged(recipe, file, mix), "stage2", encoder)
    counts = {(s.language, s.text_only): s.count for s in data.strata}
    assert counts == {("en", False): 4, ("en", True): 4}
    again = StageData(staged(recipe, file, mix), "stage2", encoder)
    assert data.examples(1)[0] != data.examples(0)[0]
    assert [one.ids for one in data.examples(1)[0]] == [one.ids for one in again.examples(1)[0]]


def test_a_translation_is_asked_in_its_formats(
    recipe: Recipe, encoder: Encoder, tmp_path: Path
) -> None:
    shown = Translation("e", "en", ("What colour?", "Brown."), "model")
    german = (
        Turn("user", (Slot.IMAGE, Text("Welche Farbe?"))),
        Turn("assistant", (Text("Braun."),)),
    )
    records = [record(i, "de", messages=german, translation=shown) for i in range(8)]
    mix = Mix(formats=Formats(mvqa=0, epvqa=1))
    data = StageData(staged(recipe, corpus(tmp_path, records), mix), "stage2", encoder)
    (first, *_), _ = data.examples(0)
    learned = [i for i, w in zip(first.ids, first.weights, strict=True) if w]
    assert encoder.tokenizer.decode(learned) == "What colour?\nBraun.<end_of_turn>"


def test_a_run_on_files_goes_on_and_other_files_are_refused(
    recipe: Recipe, model: Any, encoder: Encoder, tmp_path: Path
) -> None:
    file = corpus(tmp_path, MIXED)
    run = StageRun(replace(staged(recipe, file), workers=2), "stage2", model, encoder)
    (report,) = run.run(tmp_path / "out")
    assert report.losses.keys() == {"records"}
    at = checkpoint.latest(tmp_path / "out")
    assert at is not None
    StageRun(staged(recipe, file), "stage2", model, encoder).restore(at)  # another worker count
    with file.open("a") as lines:
        lines.write(file.read_text().splitlines()[0] + "\n")
    other = StageRun(staged(recipe, file), "stage2", model, encoder)
    with pytest.raises(UsageError, match="was trained on other files"):
        other.restore(at)


def test_a_picture_shown_whole_is_one_tile(
    recipe: Recipe, model: Any, encoder: Encoder, tmp_path: Path
) -> None:
    file = corpus(tmp_path, MIXED)
    data = StageData(staged(recipe, file, view="single"), "stage2", encoder)
    (batch,) = Loader(data).prepare(0).batches
    assert batch.pixels_IKCHW is not None
    assert batch.pixels_IKCHW.shape[1] == 1
    assert int((batch.ids_BT == encoder.image_id).sum()) == 16 * len(batch.pixels_IKCHW)
    run = StageRun(staged(recipe, file, view="single"), "stage2", model, encoder)
    newline = model.model.image_newline.detach().clone()
    list(run.run(tmp_path / "out"))
    assert bool((model.model.image_newline == newline).all())  # a single tile has no line ends
