"""Words as labels: which of a list can be used, and which stand together on a plot.

The bundled lists (words/) are this project's own: the names of the same everyday things in eleven
languages.
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from towereval.errors import DataError, UsageError
from towereval.languages import LANGUAGES
from towereval.smpqa.plots import MOST, Plot

WORDS = Path(__file__).parent / "words"
# Fewest and most characters of a word, as a reader counts them, by script.
_DENSE = {"Hani", "Hans", "Hant", "Jpan", "Kore"}
_ALPHABETS = {"Latn", "Cyrl", "Grek", "Geor", "Armn"}
_LONGEST = 14


@dataclass(frozen=True, slots=True)
class WordList:
    """`dropped`: each word that cannot be a label, with the reason."""

    words: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]


def bundled(language: str) -> list[str]:
    """Raises `UsageError` for a language without a list of our own."""
    file = WORDS / f"{language}.txt"
    if not file.exists():
        known = " ".join(sorted(path.stem for path in WORDS.glob("*.txt")))
        raise UsageError(
            f"no word list for {language!r} comes with towereval (there are: {known}); give one:"
            " --words FILE, one word a line"
        )
    return read(file)


def read(file: Path) -> list[str]:
    """One word a line, UTF-8. Raises `DataError`."""
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read as UTF-8 text: {error}") from error


def usable(words: Iterable[str], language: str) -> WordList:
    """Composed (NFC) words that differ from each other even when folded.

    Raises `DataError` where too few are left to label a plot.
    """
    kept: dict[str, str] = {}
    dropped: list[tuple[str, str]] = []
    for line in words:
        word = " ".join(unicodedata.normalize("NFC", line).split())
        if not word:
            continue
        reason = _fault(word, language)
        if not reason and fold(word) in kept:
            reason = f"folds to the same as {kept[fold(word)]!r}"
        if reason:
            dropped.append((word, reason))
        else:
            kept[fold(word)] = word
    if len(kept) < MOST:
        counts = Counter(reason.partition(" ")[0] for _, reason in dropped)
        why = f"; dropped: {', '.join(f'{w!r} {r}' for w, r in dropped[:3])}" if counts else ""
        raise DataError(
            f"the word list for {language!r} has {len(kept)} usable words, a plot needs up to"
            f" {MOST}{why}"
        )
    return WordList(tuple(kept.values()), tuple(dropped))


def choose(words: Sequence[str], plot: Plot, seed: int) -> tuple[str, ...]:
    """A label for each part; none begins or ends another, which relaxed accuracy could not tell.

    By place in the list, so that lists that are parallel give parallel plots as long as no such
    word is passed over. Raises `DataError`.
    """
    order = list(range(len(words)))
    random.Random(f"smpqa/{seed}/{plot.name}/labels").shuffle(order)
    chosen: list[str] = []
    for place in order:
        if not any(_confusable(fold(words[place]), fold(label)) for label in chosen):
            chosen.append(words[place])
        if len(chosen) == len(plot.parts):
            return tuple(chosen)
    raise DataError(
        f"{plot.name} needs {len(plot.parts)} words none of which begins or ends another; the list"
        f" has only {len(chosen)} that go together: give more words"
    )


def fold(word: str) -> str:
    return unicodedata.normalize("NFC", word.casefold())


def _confusable(one: str, other: str) -> bool:
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return longer.startswith(shorter) or longer.endswith(shorter)


def _fault(word: str, language: str) -> str:
    """Why a word cannot be a label, "" where it can."""
    if any(unicodedata.category(character)[0] in "CNS" for character in _joined(word)):
        return "holds a digit, a symbol or a control character"
    if "'" in word or '"' in word:
        return "holds a quotation mark, which the questions set labels in"
    script = LANGUAGES[language].script
    longest = 6 if script in _DENSE else _LONGEST
    fewest = 3 if script in _ALPHABETS else 2
    length = sum(not unicodedata.category(character).startswith("M") for character in word)
    if not fewest <= length <= longest:
        return f"has {length} characters, {fewest} to {longest} are readable"
    if fold(word) in {"yes", "no"}:
        return "is an answer of other questions"
    return ""


def _joined(word: str) -> str:
    """Without the joiners that Persian, Sinhala and others need within words."""
    return word.replace("\u200c", "").replace("\u200d", "")
