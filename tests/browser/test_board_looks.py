"""The page can be read: on a screen and a phone, in the light and in the dark, and by software."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.browser.boards import Made, published
from tests.browser.page import cell, models, show
from tests.finished_run import finished

pytestmark = pytest.mark.browser
VIEWS = ("", "cells=heat", "view=language", "view=language&cells=heat", "view=both&cells=heat")
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
FAULTS = """rules => axe.run(document, {runOnly: rules}).then(
    found => found.violations.map(each => `${each.id}: ${each.nodes[0].html}`))"""
CONTRAST = """selector => {
    const light = colour => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(part => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    return Math.min(...[...document.querySelectorAll(selector)].map(each => {
        const style = getComputedStyle(each);
        const [a, b] = [light(style.color), light(style.backgroundColor)];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }));
}"""


def axe_faults(page: Any) -> list[str]:
    script = resources.files("axe_playwright_python") / "axe.min.js"
    page.evaluate(script.read_text(encoding="utf-8"))
    faults: list[str] = page.evaluate(FAULTS, RULES)
    return faults


@pytest.mark.parametrize("view", VIEWS)
def test_software_can_read_the_page(page: Any, made: Made, view: str) -> None:
    show(page, made.address, view)
    assert axe_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_software_can_read_the_samples(page: Any, made: Made) -> None:
    show(page, made.address)
    cell(page, "alpha-70b", -1).click()
    page.click('.plot [data-measure="1"][data-code="de"]')
    page.wait_for_selector("#samples .sample")
    assert axe_faults(page) == []
    inside = "dialog => dialog.scrollWidth <= dialog.clientWidth"
    assert page.eval_on_selector("dialog", inside)


@pytest.mark.parametrize("view", VIEWS)
def test_rows_and_columns_are_as_large_as_reckoned(page: Any, made: Made, view: str) -> None:
    show(page, made.address, view)
    heights = page.eval_on_selector_all(
        "#grid tbody tr[aria-rowindex]",
        "rows => [...new Set(rows.map(row => row.getBoundingClientRect().height))]",
    )
    assert heights == [page.evaluate("towereval.grid.sizes().row")]
    widths = page.eval_on_selector_all(
        "#grid tbody td[data-column='0']",
        "cells => [...new Set(cells.map(each => each.getBoundingClientRect().width))]",
    )
    assert widths == [page.evaluate("towereval.grid.sizes().width")]
    head = page.eval_on_selector("#grid thead", "head => head.getBoundingClientRect().height")
    assert head == page.evaluate("towereval.grid.sizes().head")


def test_rows_fill_the_box_and_the_next_come_with_scrolling(page: Any, tmp_path: Path) -> None:
    for index in range(80):
        finished(tmp_path / "results", f"m{index:02}", "r1", {"value": 0.2 + index / 200})
    show(page, published(tmp_path).address)
    filled = """() => {
        const box = document.querySelector('#scroll').getBoundingClientRect();
        const rows = [...document.querySelectorAll('#grid tbody tr[aria-rowindex]')];
        return rows.at(-1).getBoundingClientRect().bottom >= box.bottom - 2 && rows.length < 60;
    }"""
    assert page.evaluate(filled)
    assert models(page)[0] == "m79"
    page.evaluate("document.querySelector('#scroll').scrollTo(0, 1e6)")
    page.wait_for_function("document.querySelector('#grid th.model[title=m00]')")
    assert page.evaluate(filled)


def test_numbers_stand_out_from_their_colours(page: Any, made: Made) -> None:
    show(page, made.address, "view=language&cells=heat")
    assert page.evaluate(CONTRAST, "#grid td[class*='heat-']") >= 4.5


@pytest.mark.parametrize("step", range(11))
def test_every_colour_carries_its_ink(page: Any, made: Made, step: int) -> None:
    show(page, made.address, "cells=heat")
    page.evaluate(f"document.querySelector('td[class*=heat-]').className = 'heat-{step}'")
    assert page.evaluate(CONTRAST, f"#grid td.heat-{step}") >= 4.5


def test_no_whisker_of_the_best_is_cut_off(wide: Any, made: Made) -> None:
    show(wide, made.address)
    reaches = wide.evaluate(
        """towereval.view.columns.map(column => {
            const {from, to} = rangeOf(towereval.view, column);
            return towereval.view.models.every(model => Number.isNaN(column.value[model])
                || (from <= column.low[model] && column.high[model] <= to));
        })"""
    )
    assert reaches == [True, True, True]
    # A bar as wide as drawn: from low to high on a track from `from` to `to`.
    bar = wide.evaluate(
        """(() => {
            const column = towereval.view.columns[0], {from, to} = rangeOf(towereval.view, column);
            const share = (column.high[0] - column.low[0]) / (to - from);
            const drawn = document.querySelector('td[data-column="0"]').style;
            return [share * 100, parseFloat(drawn.getPropertyValue('--width'))];
        })()"""
    )
    assert bar[0] == pytest.approx(bar[1], abs=0.1)


def test_the_theme_can_be_chosen(page: Any, made: Made) -> None:
    show(page, made.address)
    grounds = []
    for name in ("light", "dark"):
        page.click("#theme")
        assert page.inner_text("#theme") == f"Theme: {name}"
        grounds.append(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert grounds == ["rgb(252, 252, 253)", "rgb(18, 20, 23)"]


def test_filters_are_folded_on_a_phone(page: Any, made: Made) -> None:
    show(page, made.address)
    phone = page.viewport_size["width"] < 641
    assert page.locator("[name=measure]").is_visible() != phone
    if phone:
        page.click("#more summary")
        page.locator("[name=measure]").wait_for(state="visible")
        assert axe_faults(page) == []
