"""One averaging rule and one rank rule: the page shows what Python reckoned."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.boards import Made
from tests.browser.page import ROWS, show

pytestmark = pytest.mark.browser
ROUNDING = 0.011  # the page has hundredths of a point

COLUMN = """([measures, codes]) => {
    const board = towereval.board;
    const column = overTasks(board, measures, codes);
    const ranks = ranksOf(board, measures, codes);
    const numbers = values => Array.from(values, each => Number.isNaN(each) ? null : each);
    return {value: numbers(column.value), low: numbers(column.low), high: numbers(column.high),
            rank: board.models.map((_, model) => rankText({ranks}, model).replace(/<.?b>/g, ""))};
}"""


def test_every_average_is_pythons(wide: Any, made: Made) -> None:
    show(wide, made.address)
    averages = made.content["averages"]
    assert {each["selection"] for each in averages} > {"all", "core", "all without English"}
    assert any(len(each["measures"]) > 1 for each in averages)
    for average in averages:
        points = made.content["measures"][average["measures"][0]]["points"]
        found = wide.evaluate(COLUMN, [average["measures"], average["languages"]])
        for name, ours in (("value", "value"), ("low", "ci_low"), ("high", "ci_high")):
            for mine, theirs in zip(found[name], average[ours], strict=True):
                assert (mine is None) == (theirs is None), average
                assert mine is None or abs(mine - theirs * points) < ROUNDING, average
        assert found["rank"] == list(map(rank_text, average["rank_best"], average["rank_worst"]))


def test_every_cell_is_pythons(wide: Any, made: Made) -> None:
    show(wide, made.address)
    assert len(made.content["lines"]) == 10
    for line in made.content["lines"]:
        found = wide.evaluate(COLUMN, [[line["measure"]], [line["language"]]])
        points = made.content["measures"][line["measure"]]["points"]
        wanted = [None if value is None else value * points for value in line["value"]]
        assert found["value"] == pytest.approx(wanted, abs=ROUNDING)
        assert found["rank"] == list(map(rank_text, line["rank_best"], line["rank_worst"]))


def test_ranks_are_those_of_the_sorted_column(wide: Any, made: Made) -> None:
    show(wide, made.address)
    models = [model["name"] for model in made.content["models"]]
    [average] = [
        each
        for each in made.content["averages"]
        if each["selection"] == "all" and len(each["measures"]) == 2
    ]
    assert shown_ranks(wide) == ranks_of(models, average)
    assert shown_ranks(wide)["alpha-70b"] == shown_ranks(wide)["beta-9b"] == "1–2"
    wide.click('#grid [data-sort="0"]')
    [captions] = [
        each
        for each in made.content["averages"]
        if each["selection"] == "all" and each["measures"] == [0]
    ]
    assert shown_ranks(wide) == ranks_of(models, captions)


def test_a_selection_without_a_name_has_averages_but_no_ranks(wide: Any, made: Made) -> None:
    show(wide, made.address, "languages=de.ko")
    assert set(shown_ranks(wide).values()) == {"–"}
    assert "no ranks" in wide.inner_text("#status")
    values = wide.evaluate("[...towereval.view.average.value]")
    lines = {(each["measure"], each["language"]): each["value"] for each in made.content["lines"]}
    first = [lines[measure, code][0] * 100 for measure in (1, 2) for code in ("de", "ko")]
    assert values[0] == pytest.approx(sum(first) / 4, abs=ROUNDING)


def shown_ranks(page: Any) -> dict[str, str]:
    rows = page.locator(ROWS)
    names = rows.locator("th.model bdi").all_inner_texts()
    return dict(zip(names, rows.locator("td.rank").all_inner_texts(), strict=True))


def ranks_of(models: list[str], column: dict[str, Any]) -> dict[str, str]:
    ranks = map(rank_text, column["rank_best"], column["rank_worst"])
    return dict(zip(models, ranks, strict=True))


def rank_text(best: int | None, worst: int | None) -> str:
    if best is None:
        return "–"
    return f"{best}" if best == worst else f"{best}–{worst}"
