"""Which language a text is in: by lingua, whose models come with its wheel, or by GlotLID.

lingua (https://github.com/pemistahl/lingua-py, Apache-2.0) is the default. GlotLID v3
(https://huggingface.co/cis-lmu/glotlid, Apache-2.0) knows 2,102 languages and scripts; its
model_v3.bin is read where TOWEREVAL_GLOTLID names it and fasttext is installed.

Nothing else is loaded or asked: no text leaves the machine.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from towereval.errors import MissingExtra, ModelError
from towereval.languages import LANGUAGES
from towereval.metrics.extras import extra_module

GLOTLID = "TOWEREVAL_GLOTLID"
# What counts as the language that was asked for. The identifiers cannot tell these apart well
# enough for a model to be blamed: the varieties of Portuguese, Chinese and Norwegian, Croatian from
# Bosnian and from Serbian in Latin letters, Indonesian from Malay. Danish is not Norwegian. The
# script is checked on its own.
_ACCEPTED = {
    "arz": ("ar",),
    "fil": ("tl",),
    "hr": ("hr", "bs", "sr-Latn"),
    "id": ("id", "ms"),
    "ms": ("ms", "id"),
    "nb": ("nb", "nn"),
    "nn": ("nn", "nb"),
    "no": ("nb", "nn"),
    "pt-BR": ("pt",),
    "pt-PT": ("pt",),
    "zh-Hans": ("zh",),
    "zh-Hant": ("zh",),
}
# What lingua chooses from, fixed because every further candidate moves the numbers and leaves more
# short sentences undecided: our languages and those that an answer in one of them is mistaken for.
CANDIDATES = (
    "af ar be bg bn bs ca cs da de el en es et eu fa fi fr ga he hi hr hu id is it ja ka ko lt lv"
    " mi mk mn mr ms nb nl nn pl pt ro ru sk sl sr sv sw ta te th tl tr uk ur vi zh zu"
)
LIKELIEST = 5
# ISO 639-3 -> the code above, for GlotLID's labels. Merged is what GlotLID's own map for FLORES
# merges (pes and prs, cmn in either script, acq with arb, the varieties of apc), and further the
# members of a macro-language where that is what one asks for: ara, zho, msa, que, swa.
_ISO_639_3 = """
af:afr am:amh ar:ara,arb,arz,apc,acm,acq,aeb,ajp,ars,ary be:bel ber:ber,kab,rif,shi,tzm,zgh bg:bul
bn:ben br:bre bs:bos ca:cat cs:ces da:dan de:deu el:ell en:eng es:spa et:est,ekk eu:eus
fa:fas,pes,prs fi:fin fr:fra ga:gle ha:hau he:heb hi:hin hr:hrv hu:hun id:ind ig:ibo is:isl it:ita
ja:jpn jv:jav ka:kat km:khm ko:kor lo:lao lt:lit lv:lav,lvs mi:mri min:min mk:mkd mn:mon,khk mr:mar
ms:msa,zsm,zlm my:mya nb:nob,nor nl:nld nn:nno om:orm,gaz pl:pol pt:por quz:quz,que,quy ro:ron
ru:rus rw:kin si:sin sk:slk sl:slv sr:srp su:sun sv:swe sw:swa,swh ta:tam te:tel th:tha tl:fil,tgl
tr:tur uk:ukr ur:urd vi:vie zh:zho,cmn,wuu,yue zu:zul
"""
_FROM_ISO = {
    iso: code
    for code, each in (pair.split(":") for pair in _ISO_639_3.split())
    for iso in each.split(",")
}
# GlotLID's name of a script -> ours; zh is in any of the three.
_SCRIPTS = {"Hans": "Hani", "Hant": "Hani", "Hang": "Kore"}


class Identifier(Protocol):
    @property
    def signature(self) -> str: ...

    def knows(self, language: str) -> bool: ...

    def identify(self, asked: Sequence[tuple[str, str]]) -> list[Mapping[str, float]]:
        """The likeliest languages of each text, which was asked for in a language, with their
        probabilities.
        """


def accepted(language: str) -> tuple[str, ...]:
    """The identifier's codes that count as the language."""
    return _ACCEPTED.get(language, (language,))


