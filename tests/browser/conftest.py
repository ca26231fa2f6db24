"""A real Chromium: without one tests are skipped, or fail if TOWEREVAL_NEEDS_BROWSER is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.boards import Made, make_board
from tests.browser.chromium import CHROMIUM, FLAGS

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _lacking("Playwright: pip install 'towereval[browser]'")
    if not CHROMIUM:
        _lacking("Chromium: make browser, or CHROMIUM=PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


def _lacking(what: str) -> None:
    if os.environ.get("TOWEREVAL_NEEDS_BROWSER"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_board(tmp_path_factory.mktemp("board"))


@pytest.fixture
def wide(browser: Any) -> Iterator[Any]:
    yield from opened(browser, WIDE, "light")


@pytest.fixture(params=[(WIDE, "light"), (PHONE, "dark")], ids=["wide-light", "phone-dark"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    yield from opened(browser, *request.param)


def opened(browser: Any, viewport: dict[str, int], colours: str) -> Iterator[Any]:
    """A page that must neither complain nor ask for anything that is not on the disk."""
    context = browser.new_context(viewport=viewport, color_scheme=colours)
    context.set_default_timeout(10_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert faults == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
