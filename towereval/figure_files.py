"""Figures as files, and the fonts that their texts need. Needs matplotlib (extra `plots`)."""

from __future__ import annotations

import io
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towereval.data.media import write_atomically
from towereval.errors import StoreError, UsageError
from towereval.printable import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# How many narrow characters of a title fit into a plot's width, and of smaller texts.
TITLE, SMALL = 66, 92


def save(figure: Figure, file: Path) -> None:
    """Raises `UsageError` for an ending other than .png and .svg, and `StoreError`."""
    import matplotlib
    from matplotlib.text import Text

    form = file.suffix.lower().removeprefix(".")
    if form not in ("png", "svg"):
        raise UsageError(f"{file}: a plot is a .png or an .svg")
    texts: list[Any] = figure.findobj(Text)
    for text in texts:
        text.set_parse_math(False)  # a dollar in a model's name is no formula
    families, missing = _families({char for text in texts for char in text.get_text()})
    if form == "png":
        for text in texts:
            drawn = "".join(_drawn(char, missing) for char in text.get_text())
            text.set_text(fit(drawn, TITLE if text.get_fontsize() > 10 else SMALL))
    options = {"svg.fonttype": "none", "svg.hashsalt": "towereval"}
    stream = io.BytesIO()
    with matplotlib.rc_context(options), warnings.catch_warnings():
        if form == "svg":  # It keeps its texts: who opens it has other fonts than this machine.
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        for text in texts:
            if text.get_text().isascii():
                text.set_fontfamily([families[0], "sans-serif"])
            else:
                # Few fonts of other scripts are bold, and matplotlib complains of each.
                weight = {"fontweight": "normal"} if families[1:] else {}
                text.set(fontfamily=[*families, "sans-serif"], **weight)
        no_date = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(stream, format=form, dpi=200, metadata=no_date, facecolor="white")
    try:
        write_atomically(file, stream.getvalue())
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error


def _families(chars: set[str]) -> tuple[list[str], set[str]]:
    """Fonts of this machine that have the characters, and those that none has."""
    from matplotlib import font_manager, ft2font

    def lacks(path: str) -> set[str]:
        try:
            known = ft2font.FT2Font(path).get_charmap()
        except (OSError, RuntimeError):
            return missing  # matplotlib's list is older than the fonts, or the file is torn
        return {char for char in missing if ord(char) not in known}

    families = ["DejaVu Sans"]  # comes with matplotlib
    missing = {char for char in chars if char.isprintable()}
    missing = lacks(font_manager.findfont(families[0]))
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: entry.fname):
        if not missing:
            break
        if entry.name.startswith("Last Resort") or entry.style != "normal" or entry.weight != 400:
            continue
        if (left := lacks(entry.fname)) != missing:
            families.append(entry.name)
            missing = left
    return families, missing


def fit(text: str, places: int = TITLE) -> str:
    """The text in one line of the plot's width; Chinese takes two places a character."""
    shown, width = "", 0
    for char in visible(text, 2 * places):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width >= places:
            return f"{shown}…"
        shown += char
    return shown


def _drawn(char: str, missing: set[str]) -> str:
    return f"\\u{ord(char):04x}" if char in missing else char
