"""Which columns of an English benchmark are texts to translate; all others stay as they are.

Repositories: https://huggingface.co/datasets/lmms-lab/MME, /POPE, /SEED-Bench, /MMBench. Answers
stay what they are in English ("Yes", "No", a letter): labels, which a model is never shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from towereval.errors import DataError, UnknownName, UsageError
from towereval.types import Dataset

# What MME's questions end with. Yes and no in quotes are the words that an answer is read by.
YES_OR_NO = "Please answer yes or no."
_YES_OR_NO = {
    "cs": "Odpovězte prosím „ano“ nebo „ne“.",
    "de": "Bitte antworten Sie mit „ja“ oder „nein“.",
    "es": "Responda «sí» o «no», por favor.",
    "fr": "Veuillez répondre par « oui » ou « non ».",
    "hr": "Molimo odgovorite s „da“ ili „ne“.",
    "it": "Per favore, rispondi «sì» o «no».",
    "ro": "Vă rugăm să răspundeți cu „da” sau „nu”.",
    "ru": "Пожалуйста, ответьте «да» или «нет».",
    "zh": "请回答“是”或“否”。",
}


@dataclass(frozen=True, slots=True)
class BenchmarkSet:
    """`texts`: columns of a text or of a list of texts.

    `fixed`: sentences that have one translation in each language, whoever translates the rest.
    `kept`: values of a text column that are none, such as a table's "nan". Only rows are translated
    in which the columns of `only` have these values and those of `below` smaller ones.
    """

    dataset: Dataset
    texts: tuple[str, ...]
    fixed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    only: Mapping[str, str] = field(default_factory=dict)
    below: Mapping[str, int] = field(default_factory=dict)

    def has(self, row: Mapping[str, Any]) -> bool:
        """Raises `DataError` where a column is missing or is no number."""
        for column in (*self.only, *self.below):
            if column not in row:
                raise DataError(f"the data has no column {column!r}")
        for column, most in self.below.items():
            if type(row[column]) is not int:
                raise DataError(f"column {column}: wanted a number, found {row[column]!r:.40}")
            if row[column] >= most:
                return False
        return all(str(row[column]) == value for column, value in self.only.items())


SETS: Mapping[str, BenchmarkSet] = MappingProxyType(
    {
        "mme": BenchmarkSet(
            Dataset("lmms-lab/MME", "test", media=("image",)),
            ("question",),
            fixed={YES_OR_NO: _YES_OR_NO},
        ),
        "pope": BenchmarkSet(Dataset("lmms-lab/POPE", "test", media=("image",)), ("question",)),
        "seedbench": BenchmarkSet(
            Dataset("lmms-lab/SEED-Bench", "test", media=("image",)),
            ("question", "choice_a", "choice_b", "choice_c", "choice_d"),
            only={"data_type": "image"},
        ),
        "mmbench": BenchmarkSet(
            Dataset("lmms-lab/MMBench", "dev", config="en", media=("image",)),
            ("question", "hint", "A", "B", "C", "D"),
            kept=("nan",),
            below={"index": 1_000_000},  # the others are the same with their options rotated
        ),
    }
)


def find_set(name: str, file: Path | None) -> BenchmarkSet:
    """A known one, or what a JSON file says: {"split", "texts", "media", "repo", "config", "kept"}.

    Raises `UsageError`.
    """
    if file is None:
        if name not in SETS:
            raise UnknownName("benchmark to translate", name, SETS)
        return SETS[name]
    try:
        row = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--columns {file}: {error}") from error
    known = ("split", "texts", "media", "repo", "config", "kept")
    if not isinstance(row, dict) or not row.get("texts"):
        raise UsageError(f'--columns {file}: wanted {{"split": "test", "texts": ["question"]}}')
    for key in row:
        if key not in known:
            raise UsageError(f"--columns {file}: {UnknownName('key', key, known)}")
    listed = {key: _names(row, key, file) for key in ("texts", "media", "kept")}
    named = {key: str(row.get(key, "")) for key in ("repo", "config")}
    dataset = Dataset(
        named["repo"] or name, str(row.get("split", "test")), named["config"], media=listed["media"]
    )
    return BenchmarkSet(dataset, listed["texts"], kept=listed["kept"])


def _names(row: Mapping[str, Any], key: str, file: Path) -> tuple[str, ...]:
    value = row.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"--columns {file}: {key} is a list of names")
    return tuple(value)