def identifier_name() -> str:
    """The signature of what `find` will give, without loading it."""
    if path := os.environ.get(GLOTLID):
        return f"glotlid:{_digest(path)}" if Path(path).is_file() else "glotlid:missing"
    try:
        version = importlib.metadata.version("lingua-language-detector")
        return f"lingua:{version}/{len(CANDIDATES.split())}/{LIKELIEST}"
    except importlib.metadata.PackageNotFoundError:
        return "lingua:none"


@cache
def find() -> Identifier:
    """Raises `MissingExtra`, or `ModelError` for a GlotLID that cannot be read."""
    path = os.environ.get(GLOTLID)
    return _glotlid(path) if path else _lingua()


@dataclass(frozen=True, slots=True)
class _Lingua:
    """Its quick mode, by trigrams, names the likeliest; its exact mode decides between them and
    what was asked for. Models of languages that never are among them are not loaded: all take 6 s
    and 0.8 GB.
    """

    quick: Any
    build: Callable[[frozenset[str]], Any]
    codes: frozenset[str]

    @property
    def signature(self) -> str:
        return identifier_name()

    def knows(self, language: str) -> bool:
        return accepted(language)[0] in self.codes

    def identify(self, asked: Sequence[tuple[str, str]]) -> list[Mapping[str, float]]:
        alike: dict[frozenset[str], list[int]] = {}
        quick = _values(self.quick, [text for _, text in asked])
        for place, ((language, _), values) in enumerate(zip(asked, quick, strict=True)):
            likeliest = {*list(values)[:LIKELIEST], *accepted(language)}
            alike.setdefault(self.codes & likeliest, []).append(place)
        found: dict[int, Mapping[str, float]] = {}
        for codes, places in alike.items():
            exact = _values(self.build(codes), [asked[place][1] for place in places])
            found |= zip(places, exact, strict=True)
        return [found[place] for place in range(len(asked))]


@dataclass(frozen=True, slots=True)
class _GlotLid:
    model: Any
    signature: str

    def knows(self, language: str) -> bool:
        return accepted(language)[0] in _FROM_ISO.values()

    def identify(self, asked: Sequence[tuple[str, str]]) -> list[Mapping[str, float]]:
        return [_merged(self._predict(text)) for _, text in asked]

    def _predict(self, text: str) -> Sequence[tuple[float, str]]:
        # The model's own method: one of the packages that have it fails with NumPy 2 around it.
        found: Sequence[tuple[float, str]] = self.model.f.predict(f"{text}\n", 16, 0.0, "strict")
        return found


def _merged(found: Sequence[tuple[float, str]]) -> Mapping[str, float]:
    """`__label__cmn_Hans` and `__label__cmn_Hani` are both zh; unknown labels stay as they are.

    A label in another script than its language is written in here keeps the script: sr-Latn.
    """
    merged: dict[str, float] = {}
    for probability, label in found:
        iso, _, script = label.removeprefix("__label__").partition("_")
        code = _FROM_ISO.get(iso, iso)
        known = LANGUAGES.get("fil" if code == "tl" else code)
        script = _SCRIPTS.get(script[:4], script[:4])
        if known is not None and script and script != known.script:
            code = f"{code}-{script}"
        merged[code] = merged.get(code, 0.0) + probability
    return merged


def _lingua() -> Identifier:
    lingua = extra_module("lingua")
    languages = {one.iso_code_639_1.name.lower(): one for one in lingua.Language.all()}
    codes = frozenset(CANDIDATES.split())

    def builder(chosen: frozenset[str]) -> Any:
        among = [languages[code] for code in sorted(chosen)]
        return lingua.LanguageDetectorBuilder.from_languages(*among)

    quick = builder(codes).with_low_accuracy_mode().build()
    return _Lingua(quick, lambda chosen: builder(chosen).build(), codes)


def _values(detector: Any, texts: list[str]) -> list[dict[str, float]]:
    """Of each text all languages with their probabilities, the likeliest first."""
    found = detector.compute_language_confidence_values_in_parallel(texts)
    return [{one.language.iso_code_639_1.name.lower(): one.value for one in each} for each in found]


def _glotlid(path: str) -> Identifier:
    try:
        import fasttext
    except ImportError as error:
        raise MissingExtra(f"{GLOTLID} is set but fasttext", "glotlid") from error
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
