"""In which languages models answer: a view of its own, behind each of its cells, in a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.boards import HOSTILE, Made, published, row
from tests.browser.page import cell, models, show
from tests.browser.test_board_looks import axe_faults
from tests.finished_run import finished
from towereval.leaderboard.publish import write_report
from towereval.spoken import Kept, Spoken

pytestmark = pytest.mark.browser
LANGUAGES = ("de", "fr", "ko")
# The first answers Korean in English, and once in what is no language's code.
SHARES = {"native-9b": (1.0, 0.99, 0.4), "tourist-2b": (0.2, 0.1, 0.05)}


def run_with_fidelity(folder: Path, model: str, shares: tuple[float, ...]) -> Path:
    rows = []
    spoken = []
    for code, share in zip(LANGUAGES, shares, strict=True):
        rows.append(row("captions", "bleu", code, 30.0, 2.0))
        limits = {"ci_low": share / 2, "ci_high": (1 + share) / 2}
        rows.append({**row("captions", "language_fidelity", code, share, 0.0), **limits})
        kept = {"bleu": Kept(30.0, 33.26, 30.0, 36.5, 160)} if share < 1 else {}
        wrong = (("en", 239), (HOSTILE, 1)) if share < 1 else ()
        named = ("captions", "made", code)
        spoken.append(Spoken(*named, share, *limits.values(), 400, 17, wrong, kept))
    made = finished(folder / "results", model, "r1", *rows)
    content = json.loads((made / "results.json").read_text())
    content["spoken"] = [one.record() for one in spoken]
    (made / "results.json").write_text(json.dumps(content))
    return made


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("fidelity")
    for model, shares in SHARES.items():
        run_with_fidelity(folder, model, shares)
    return published(folder)


def test_language_fidelity_is_a_view(page: Any, board: Made) -> None:
    show(page, board.address)
    page.check("[name=view][value=fidelity]")
    assert page.evaluate("towereval.view.columns.map(column => column.head)") == list(LANGUAGES)
    assert models(page) == ["native-9b", "tourist-2b"]
    assert cell(page, "native-9b", 2).inner_text().startswith("40.0")
    assert cell(page, "tourist-2b", -1).inner_text().startswith("11.7")  # the mean of the three
    assert "captions language fidelity, unweighted mean over 3" in page.inner_text("#meaning")
    page.check("[name=cells][value=heat]")
    assert page.locator("#grid.heat").count() == 1
    assert axe_faults(page) == []


def test_a_cell_tells_what_wrong_answers_were_taken_for(page: Any, board: Made) -> None:
    show(page, board.address, "view=fidelity")
    cell(page, "native-9b", 2).click()
    told = page.inner_text("dialog .answered tbody")
    assert "English 239" in told
    assert "BLEU 30.0 → 33.3 (30.0 to 36.5), n 160" in told
    assert page.evaluate("window.hacked") is None
    assert "<img src=x" in told
    assert page.locator("dialog .answered").bounding_box()["height"] > 50
    inside = "dialog => dialog.scrollWidth <= dialog.clientWidth"
    assert page.eval_on_selector("dialog", inside)
    assert axe_faults(page) == []


def test_it_is_in_no_average_over_tasks(wide: Any, board: Made) -> None:
    show(wide, board.address)
    assert wide.evaluate("towereval.board.measures.filter(m => m.averaged).length") == 0


def test_a_report_has_it(page: Any, tmp_path: Path) -> None:
    run = run_with_fidelity(tmp_path, "native-9b", SHARES["native-9b"])
    show(page, write_report(run).as_uri())
    rows = page.locator("#plots .answered tbody tr").all_inner_texts()
    assert len(rows) == len(LANGUAGES)
    assert page.locator("#plots .answered").bounding_box()["width"] > 250
    assert "German" in rows[0] and "100.0%" in rows[0]
    assert "English 239" in rows[2] and "17" in rows[2]
    assert axe_faults(page) == []


def test_a_board_without_it_has_no_such_view(wide: Any, made: Made) -> None:
    show(wide, made.address, "view=fidelity")
    assert not wide.locator("#fidelity").is_visible()
    assert wide.locator("#grid thead th").count() > 1
