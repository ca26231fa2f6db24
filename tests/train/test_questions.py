"""Questions with options: what is right is what is drawn, and nothing else tells it."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest

from towereval.train import drawings, drawn, phrases, questions
from towereval.train.packing import Encoder, Rendering


def colour_of(pixels: Any) -> str:
    found = np.median(pixels.reshape(-1, 3), axis=0)
    return min(drawings.RGB, key=lambda name: np.abs(found - drawings.RGB[name]).sum())


def thing(frame: Any) -> Any:
    """Where it is: what differs most from the ground, which has one grey."""
    away = np.abs(frame.astype(float) - np.median(frame, axis=(0, 1))).sum(axis=-1)
    return away > away.max() / 2


def clips(asked: str, count: int, *, held_out: bool) -> list[drawn.Clip]:
    return [drawn.clip(Random(f"{asked} {at}"), asked, held_out) for at in range(count)]


@pytest.mark.parametrize("arrangement", ["beside", "above"])
@pytest.mark.parametrize("asked", [0, 1])
def test_the_answer_is_what_stands_there(arrangement: str, asked: int) -> None:
    x, y = drawings.PLACES[arrangement][asked]
    places: Counter[int] = Counter()
    for seed in range(40):
        picture, listed, answer = drawn.choice(Random(seed), "en", arrangement, asked, False)
        assert answer.split()[1] == colour_of(picture[y - 1 : y + 2, x - 1 : x + 2])
        places[listed.index(answer)] += 1
        # Each colour and each shape twice: the options do not tell which is right.
        words = [option.split()[1:] for option in listed]
        assert len(set(listed)) == 4
        assert {*Counter(colour for colour, _ in words).values()} == {2}
        assert {*Counter(shape for _, shape in words).values()} == {2}
    assert set(places) == {0, 1, 2, 3}


@pytest.mark.parametrize("arrangement", ["beside", "above"])
def test_the_colour_is_that_of_both_things(arrangement: str) -> None:
    places: Counter[int] = Counter()
    for seed in range(40):
        picture, listed, answer = drawn.choice_of_colour(Random(seed), "en", arrangement, False)
        for x, y in drawings.PLACES[arrangement]:
            assert answer == colour_of(picture[y - 1 : y + 2, x - 1 : x + 2])
        assert len(set(listed)) == 4
        places[listed.index(answer)] += 1
    assert set(places) == {0, 1, 2, 3}


@pytest.mark.parametrize("asked", ["first", "last"])
def test_the_colour_that_is_asked_for_comes_then(asked: str) -> None:
    frame = {"first": 0, "last": -1}[asked]
    for clip in clips(asked, 40, held_out=False):
        seen = [colour_of(each[thing(each)]) for each in clip.frames]
        assert len(seen) == drawings.FRAMES
        assert len(set(seen)) == 2
        assert seen[frame] == questions.CHANGES[clip.right]


def test_a_thing_goes_where_the_answer_says() -> None:
    rows, columns = np.mgrid[0 : drawings.SIDE, 0 : drawings.SIDE]
    for clip in clips("move", 40, held_out=False):
        middles = []
        for frame in clip.frames:
            there = thing(frame)
            middles.append((columns[there].mean(), rows[there].mean()))
        right, down = drawings.STEPS[questions.MOVES[clip.right]]
        for (x, y), (next_x, next_y) in itertools.pairwise(middles):
            assert right * (next_x - x) + down * (next_y - y) > 2


@pytest.mark.parametrize("asked", sorted(questions.CLIPS))
def test_no_clip_is_both_trained_and_evaluated(asked: str) -> None:
    trained = {clip.content for clip in clips(asked, 800, held_out=False)}
    evaluated = clips(asked, 200, held_out=True)
    assert len({clip.content for clip in evaluated}) > 8
    assert not trained & {clip.content for clip in evaluated}
    places = Counter(clip.right for clip in evaluated)
    assert min(places[at] for at in range(4)) > 30


def test_pairs_of_shapes_are_held_out_in_all_colours() -> None:
    def pairs(held_out: bool) -> set[frozenset[str]]:
        found = (drawn.scene(Random(at), held_out) for at in range(400))
        return {
            frozenset(shape for _, shape in things) for kind, things in found if kind != "alone"
        }

    trained, evaluated = pairs(False), pairs(True)
    assert len(trained) > 8
    assert evaluated
    assert not trained & evaluated
    assert len(trained | evaluated) == 15
    assert set().union(*trained) == set(phrases.NOUNS)


@pytest.mark.parametrize("kind", ["choice", "clips"])
def test_they_fit_into_the_tiny_recipes_packs(kind: str, encoder: Encoder) -> None:
    examples = [encoder.example(drawn.record(kind, 0, at), Rendering()) for at in range(200)]
    assert max(len(example.ids) for example in examples) <= 208
    assert {len(example.pictures) for example in examples} == {4 if kind == "clips" else 1}
