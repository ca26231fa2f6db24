"""What a recipe of drawings is trained on, as records that `towereval data` reads.

So that `towereval data validate --against` can hold it against what is evaluated.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from towereval.corpus import files, records
from towereval.train.data import Picture, Record, pixels_of
from towereval.train.packing import Encoder
from towereval.train.recipe import Recipe
from towereval.train.stage_data import StageData
from towereval.types import Text

COUNT = 240


def write(file: Path, recipe: Recipe, processor: Any) -> None:
    """The first `COUNT` examples that each stage sees, those without pictures once.

    Raises `DataError` where the disk is full.
    """
    encoder = Encoder(processor)
    without_pictures = set()
    with files.writing(file) as writer:
        for stage in recipe.stages:
            data = StageData(recipe, stage, encoder)
            for k in range(COUNT):
                stratum, index = data.mixture.place(k)
                record = data.sources[stratum].record(index)
                if not record.pictures:
                    if record.turns in without_pictures:
                        continue
                    without_pictures.add(record.turns)
                writer.add(_written(f"{stage}-{k}", record))


def _written(name: str, record: Record) -> records.Record:
    pictures = tuple(_encoded(picture) for picture in record.pictures)
    clip = record.source == "clips"
    shown = [records.Slot.VIDEO] if clip else [records.Slot.IMAGE] * len(pictures)
    first, *rest = (records.Turn(turn.role, (Text(turn.text),)) for turn in record.turns)
    return records.Record(
        *(name, record.source, record.language, record.source),
        messages=(records.Turn(first.role, (*shown, *first.parts)), *rest),
        images=() if clip else pictures,
        video=records.Clip(frames=pictures) if clip else None,
        origin="synthetic",
    )


def _encoded(picture: Picture) -> records.Picture:
    content = io.BytesIO()
    Image.fromarray(pixels_of(picture)).save(content, "png")
    return records.Picture(data=content.getvalue())
