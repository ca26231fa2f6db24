"""Plots: one right answer to each question, balanced, the same in all languages."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict

import pytest

from towereval.errors import DataError, UsageError
from towereval.smpqa.drawing import spread
from towereval.smpqa.labels import bundled, choose, fold, usable
from towereval.smpqa.plots import BAR_GAP, COLOURS, PIE_GAP, Plot, draw_plots, questions
from towereval.types import digest

LANGUAGES = ("en", "de", "it", "id", "zu", "ar", "hi", "ko", "ru", "th", "zh")
PLOTS = list(draw_plots(0, 50, 50))


def labels(plot: Plot) -> list[str]:
    return [f"w{place}" for place in range(len(plot.parts))]


def test_the_plots_of_a_seed_stay_as_they_are() -> None:
    """Published numbers rest on them."""
    assert digest([asdict(plot) for plot in PLOTS])[:16] == "edd7447bf6b12fd1"
    assert (
        digest([asdict(q) for p in PLOTS for q in questions(p, labels(p), 0)])[:16]
        == "200f176a7acdcd98"
    )


def test_a_plot_is_the_same_however_many_are_drawn() -> None:
    assert list(draw_plots(0, 2, 3)) == [*PLOTS[:2], *PLOTS[50:53]]
    assert list(draw_plots(1, 2, 3)) != [*PLOTS[:2], *PLOTS[50:53]]


def test_the_biggest_and_the_smallest_stand_out() -> None:
    for plot in PLOTS:
        values = sorted(part.value for part in plot.parts)
        gap = BAR_GAP if plot.kind == "bar" else PIE_GAP * sum(values)
        assert values[1] - values[0] >= gap
        assert values[-1] - values[-2] >= gap
        assert 30 <= values[0] < values[-1] <= 100
        assert 4 <= len(values) <= 8


def test_parts_have_colours_of_their_own() -> None:
    for plot in PLOTS:
        colours = [part.colour for part in plot.parts]
        assert len(set(colours)) == len(colours)
        assert set(colours) <= set(COLOURS)
    assert {plot.vertical for plot in PLOTS} == {True, False}


def test_answers_follow_from_the_plot() -> None:
    """Read back from the questions' English, as a model would have to."""
    for plot in PLOTS:
        names = labels(plot)
        value = {name: part.value for name, part in zip(names, plot.parts, strict=True)}
        colour = {name: part.colour for name, part in zip(names, plot.parts, strict=True)}
        named = {colour[name]: name for name in names}
        named |= {"biggest": max(value, key=value.__getitem__)}
        named |= {"smallest": min(value, key=value.__getitem__)}
        for one in questions(plot, names, 0):
            if one.group == "reading":
                found = re.fullmatch(r"What is the label of the (\w+) (bar|slice)\?", one.text)
                assert found
                assert one.answer == named[found[1]]
                continue
            found = re.fullmatch(
                r"Is the (?:bar|slice) with label '(\w+)' (?:the|colored in) (\w+)\?", one.text
            )
            assert found
            assert one.answer == ("yes" if named[found[2]] == found[1] else "no")


def test_questions_are_balanced_and_not_asked_twice() -> None:
    for plot in PLOTS:
        asked = questions(plot, labels(plot), 0)
        assert Counter((one.group, one.answer in ("yes", "no")) for one in asked) == {
            ("grounding", True): 8,
            ("reading", False): 5,
        }
        assert [one.answer for one in asked[:8]] == ["yes", "no"] * 4
        assert len({one.text for one in asked}) == 13


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_words_can_label_every_plot(language: str) -> None:
    words = usable(bundled(language), language)
    assert len(words.words) == 50
    assert words.dropped == ()
    for plot in PLOTS:
        chosen = [fold(word) for word in choose(words.words, plot, 0)]
        assert len(set(chosen)) == len(plot.parts)
        for one in chosen:
            others = [other for other in chosen if other != one]
            assert not any(other.startswith(one) or other.endswith(one) for other in others)


NINE = ["Haus", "Baum", "Stuhl", "Tisch", "Lampe", "Blume", "Garten", "Brücke", "Wagen"]


@pytest.mark.parametrize(
    ("words", "dropped"),
    [
        (["haus"], "folds to the same as 'Haus'"),
        (["STRASSE", "Straße"], "folds to the same as 'STRASSE'"),
        (["Bru\u0308cke"], "folds to the same as 'Brücke'"),
        (["ab"], "has 2 characters, 3 to 14 are readable"),
        (["Donaudampfschifffahrt"], "has 21 characters"),
        (["Haus7"], "holds a digit"),
        (["A\u202eb\u202cc"], "holds a digit, a symbol or a control character"),
        (["d'abord"], "holds a quotation mark"),
        (["yes"], "is an answer of other questions"),
        (["", "   "], ""),
    ],
)
def test_a_word_that_cannot_be_a_label_is_named(words: list[str], dropped: str) -> None:
    found = usable([*NINE, *words], "de")
    assert set(NINE) <= set(found.words)
    assert [reason[: len(dropped)] for _, reason in found.dropped] == ([dropped] if dropped else [])


@pytest.mark.parametrize("words", [[], [""], ["Haus"] * 50, ["Haus", "HAUS", "haus"]])
def test_too_few_words_are_refused(words: list[str]) -> None:
    with pytest.raises(DataError, match=r"has [01] usable words, a plot needs up to 8"):
        usable(words, "de")


def test_words_that_begin_each_other_do_not_label_a_plot() -> None:
    words = usable([f"Haus{'abcdefghij'[:n]}" for n in range(1, 10)], "de")
    with pytest.raises(DataError, match="has only 1 that go together"):
        choose(words.words, PLOTS[0], 0)


def test_a_language_without_a_list_is_told_how_to_give_one() -> None:
    with pytest.raises(UsageError, match=r"no word list for 'ka'.*--words FILE"):
        bundled("ka")


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([0.0, 100.0], [0.0, 100.0]),
        ([0.0, 10.0], [-10.0, 20.0]),
        ([0.0, 0.0, 0.0], [-30.0, 0.0, 30.0]),
        ([0.0, 10.0, 35.0], [-15.0, 15.0, 45.0]),
    ],
)
def test_labels_of_a_pie_are_spread(wanted: list[float], places: list[float]) -> None:
    assert spread(wanted, 30.0) == pytest.approx(places)
