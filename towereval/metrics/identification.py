"""Which language a text is in: by lingua, whose models come with its wheel, or by GlotLID.

lingua (https://github.com/pemistahl/lingua-py, Apache-2.0) is the default. GlotLID v3
(https://huggingface.co/cis-lmu/glotlid, Apache-2.0) knows 2,102 languages and scripts; its
model_v3.bin is read where TOWEREVAL_GLOTLID names it and fasttext is installed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from towereval.errors import ModelError, UsageError
from towereval.languages import LANGUAGES
from towereval.metrics.extras import extra_module

GLOTLID = "TOWEREVAL_GLOTLID"
# What counts as the language that was asked for. The identifiers cannot tell these apart well
# enough for a model to be blamed: the varieties of Portuguese, Chinese and Norwegian, Croatian from
# Bosnian, Indonesian from Malay. Danish is not Norwegian. The script is checked on its own.
_ACCEPTED = {
    "fil": ("tl",),
    "hr": ("hr", "bs"),
    "id": ("id", "ms"),
    "nb": ("nb", "nn"),
    "nn": ("nn", "nb"),
    "no": ("nb", "nn"),
    "pt-BR": ("pt",),
    "pt-PT": ("pt",),
    "zh-Hans": ("zh",),
    "zh-Hant": ("zh",),
}
# What lingua chooses from besides our own languages: what an answer may be mistaken for.
_NEIGHBOURS = ("be", "bg", "bs", "ca", "et", "eu", "lt", "lv", "mk", "ms", "sk", "sl", "tl")
# ISO 639-3 -> the code above, for GlotLID's labels; macro-languages are merged.
_ISO_639_3 = """
am:amh ar:ara,arb,arz,apc,acm,acq,aeb,ajp,ars,ary be:bel bg:bul bn:ben bs:bos ca:cat cs:ces da:dan
de:deu el:ell en:eng es:spa et:est,ekk eu:eus fa:fas,pes,prs fi:fin fr:fra he:heb hi:hin hr:hrv
hu:hun id:ind is:isl it:ita ja:jpn ka:kat km:khm ko:kor lo:lao lt:lit lv:lav,lvs mi:mri mk:mkd
ms:msa,zsm,zlm my:mya nb:nob,nor nl:nld nn:nno pl:pol pt:por quz:quz,que,quy ro:ron ru:rus si:sin
sk:slk sl:slv sr:srp sv:swe sw:swa,swh ta:tam te:tel th:tha tl:fil,tgl tr:tur uk:ukr ur:urd vi:vie
zh:zho,cmn,wuu,yue zu:zul
"""
_FROM_ISO = {
    iso: code
    for code, each in (pair.split(":") for pair in _ISO_639_3.split())
    for iso in each.split(",")
}


class Identifier(Protocol):
    @property
    def signature(self) -> str: ...

    def knows(self, language: str) -> bool: ...

    def identify(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
        """The likeliest languages of each text with their probabilities."""


def accepted(language: str) -> tuple[str, ...]:
    """The identifier's codes that count as the language."""
    return _ACCEPTED.get(language, (language,))


def identifier_name() -> str:
    """The signature of what `find` will give, without loading it."""
    if path := os.environ.get(GLOTLID):
        return f"glotlid:{_digest(path)}" if Path(path).is_file() else "glotlid:missing"
    try:
        return f"lingua:{importlib.metadata.version('lingua-language-detector')}"
    except importlib.metadata.PackageNotFoundError:
        return "lingua:none"


@cache
def find() -> Identifier:
    """Raises `MissingExtra`, or `UsageError` or `ModelError` for a GlotLID that cannot be read."""
    path = os.environ.get(GLOTLID)
    return _glotlid(path) if path else _lingua()


@dataclass(frozen=True, slots=True)
class _Lingua:
    detector: Any
    codes: frozenset[str]

    @property
    def signature(self) -> str:
        return identifier_name()

    def knows(self, language: str) -> bool:
        return set(accepted(language)) <= self.codes

    def identify(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
        found = self.detector.compute_language_confidence_values_in_parallel(list(texts))
        return [
            {one.language.iso_code_639_1.name.lower(): one.value for one in each[:8]}
            for each in found
        ]


@dataclass(frozen=True, slots=True)
class _GlotLid:
    model: Any
    signature: str

    def knows(self, language: str) -> bool:
        return set(accepted(language)) <= set(_FROM_ISO.values())

    def identify(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
        return [_merged(self._predict(text)) for text in texts]

    def _predict(self, text: str) -> Sequence[tuple[float, str]]:
        # The model's own method: fasttext's wrapper around it fails with NumPy 2.
        found: Sequence[tuple[float, str]] = self.model.f.predict(f"{text}\n", 16, 0.0, "strict")
        return found


def _merged(found: Sequence[tuple[float, str]]) -> Mapping[str, float]:
    """`__label__cmn_Hans` and `__label__cmn_Hani` are both zh; unknown labels stay as they are."""
    merged: dict[str, float] = {}
    for probability, label in found:
        iso = label.removeprefix("__label__").partition("_")[0]
        code = _FROM_ISO.get(iso, iso)
        merged[code] = merged.get(code, 0.0) + probability
    return merged


def _lingua() -> Identifier:
    lingua = extra_module("lingua")
    wanted = {one for code in LANGUAGES for one in accepted(code)} | set(_NEIGHBOURS)
    languages = [one for one in lingua.Language.all() if one.iso_code_639_1.name.lower() in wanted]
    codes = frozenset(one.iso_code_639_1.name.lower() for one in languages)
    return _Lingua(lingua.LanguageDetectorBuilder.from_languages(*languages).build(), codes)


def _glotlid(path: str) -> Identifier:
    try:
        import fasttext
    except ImportError as error:
        raise UsageError(
            f"{GLOTLID} is set but fasttext is not installed; run: pip install fasttext-wheel"
        ) from error
    if not Path(path).is_file():
        raise ModelError(f"{GLOTLID}: there is no file {path}; wanted GlotLID's model_v3.bin")
    try:
        return _GlotLid(fasttext.load_model(path), f"glotlid:{_digest(path)}")
    except ValueError as error:
        raise ModelError(f"{GLOTLID}: {path} is no fastText model: {error}") from error


@cache
def _digest(path: str) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]
