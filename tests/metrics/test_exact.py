from __future__ import annotations

import pytest

from towereval.errors import Unscorable
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.exact import ChoiceLetter, ExactMatch, OptionLetter, choice_letter
from towereval.types import Metric, Response, Sample


def sample(*references: str) -> Sample:
    choices = ("A. Fado", "B. Tango")
    return Sample(id="1", language="en", prompt=(), references=references, choices=choices)


def score(metric: Metric, text: str, *references: str) -> float:
    (value,) = metric.sample(sample(*references), (Response(key="", text=text),))
    return value


@pytest.mark.parametrize(
    ("text", "references", "expected"),
    [
        ("Fado", ("Fado",), 1.0),
        ("fado", ("Fado",), 0.0),
        ("Fado ", ("Fado",), 0.0),
        ("Fado", ("Tango", "Fado"), 0.0),
        ("", ("",), 1.0),
        ("", (), 0.0),
        ("None", (), 0.0),
    ],
)
def test_exact_match(text: str, references: tuple[str, ...], expected: float) -> None:
    assert score(ExactMatch(), text, *references) == expected


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        ("Final Answer: B", "B", 1.0),
        ("Final Answer: b", "B", 1.0),
        ("Final Answer: B", "b", 1.0),
        ("Final Answer: C", "B", 0.0),
        ("I do not know", "B", 0.0),
        ("", "B", 0.0),
    ],
)
def test_choice_letter(text: str, gold: str, expected: float) -> None:
    assert score(ChoiceLetter(), text, gold) == expected


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [("The best answer is B", "B", 1.0), ("Because", "B", 1.0), ("b", "B", 0.0), ("", "A", 0.0)],
)
def test_option_letter(text: str, gold: str, expected: float) -> None:
    assert score(OptionLetter(), text, gold) == expected


def test_a_letter_is_not_wanted_where_there_are_no_options() -> None:
    question = Sample(id="1", language="en", prompt=(), references=("B",))
    assert OptionLetter().sample(question, (Response(key="", text="B"),)) == ()


def test_centurios_labels() -> None:
    assert score(LabelAccuracy(), "Yes.", "yes") == 0.0
    assert score(LabelAccuracy(relaxed=True), "Yes.", "yes") == 1.0
    assert LabelAccuracy(relaxed=True).name == "relaxed_accuracy"


@pytest.mark.parametrize("metric", [ChoiceLetter(), OptionLetter(), LabelAccuracy()])
def test_nothing_to_compare_with_is_unscorable(metric: Metric) -> None:
    with pytest.raises(Unscorable):
        score(metric, "A")


@pytest.mark.parametrize("metric", [ExactMatch(), ChoiceLetter(), OptionLetter(), LabelAccuracy()])
def test_the_corpus_is_the_mean(metric: Metric) -> None:
    assert metric.corpus((3.0,), 4) == 0.75
    assert metric.mean and metric.scale == 1.0
    assert metric.signature.startswith(f"{metric.name}|rule:")


def test_the_fourth_rule_finds_the_letter_that_an_official_search_finds() -> None:
    """Ours starts at the letter's own line, theirs at the first of the empty lines before it."""
    assert choice_letter("Dances\n\n \t\n  (C) Fado") == "c"
    assert choice_letter("Dances\n\nnone\n\n(D\n)") == "d"
