from __future__ import annotations

import pytest

from towereval.errors import Unscorable
from towereval.metrics.alm_bench import (
    KEYWORDS,
    gold_letter,
    official_prompt,
    option_label,
    split_options,
)


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("form", ["x ({}: x, y)", "x（{}：x，y）。", " x. ( {} : x、y). "])
def test_every_keyword_opens_the_options(keyword: str, form: str) -> None:
    if form.startswith(" x"):
        form = form.replace("( ", "(")
    for written in (keyword, keyword.upper(), keyword.lower()):
        assert split_options(form.format(written)) == ("x", ("x", "y"))


def test_labels() -> None:
    assert [option_label(index) for index in (0, 1, 25, 26, 27, 51, 52)] == [
        *("A", "B", "Z", "AA", "AB", "AZ", "BA")
    ]


def test_the_first_of_equally_like_options_is_gold() -> None:
    assert gold_letter(("ab", "ba", "AB"), "ab") == "A"


def test_no_options_no_gold() -> None:
    with pytest.raises(Unscorable):
        gold_letter((), "x")


def test_a_choice_without_parentheses_cannot_be_asked() -> None:
    with pytest.raises(Unscorable):
        official_prompt("Multiple Choice Questions", "Which?", "x", "German")
