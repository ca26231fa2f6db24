"""In which language a logged document is, and by which rule that is known.

The first rule that holds for all of a task's documents: what the user says, what the task's YAML
says under `metadata: towereval:`, a column that names a language, the end of the task's name. Where
none does they are in "und".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from towereval.bridges.lmms_languages import languages_of
from towereval.errors import DataError, UsageError
from towereval.languages import LANGUAGES
from towereval.results import LANGUAGE_CODE

COLUMNS = ("language", "lang", "language_code", "lang_code")
_ENGLISH = {language.english.casefold(): code for code, language in LANGUAGES.items()}
_CODES = {code.casefold(): code for code in LANGUAGES}


@dataclass(frozen=True, slots=True)
class Rule:
    """`codes` has what a column's values mean; without a column there is one value, ""."""

    by: str
    column: str
    codes: Mapping[str, str]

    def language(self, columns: Mapping[str, Any]) -> str:
        """Raises `DataError`."""
        value = str(columns.get(self.column, "")) if self.column else ""
        if value not in self.codes:
            raise DataError(f"column {self.column}: {value!r:.60} names no language")
        return self.codes[value]


def find_rule(
    task: str, given: str, metadata: object, documents: Sequence[Mapping[str, Any]]
) -> Rule:
    """`given` is what the user says, "" for nothing; `documents` need no columns but `COLUMNS`.

    Raises `UsageError` for a code that is none.
    """
    if given:
        if not re.fullmatch(LANGUAGE_CODE, given) or given == "*":
            raise UsageError(f"--language {given!r:.60} is no language code")
        return Rule("--language", "", {"": given})
    if isinstance(metadata, Mapping) and metadata:
        column, codes = languages_of(task, metadata)
        return Rule("the task's metadata", column, codes)
    for column in COLUMNS:
        values = {str(document.get(column, "")) for document in documents}
        found = {value: known(value) for value in values}
        if found and all(found.values()):
            return Rule(f"the column {column!r}", column, found)
    for divided in (r"[_./:]", r"[_./:-]"):  # a code may have a dash itself
        *begin, end = re.split(divided, task)
        if begin and (code := known(end, names=False)):
            return Rule("the end of the task's name", "", {"": code})
    return Rule("no rule: nothing says them", "", {"": "und"})


def split_of(metadata: object) -> str:
    """What our own exports say of the data."""
    told = metadata.get("split") if isinstance(metadata, Mapping) else None
    return "sample" if told == "sample" else "full"


def known(text: str, *, names: bool = True) -> str:
    """The code that a text is or names in English, "" for none."""
    told = text.casefold()
    return _CODES.get(told.replace("_", "-"), "") or (_ENGLISH.get(told, "") if names else "")
