"""A loss is ranked from the smallest, a bias is ranked by nobody and coloured by nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.boards import Made, published, row
from tests.browser.page import ROWS, cell, models, show
from tests.finished_run import finished

pytestmark = pytest.mark.browser
# Accuracy, loss and bias.
VALUES = {"low-2b": (0.4, 0.1, 0.9), "high-9b": (0.8, 0.7, 0.2)}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder: Path = tmp_path_factory.mktemp("better")
    for model, (right, loss, yes) in VALUES.items():
        rows = [
            row("questions", "accuracy", "de", right, 0.02),
            {**row("captions", "loss", "de", loss, 0.02), "better": "smaller"},
            {**row("questions", "yes_rate", "de", yes, 0.02), "better": "neither"},
        ]
        finished(folder / "results", model, "r1", *rows)
    return published(folder)


def ranks(page: Any) -> list[str]:
    found: list[str] = page.locator(f"{ROWS} td.rank").all_inner_texts()
    return found


def column_of(page: Any, metric: str) -> int:
    found = page.evaluate(
        "metric => towereval.view.columns.findIndex(column => column.title.includes(metric))",
        metric,
    )
    assert found >= 0
    return int(found)


def test_a_column_is_ranked_the_way_its_metric_is_better(page: Any, board: Made) -> None:
    show(page, board.address)
    assert (models(page), ranks(page)) == (["high-9b", "low-2b"], ["1", "2"])
    loss, bias = (
        column_of(page, "loss, smaller is better"),
        column_of(page, "yes rate, neither way"),
    )
    names = page.evaluate("towereval.view.columns.map(column => column.id)")
    show(page, board.address, f"sort={names[loss]}&order=up")
    assert (models(page), ranks(page)) == (["low-2b", "high-9b"], ["1", "2"])
    show(page, board.address, f"sort={names[bias]}")
    assert (models(page), ranks(page)) == (["low-2b", "high-9b"], ["–", "–"])
    assert "no ranks: neither more nor less of it is better" in page.inner_text("#status")


def test_a_bias_has_no_colours(page: Any, board: Made) -> None:
    show(page, board.address, "cells=heat")
    colours = {}
    for metric in ("accuracy", "loss", "yes rate"):
        column = column_of(page, metric)
        colours[metric] = [cell(page, model, column).get_attribute("class") for model in VALUES]
    assert ["heat-10" in (name or "") for name in colours["accuracy"]] == [False, True]
    assert ["heat-10" in (name or "") for name in colours["loss"]] == [True, False]
    assert not any("heat" in (name or "") for name in colours["yes rate"])
