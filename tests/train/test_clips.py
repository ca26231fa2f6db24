"""Clips: what is trained is what LLaVA-OneVision's class reads back."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration

from towereval.corpus import files
from towereval.corpus.records import Clip, Picture, Record, Slot, Turn
from towereval.errors import DataError
from towereval.train import recipe_run
from towereval.train.clips import tokens_of
from towereval.train.indexed import index_of
from towereval.train.loader import Loader
from towereval.train.loop import Report
from towereval.train.model import _hidden
from towereval.train.packing import Encoder, Rendering, collate
from towereval.train.recipe import Formats, Recipe, Source
from towereval.train.stage_data import StageData
from towereval.types import Text

FRAMES = 4


def corpus(folder: Path) -> Path:
    """Clips of six and of two pictures, and a text without any."""
    rng = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
    file = folder / "clips.jsonl"
    with files.writing(file) as writer:
        for index, count in enumerate((6, 2, 0, 6)):
            clip = Clip(frames=tuple(Picture(path=f"{n}.png") for n in range(count)))
            parts = (*[Slot.VIDEO] * (count > 0), Text(f"What moves in {index}?"))
            turns = (Turn("user", parts), Turn("assistant", (Text("A star."),)))
            shown = clip if count else None
            writer.add(Record(str(index), "made", "en", "clip", turns, video=shown))
    return file


@pytest.fixture
def clips(recipe: Recipe, tmp_path: Path) -> Recipe:
    data = (Source(path=str(corpus(tmp_path))),)
    stage = replace(recipe.stages["stage2"], data=data, view="clips", frames=FRAMES, steps=2)
    return replace(recipe, stages={"stage3": stage})


def test_a_clip_is_its_pooled_frames_and_a_newline(clips: Recipe, encoder: Encoder) -> None:
    data = StageData(clips, "stage3", encoder)
    examples, too_long = data.examples(0)
    assert too_long == 0
    shown = [example for example in examples if example.pictures]
    assert len(shown) == 3
    for example in shown:
        assert example.ids.count(encoder.image_id) == tokens_of(FRAMES, 4) == FRAMES * 4 + 1
        assert example.tiles == FRAMES
    (batch,) = Loader(data).prepare(0).batches
    assert batch.clips == (FRAMES,) * 3
    assert batch.pixels_IKCHW is not None
    assert batch.pixels_IKCHW.shape == (3 * FRAMES, 1, 3, 48, 48)
    assert tokens_of(32, 27) == 6273


def test_what_is_exported_reads_clips_alike(
    clips: Recipe, built: Any, encoder: Encoder, tmp_path: Path
) -> None:
    reports: list[Report] = []
    folder = recipe_run.train(clips, tmp_path / "out", say=reports.append)
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    processor = AutoProcessor.from_pretrained(folder)
    rendering = Rendering(view="clips", frames=FRAMES)
    index = index_of(tmp_path / "clips.jsonl", encoder, rendering)
    record = index.record(0, "clips", Formats(), "")
    batch = collate([encoder.example(record, rendering)], [[0]], encoder)
    frames = [np.array(Image.open(tmp_path / f"{n}.png")) for n in (0, 1, 3, 5)]
    content = [{"type": "video"}, {"type": "text", "text": "What moves in 0?"}]
    answer = [{"type": "text", "text": "A star."}]
    talk = [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]
    read = processor(
        videos=[frames],
        text=processor.apply_chat_template(talk),
        add_special_tokens=False,
        do_sample_frames=False,
        return_tensors="pt",
    )
    video = model.config.video_token_id
    assert int((read["input_ids"] == video).sum()) == tokens_of(FRAMES, 4)
    same = torch.where(read["input_ids"] == video, encoder.image_id, read["input_ids"])
    assert same.tolist() == batch.ids_BT.tolist()
    assert batch.pixels_IKCHW is not None
    assert torch.equal(read["pixel_values_videos"][0], batch.pixels_IKCHW[:, 0])
    trained = copy.deepcopy(built[0])
    trained.model.load_state_dict(
        {n: v for n, v in model.model.state_dict().items() if "embed_tokens" not in n}, strict=False
    )
    rows = trained.get_input_embeddings().weight.shape[0]
    with torch.no_grad():
        trained.get_input_embeddings().weight.copy_(model.get_input_embeddings().weight[:rows])
        theirs = model.model(**read).last_hidden_state
        ours = _hidden(trained.eval(), batch, 1.0)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_pictures_and_clips_are_not_mixed(clips: Recipe, encoder: Encoder) -> None:
    stage = replace(clips.stages["stage3"], view="tiles")
    with pytest.raises(DataError, match="a clip in a stage that shows pictures"):
        StageData(replace(clips, stages={"stage3": stage}), "stage3", encoder)
