"""What tests do with the page."""

from __future__ import annotations

from typing import Any

ROWS = "#grid tbody tr[aria-rowindex]"


def show(page: Any, address: str, view: str = "") -> None:
    """Load the page anew at a view, such as `view=both&cells=heat`."""
    page.goto("about:blank")
    page.goto(f"{address}#{view}")
    page.wait_for_function("window.towereval?.visible")


def models(page: Any) -> list[str]:
    """Names in the order shown."""
    names: list[str] = page.eval_on_selector_all(
        f"{ROWS} th.model bdi", "all => all.map(each => each.textContent)"
    )
    return names


def cell(page: Any, model: str, column: int) -> Any:
    """A cell by its model; column -1 is the average."""
    row = page.locator(ROWS).filter(has=page.locator(f'th.model[title="{model}"]'))
    return row.locator(f'td[data-column="{column}"]')
