"""Hostile names and answers are shown as the texts that they are; no or few runs are no trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.boards import HOSTILE, make_board, make_hostile_board
from tests.browser.page import models, show
from towereval.leaderboard.publish import write_report

pytestmark = pytest.mark.browser


def test_hostile_texts_are_only_texts(page: Any, tmp_path: Path) -> None:
    made = make_hostile_board(tmp_path)
    assert max(len(model["name"]) for model in made.content["models"]) > 1_000_000
    assert (made.folder / "index.html").stat().st_size < 400_000
    show(page, made.address)
    assert all(name.startswith(("0<img src=x", "1<img src=x")) for name in models(page))
    assert all(len(name) <= 200 and "\u202e" not in name for name in models(page))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("td[data-column='0']")
    page.wait_for_selector("dialog[open] .sample")
    answer = page.locator(".answer dd").first.inner_text()
    assert answer.startswith("<img src=x onerror=")
    assert r"\u202eevil" in answer
    assert "more characters" in answer
    assert len(answer) < 3_000
    assert page.locator("dialog img").count() == page.locator(".pictures img").count() > 0
    assert page.eval_on_selector("dialog", "dialog => dialog.scrollWidth <= dialog.clientWidth")
    assert page.evaluate("window.hacked") is None
    assert "\u202e" not in page.inner_text("body")
    assert page.locator("script").count() <= 3  # data, script and one file of samples


def test_a_hostile_title_is_a_title(wide: Any, tmp_path: Path) -> None:
    show(wide, make_hostile_board(tmp_path).address)
    shown = HOSTILE.replace("\u202e", "\\u202e")
    assert wide.inner_text("h1") == shown
    assert wide.title() == " ".join(shown.split())


@pytest.mark.parametrize(
    "view", ["view=nonsense", "sort=nowhere", "languages=xx", "measure=99", "q=zzz"]
)
def test_a_hostile_address_shows_a_page(wide: Any, tmp_path: Path, view: str) -> None:
    made = make_board(tmp_path)
    show(wide, made.address, f"{view}&nonsense=%3Cscript%3E&__proto__=1")
    assert wide.locator("#grid thead th").count() > 1


def test_a_run_has_a_report_of_its_own(page: Any, tmp_path: Path) -> None:
    make_board(tmp_path)
    file = write_report(tmp_path / "results" / "alpha-70b" / "r1")
    alone = tmp_path / "elsewhere.html"
    alone.write_bytes(file.read_bytes())  # it needs nothing beside it
    show(page, alone.as_uri())
    assert models(page) == ["alpha-70b"]
    assert "Run r1 (measured" in page.inner_text("#summary")
    page.locator("#plots button", has_text="German").first.click()
    page.wait_for_selector("dialog[open]")
    page.click("#close")
    page.click('#plots [data-measure="1"][data-code="de"]')
    page.wait_for_selector("dialog[open] .sample")
    page.wait_for_function("document.querySelector('.sample img').naturalWidth === 224")
