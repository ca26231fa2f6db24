"""Which examples share a row: within every budget, and with as little padding as is promised."""

from __future__ import annotations

import itertools
import random

import pytest

from towereval.errors import DataError
from towereval.train import recipe_files
from towereval.train.packing import Encoder, Example
from towereval.train.rows import FULL, Room, pack
from towereval.train.stage_data import StageData

TINY = recipe_files.load(recipe_files.find("tiny"))


def of(*sizes: tuple[int, int]) -> list[Example]:
    """Examples of so many tokens and tiles."""
    return [Example("x", (1,) * tokens, (1.0,) * tokens, (), tiles) for tokens, tiles in sizes]


def widths(examples: list[Example], packs: list[list[int]]) -> list[int]:
    return [sum(len(examples[i].ids) for i in row) for row in packs]


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("room", [Room(100, 9), Room(60, 5), Room(100, 9, 2), Room(60, 9, 1)])
def test_every_example_is_in_one_row_and_rows_keep_their_budgets(room: Room, stacked: bool) -> None:
    draw = random.Random(0)
    for count in (1, 2, 7, 20):
        examples = of(*((draw.randint(5, 60), draw.randint(0, 5)) for _ in range(count)))
        packs = pack(examples, room, stacked=stacked)
        assert sorted(i for row in packs for i in row) == list(range(count))
        lengths = widths(examples, packs)
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] <= room.tokens
        assert max(sum(examples[i].tiles for i in row) for row in packs) <= room.tiles
        assert room.examples is None or max(map(len, packs)) <= room.examples
        assert packs == pack(examples, room, stacked=stacked)


def test_an_example_that_no_row_holds_is_refused() -> None:
    for size in ((21, 0), (2, 6)):
        with pytest.raises(DataError, match="a pack holds 20 and 5"):
            pack(of(size), Room(20, 5))


def test_stacked_rows_are_equally_long_and_others_few() -> None:
    examples = of(*((tokens, 0) for tokens in (50, 50, 40, 40, 30, 30, 20, 20, 10, 10)))
    assert widths(examples, pack(examples, Room(100, 9), stacked=True)) == [50] * 6
    assert widths(examples, pack(examples, Room(100, 9))) == [100, 100, 100]


def test_stacked_rows_are_the_best_there_are() -> None:
    """Of eight examples every way to share rows can be tried."""
    draw = random.Random(1)
    found = best = 0
    for _ in range(10):
        examples = of(*((draw.randint(20, 60), 0) for _ in range(7)))
        total = sum(len(example.ids) for example in examples)
        rows = widths(examples, pack(examples, Room(150, 9), stacked=True))
        areas = []
        for places in itertools.product(range(4), repeat=6):
            lengths = [0] * 4
            for example, place in zip(examples, (0, *places), strict=True):
                lengths[place] += len(example.ids)
            if max(lengths) <= 150:
                areas.append(sum(length > 0 for length in lengths) * max(lengths))
        found += len(rows) * rows[0]
        best += max(min(areas), int(total / FULL))
    assert found <= 1.03 * best


@pytest.mark.parametrize("stage", TINY.stages)
def test_the_drawn_mix_fills_its_rows(stage: str, encoder: Encoder) -> None:
    """As it is computed: tokens by all places of the batch, padding included."""
    data = StageData(TINY, stage, encoder)
    packing = TINY.packing
    room = Room(packing.tokens, packing.tiles, packing.examples)
    tokens = places = 0
    for step in range(0, 200, 10):
        examples, too_long = data.examples(step)
        rows = widths(examples, pack(examples, room, stacked=True))
        assert len(rows) <= packing.packs
        assert too_long == 0
        tokens += sum(rows)
        places += len(rows) * rows[0]
    # A clip has twice the tokens of anything else, and few rows of 416 add up: longer ones would.
    assert tokens / places >= (0.96 if stage == "stage3" else 0.97)
