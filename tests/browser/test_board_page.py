"""The page opens from a disk, sorts, filters, and every cell opens its samples."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from tests.browser.boards import Made
from tests.browser.page import ROWS, cell, models, show

pytestmark = pytest.mark.browser
ORDER = ["alpha-70b", "beta-9b", "gamma-9b"]  # by the average, which delta-2b lacks


def test_the_page_opens_and_says_what_it_holds(page: Any, made: Made) -> None:
    show(page, made.address)
    assert sorted(models(page)) == ["alpha-70b", "beta-9b", "delta-2b", "gamma-9b"]
    assert "4 models, 3 tasks, 5 languages" in page.inner_text("#summary")
    status = page.inner_text("#status")
    assert "4 of 4 models, 3 columns, 15,600 scores, 28 failed" in status
    heads = page.locator("#grid thead th button").all_inner_texts()
    assert any(head.endswith("n ≤ 2,000") for head in heads)  # a model lacks a language
    assert any(head.endswith("n 800") for head in heads)
    assert "imported" in page.inner_text(f'{ROWS}:has-text("gamma-9b") th.model')


def test_what_average_means_is_beside_it(wide: Any, made: Made) -> None:
    show(wide, made.address)
    meaning = wide.inner_text("#meaning")
    assert "unweighted mean of 2 tasks (questions accuracy, signs macro F1)" in meaning
    assert "5 languages (en, de, fr, ko, uk; English is in)" in meaning
    assert "Not in it: captions BLEU." in meaning
    wide.uncheck("[name=english]")
    assert "4 languages (de, fr, ko, uk; English is out)" in wide.inner_text("#meaning")
    wide.select_option("[name=measure]", label="captions BLEU")
    assert "Average: captions BLEU, unweighted mean over 2 languages (de, fr)." in wide.inner_text(
        "#meaning"
    )


def test_a_model_that_lacks_a_language_has_no_average(wide: Any, made: Made) -> None:
    show(wide, made.address)
    assert models(wide)[-1] == "delta-2b"
    assert cell(wide, "delta-2b", -1).inner_text().startswith("7 of 8")
    assert wide.evaluate("[...towereval.view.average.value].filter(Number.isNaN).length") == 1
    assert wide.inner_text(f'{ROWS}:has-text("delta-2b") td.rank') == "–"
    # Of the languages that it has it has one.
    show(wide, made.address, "languages=de.en")
    assert wide.evaluate("[...towereval.view.average.value].filter(Number.isNaN).length") == 0


def test_a_click_on_a_head_sorts(page: Any, made: Made) -> None:
    show(page, made.address)
    assert models(page)[:3] == ORDER
    page.click('#grid [data-sort="name"]')
    assert models(page) == ["alpha-70b", "beta-9b", "delta-2b", "gamma-9b"]
    page.click('#grid [data-sort="name"]')
    assert models(page)[0] == "gamma-9b"
    assert page.get_attribute("#grid th.model", "aria-sort") == "descending"
    page.evaluate("document.querySelector('[data-sort=\"2\"]').click()")
    shown = page.evaluate("towereval.view.order.map(m => towereval.view.ranked.value[m])")
    assert shown == sorted(shown, reverse=True)
    assert page.evaluate("document.activeElement.dataset.sort") == "2"


@pytest.mark.parametrize(
    ("control", "value", "left"),
    [
        ("q", "9B gam", ["gamma-9b"]),
        ("size", "10", ["beta-9b", "gamma-9b"]),
        ("licence", "proprietary", ["alpha-70b"]),
    ],
)
def test_filters_leave_the_models_they_name(
    wide: Any, made: Made, control: str, value: str, left: list[str]
) -> None:
    show(wide, made.address)
    field = wide.locator(f"[name={control}]")
    field.fill(value) if control == "q" else field.select_option(value)
    wide.wait_for_function(f"towereval.view.order.length === {len(left)}")
    assert sorted(models(wide)) == left
    assert f"{len(left)} of 4 models" in wide.inner_text("#status")


def test_imported_runs_can_be_left_out(wide: Any, made: Made) -> None:
    show(wide, made.address)
    wide.check("[name=own]")
    assert "gamma-9b" not in models(wide)


@pytest.mark.parametrize(
    ("languages", "codes"),
    [
        ("group:core", ["en", "de", "fr"]),
        ("group:added", ["ko", "uk"]),
        ("tier:T5", ["de", "fr"]),
        ("script:Cyrl", ["uk"]),
        ("ko", ["ko"]),
    ],
)
def test_language_groups_select_columns(
    wide: Any, made: Made, languages: str, codes: list[str]
) -> None:
    show(wide, made.address, "view=language")
    wide.select_option("[name=languages]", languages)
    heads = wide.eval_on_selector_all(
        "#grid thead th[aria-colindex] button bdi", "all => all.map(each => each.textContent)"
    )
    assert heads[2:] == codes


def test_a_tab_shows_one_language(page: Any, made: Made) -> None:
    show(page, made.address)
    page.click('#tabs [data-code="ko"]')
    assert page.get_attribute('#tabs [data-code="ko"]', "aria-selected") == "true"
    assert page.evaluate("towereval.view.columns.map(c => c.title.split(', ').at(-1))") == [
        "Korean",
        "Korean",
    ]
    page.focus('#tabs [data-code="ko"]')
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("towereval.state.languages") == "fr"
    page.keyboard.press("Home")
    assert page.evaluate("towereval.state.languages") == ""


def test_the_address_carries_the_view(wide: Any, made: Made) -> None:
    view = "view=both&cells=heat&languages=de.en.ko&sort=0%3Ade&order=up"
    show(wide, made.address, view)
    assert wide.evaluate("towereval.view.ranked.id") == "0:de"
    assert wide.locator("#grid.heat").count() == 1
    wide.check("[name=own]")
    given = parse_qs(urlparse(wide.url).fragment)
    assert given == {**parse_qs(view), "own": ["1"]}
    wide.evaluate("location.hash = 'languages=uk'")
    wide.wait_for_function("towereval.view.codes.join() === 'uk'")
    assert wide.evaluate("towereval.state.cells") == "intervals"


def test_a_cell_opens_its_samples(page: Any, made: Made) -> None:
    show(page, made.address, "languages=de")
    cell(page, "alpha-70b", 1).click()
    page.wait_for_selector("dialog[open] .sample")
    assert page.inner_text("#dialog-title") == "alpha-70b: questions accuracy in German"
    samples = page.locator(".sample").all_inner_texts()
    assert len(samples) == 2
    [right] = [text for text in samples if "✓ correct" in text]
    for text in ("Wer ist das? 0", "Fuchs questions", "Ein Fuchs"):
        assert text in right
    [failed] = [text for text in samples if "out of memory" in text]
    assert "not judged" in failed
    page.wait_for_function("document.querySelector('.sample img').naturalWidth === 224")
    facts = page.inner_text("#dialog-body > dl")
    assert "400" in facts
    assert "7" in facts  # failed
    page.click("#close")
    assert page.evaluate("document.activeElement.dataset.column") == "1"


def test_an_average_opens_its_languages(wide: Any, made: Made) -> None:
    show(wide, made.address)
    cell(wide, "alpha-70b", -1).click()
    plots = wide.locator(".plot h3").all_inner_texts()
    assert plots == ["questions accuracy by language", "signs macro F1 by language"]
    wide.click('.plot [data-measure="1"][data-code="ko"]')
    wide.wait_for_selector("#samples:has-text('No samples were kept of this result')")
    wide.click('.plot [data-measure="1"][data-code="de"]')
    wide.wait_for_selector("#samples .sample")


def test_keys_reach_every_cell_and_its_samples(page: Any, made: Made) -> None:
    show(page, made.address)
    page.focus("#grid td[tabindex='0']")
    for key in ("Home", "ArrowDown", "ArrowRight", "End", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("dialog[open]")
    assert page.evaluate("document.activeElement.id") == "dialog-title"
    page.keyboard.press("Escape")
    at = "[document.activeElement.dataset.row, document.activeElement.dataset.column].join()"
    assert page.evaluate(at) == "1,1"


def test_without_its_samples_the_page_says_so(browser: Any, made: Made, tmp_path: Any) -> None:
    alone = tmp_path / "index.html"
    alone.write_bytes((made.folder / "index.html").read_bytes())
    page = browser.new_page()
    show(page, alone.as_uri())
    cell(page, "alpha-70b", -1).click()
    page.wait_for_selector("#samples:has-text('is not beside this page')")
    page.close()


def test_an_average_names_who_is_missing(wide: Any, made: Made) -> None:
    show(wide, made.address, "languages=group:core")
    meaning = wide.inner_text("#meaning")
    assert "3 languages (en, de, fr; English is in)" in meaning
    assert "Of core nl, pt, ru, zh-Hans, zh-Hant, es, it are missing." in meaning
    wide.uncheck("[name=english]")
    assert "Of core nl," in wide.inner_text("#meaning")  # who is out is not missing
    wide.select_option("[name=languages]", "script:Latn")
    assert "missing" not in wide.inner_text("#meaning")
