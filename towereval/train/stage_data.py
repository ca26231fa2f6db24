"""A stage's examples by number: from its sources, mixed as its recipe says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from towereval.errors import DataError, UsageError
from towereval.train import drawn
from towereval.train.data import Record
from towereval.train.indexed import Index, index_of
from towereval.train.mixture import Mixture, Stratum, is_english, permuted, shares
from towereval.train.packing import Encoder, Example, Rendering
from towereval.train.recipe import Mix, Recipe, Source, Stage
from towereval.types import digest


@dataclass(frozen=True, slots=True)
class Drawn:
    kind: str
    seed: int

    def record(self, index: int) -> Record:
        return drawn.record(self.kind, self.seed, index)


@dataclass(frozen=True, slots=True)
class Filed:
    """Some records of a file, in an order of their own in each epoch."""

    index: Index
    name: str
    rows: NDArray[Any]
    mix: Mix
    key: str

    def record(self, index: int) -> Record:
        epoch, at = divmod(index, len(self.rows))
        row = int(self.rows[permuted(at, len(self.rows), f"{self.key} {epoch}")])
        return self.index.record(row, self.name, self.mix.formats, f"{self.key} {epoch} {row}")


class StageData:
    """What the steps of a stage see. `steps` is how many there are; `digest` is of all files.

    `report` says what each source has, and what of it cannot be trained on. Raises `DataError`
    where that is too much, `UsageError` where the mix cannot be had.
    """

    def __init__(self, recipe: Recipe, name: str, encoder: Encoder) -> None:
        self.stage: Stage = recipe.stages[name]
        self.encoder, self.packing = encoder, recipe.packing
        self.rendering = rendering(self.stage)
        self.report: list[Mapping[str, Any]] = []
        seed = seed_of(recipe.seed, name)
        parts: list[tuple[Stratum, Drawn | Filed]] = []
        digests = []
        for at, source in enumerate(self.stage.data):
            if source.drawn:
                weight = 1.0 if source.weight is None else source.weight
                stratum = Stratum(at, "", source.drawn == "text", weight)
                parts.append((stratum, Drawn(source.drawn, seed)))
            else:
                index = index_of(Path(source.path), encoder, self.rendering)
                digests.append(index.digest)
                parts += self._filed(at, source, index, seed)
        self.digest = digest(digests)
        self.strata = [stratum for stratum, _ in parts]
        self.sources = [source for _, source in parts]
        self.mixture = Mixture(shares(self.strata, self.stage.mix), seed)
        self.steps = self.stage.steps or self._epochs(self.stage.epochs or 1.0)

    def examples(self, step: int) -> tuple[list[Example], int]:
        """What a step sees, and how many examples were left out as longer than a pack."""
        kept, too_long = [], 0
        for k in range(step * self.stage.batch, (step + 1) * self.stage.batch):
            stratum, index = self.mixture.place(k)
            example = self.encoder.example(self.sources[stratum].record(index), self.rendering)
            if len(example.ids) > self.packing.tokens or example.tiles > self.packing.tiles:
                too_long += 1
            else:
                kept.append(example)
        if not kept:
            raise DataError(f"step {step}: no example fits into a pack")
        return kept, too_long

    def _filed(
        self, at: int, source: Source, index: Index, seed: int
    ) -> list[tuple[Stratum, Drawn | Filed]]:
        bad, faults = index.faults(self.packing.tokens, self.packing.tiles)
        said = {"source": source.path, "records": len(bad), "faulty": int(bad.sum()), **faults}
        self.report.append(said)
        if bad.all() or bad.mean() > source.max_faulty:
            raise DataError(
                f"{source.path}: {int(bad.sum())} of {len(bad)} records cannot be trained on, more"
                f" than max_faulty {source.max_faulty:g} allows; first: {faults.get('first')}"
            )
        languages = np.asarray(index.table["language"].to_pylist(), dtype=object)
        text_only = index.pictures == 0
        found = []
        for language in sorted(set(languages[~bad].tolist())):
            for without in (False, True):
                rows = np.flatnonzero(~bad & (languages == language) & (text_only == without))
                rows = self._left(rows, language, without, f"{seed} {at} {language} {without}")
                if len(rows):
                    key = f"{seed} {at} {language} {without}"
                    file = Filed(index, Path(source.path).stem, rows, self.stage.mix, key)
                    found.append((Stratum(at, language, without, len(rows), len(rows)), file))
        total = sum(stratum.weight for stratum, _ in found)
        if not found:
            raise DataError(f"{source.path}: the mix drops all its records")
        weight = total if source.weight is None else source.weight
        return [
            (
                Stratum(s.source, s.language, s.text_only, s.weight * weight / total, s.count),
                file,
            )
            for s, file in found
        ]

    def _left(self, rows: NDArray[Any], language: str, text_only: bool, key: str) -> NDArray[Any]:
        """Without those that the mix drops: which, the seed alone decides."""
        mix = self.stage.mix
        share = 1.0 if is_english(language) else 1 - mix.drop_multilingual
        share *= 1.0 if text_only else 1 - mix.drop_images
        kept = round(share * len(rows))
        if kept == len(rows):
            return rows
        return rows[sorted(Random(f"drop {key}").sample(range(len(rows)), kept))]

    def _epochs(self, epochs: float) -> int:
        records = sum(stratum.count or 0 for stratum in self.strata)
        steps = int(epochs * records / self.stage.batch)  # the last, smaller batch is left out
        if not steps:
            raise UsageError(f"{records} records are not one batch of {self.stage.batch}")
        return steps


def rendering(stage: Stage) -> Rendering:
    return Rendering(stage.prompt, stage.length_power, stage.view, stage.frames)


def seed_of(seed: int, stage: str) -> int:
    value = hashlib.sha256(f"{seed} {stage}".encode()).digest()
    return int.from_bytes(value[:6], "big")


def shares_by(data: StageData, label: str) -> Mapping[str, float]:
    """The mixture's shares by a field of its strata: "language", "text_only" or "source"."""
    found: dict[str, float] = {}
    for stratum, share in zip(data.strata, data.mixture.weights, strict=True):
        name = str(getattr(stratum, label))
        found[name] = found.get(name, 0.0) + share
    return found
