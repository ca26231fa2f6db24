"""The drawings: the same again, in many languages, never both trained and evaluated."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from towereval.train import drawn, phrases
from towereval.train.mixture import Mixture


def asked(kind: str, count: int, *, held_out: bool) -> set[tuple[str, str]]:
    records = (drawn.record(kind, 0, index, held_out=held_out) for index in range(count))
    return {(record.turns[0].text, record.turns[-1].text) for record in records}


def test_an_example_is_the_same_again() -> None:
    first, again = drawn.record("caption", 3, 5), drawn.record("caption", 3, 5)
    assert first.turns == again.turns
    assert np.array_equal(first.pictures[0], again.pictures[0])
    assert drawn.record("caption", 4, 5).turns != first.turns


def test_captions_agree_in_five_languages() -> None:
    things = (("red", "diamond"), ("green", "star"))
    assert [phrases.caption(language, "beside", things) for language in phrases.LANGUAGES] == [
        "a red diamond is on the left and a green star is on the right.",
        "eine rote Raute ist links und ein grüner Stern ist rechts.",
        "un losange rouge est à gauche et une étoile verte est à droite.",
        "červený kosočtverec je vlevo a zelená hvězda je vpravo.",
        "красный ромб слева и зелёная звезда справа.",
    ]


@pytest.mark.parametrize("kind", ["caption", "translation", "ambiguous", "choice"])
def test_nothing_that_is_evaluated_is_trained(kind: str) -> None:
    trained, evaluated = asked(kind, 3000, held_out=False), asked(kind, 500, held_out=True)
    if kind == "caption":  # all ask to describe: the caption itself is what counts
        trained = {("", answer) for _, answer in trained}
        evaluated = {("", answer) for _, answer in evaluated}
    assert len(evaluated) > 20
    assert not trained & evaluated


def test_printed_words_of_more_than_a_letter_are_disjoint() -> None:
    trained = {answer for _, answer in asked("words", 5000, held_out=False)}
    evaluated = {answer for _, answer in asked("words", 500, held_out=True)}
    assert {len(word) for word in evaluated} == {2, 3, 4}
    assert not trained & evaluated


def test_a_mixture_has_its_shares() -> None:
    mixture = Mixture((2, 1.5, 0.5), seed=1)
    places = [mixture.place(k) for k in range(5000)]
    shares = {source: count / 5000 for source, count in Counter(s for s, _ in places).items()}
    assert shares == pytest.approx({0: 0.5, 1: 0.375, 2: 0.125}, abs=0.005)
    assert len(set(places)) == 5000
    assert sorted(index for source, index in places if source == 2) == list(range(625))
    assert places != [Mixture((2, 1.5, 0.5), seed=2).place(k) for k in range(5000)]
