"""Which languages the documents of a task of lmms-eval are in, of which its format knows nothing.

A YAML says it under `metadata`, where lmms-eval allows anything:

    metadata:
      towereval:
        language: de                  all are in German; or, by document:
        language_column: tongue
        languages: {German: de, French: fr}

A task that says nothing and is not known here is in "und".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from towereval.errors import UsageError
from towereval.results import LANGUAGE_CODE

# What is known of the languages of their own tasks, as `metadata: towereval:` of a YAML says it.
THEIR_LANGUAGES: Mapping[str, Mapping[str, Any]] = {
    **{name: {"language": "en"} for name in ("mme", "mmmu_val", "ocrbench", "pope", "textvqa_val")},
    "cc_ocr_multi_lan_ocr": {
        "language_column": "split",
        "languages": {
            "Arabic": "ar",
            "French": "fr",
            "German": "de",
            "Italian": "it",
            "Japanese": "ja",
            "Korean": "ko",
            "Portuguese": "pt",
            "Russian": "ru",
            "Spanish": "es",
            "Vietnamese": "vi",
        },
    },
}


def languages_of(name: str, told: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The column that names a document's language, "" for none, and what its values mean.

    Raises `UsageError`.
    """
    told = told or THEIR_LANGUAGES.get(name, {"language": "und"})
    column = str(told.get("language_column", ""))
    codes = {str(k): str(v) for k, v in told.get("languages", {}).items()}
    codes = codes if column else {"": str(told.get("language", ""))}
    for code in codes.values():
        if not re.fullmatch(LANGUAGE_CODE, code) or code == "*":
            raise UsageError(f"lmms:{name}: metadata.towereval: {code!r} is no language code")
    if not codes:
        raise UsageError(f"lmms:{name}: metadata.towereval names a column but no languages")
    return column, codes
