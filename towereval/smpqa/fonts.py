"""A font that can show a label, or a refusal that names the package to install: never empty boxes.

Noto fonts by script, laid out by RAQM: without it Arabic letters are not joined and Devanagari
conjuncts not formed.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from towereval.errors import UsageError
from towereval.languages import LANGUAGES

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
    Path("/Library/Fonts"),
)
CORE, CJK = "fonts-noto-core", "fonts-noto-cjk"
# The faces of the CJK collection; Han characters look different in each.
_CJK_FACES = {"ja": 0, "ko": 1, "zh": 2, "zh-Hans": 2, "zh-Hant": 3}
_CJK_SCRIPTS = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}
# The first word of a character's Unicode name -> the family. Others are NotoSans and that word.
_FAMILIES = {
    "LATIN": "NotoSans",
    "CYRILLIC": "NotoSans",
    "GREEK": "NotoSans",
    "ARABIC": "NotoNaskhArabic",
    "TIBETAN": "NotoSerifTibetan",
}
_NASTALIQ = "NotoNastaliqUrdu"


@dataclass(frozen=True, slots=True)
class Face:
    """A font file, the face within it, and the language whose shapes it is asked for."""

    file: Path
    index: int
    language: str

    def at(self, size: int) -> FreeTypeFont:
        from PIL import ImageFont

        return ImageFont.truetype(self.file, size, self.index, layout_engine=ImageFont.Layout.RAQM)


@dataclass(frozen=True, slots=True)
class Faces:
    """The numbers of an axis have a face of their own: many fonts of a script have no digits."""

    labels: Face
    numbers: Face


def faces_for(language: str, words: Iterable[str], folders: Sequence[Path] = FOLDERS) -> Faces:
    """As `face_for`, for labels and numbers."""
    return Faces(face_for(language, words, folders), face_for("en", ("a0123456789",), folders))


def face_for(language: str, words: Iterable[str], folders: Sequence[Path] = FOLDERS) -> Face:
    """The face that has every character of the words.

    Raises `UsageError` where it or text layout is not installed, where the words mix scripts, or
    where the font lacks a character.
    """
    check_layout()
    text = "".join(sorted(set("".join(words))))
    name, index, package = _wanted(language, text)
    file = _find(name, folders)
    if file is None:
        spoken = LANGUAGES[language].english
        raise UsageError(
            f"no font for {spoken}: {name} is in none of the font folders; install it:"
            f" apt-get install {package}, or name its folder: --fonts DIR"
        )
    face = Face(file, index, language)
    lacking = missing(face, text)
    if lacking:
        shown = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in lacking[:5])
        raise UsageError(
            f"{file.name} has no glyph for {shown}: install a newer {package} or drop those words"
        )
    return face


def check_layout() -> None:
    """Raises `UsageError` where Pillow cannot shape and order text."""
    from PIL import features

    if not features.check("raqm"):
        raise UsageError(
            "Pillow cannot load RAQM, without which Arabic, Hebrew and Indic labels come out wrong:"
            " apt-get install libraqm0 libfribidi0"
        )


def missing(face: Face, text: str) -> list[str]:
    """The characters that the face would show as an empty box."""
    font = face.at(32)
    box = _shape(font, "\U0010ffff")
    return [
        character
        for character in text
        if unicodedata.category(character) not in ("Zs", "Cf") and _shape(font, character) == box
    ]


def _shape(font: FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _wanted(language: str, text: str) -> tuple[str, int, str]:
    """File name, index of the face and Debian package."""
    scripts = {
        unicodedata.name(character, "?").split()[0]
        for character in text
        if unicodedata.category(character)[0] == "L"
    }
    if not scripts:
        raise UsageError(f"the words for {language!r} hold no letter")
    if scripts <= _CJK_SCRIPTS:
        return "NotoSansCJK-Regular.ttc", _CJK_FACES.get(language, 0), CJK
    families = {_family(script, language) for script in scripts}
    if len(families) > 1:
        raise UsageError(
            f"the words for {language!r} mix scripts ({', '.join(sorted(scripts))}), for which no"
            " one font is good: keep those of one script"
        )
    return f"{families.pop()}-Regular.ttf", 0, CORE


def _family(script: str, language: str) -> str:
    if script == "ARABIC" and language == "ur":
        return _NASTALIQ
    return _FAMILIES.get(script) or f"NotoSans{script.title()}"


def _find(name: str, folders: Iterable[Path]) -> Path | None:
    for folder in folders:
        for place, _, files in os.walk(folder):
            if name in files:
                return Path(place) / name
    return None
