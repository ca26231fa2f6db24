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

# Their tasks whose questions and answers are in one language.
_IN_ONE: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("ai2d", "chartqa", "coco2017_cap_val", "docvqa_val", "gqa", "hallusion_bench_image"),
        *("infovqa_val", "mmbench_en_dev", "mme", "mmmu_val", "mmstar", "nocaps_val", "ocrbench"),
        *("ok_vqa_val2014", "pope", "pope_adv", "pope_pop", "pope_random", "realworldqa"),
        *("scienceqa_img", "seedbench", "stvqa", "textcaps_val", "textvqa_val"),
        *("vizwiz_vqa_val", "vqav2_val"),
    ),
    "ko": ("mmbench_ko_dev", "mmstar_ko", "seedbench_ko"),
    "ru": ("gqa-ru", "mmbench_ru_dev"),
    "zh": ("cmmmu_val", "mmbench_cn_cc", "mmbench_cn_dev"),
}
# What is known of the languages of their own tasks, as `metadata: towereval:` of a YAML says it.
THEIR_LANGUAGES: Mapping[str, Mapping[str, Any]] = {
    **{name: {"language": code} for code, names in _IN_ONE.items() for name in names},
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
