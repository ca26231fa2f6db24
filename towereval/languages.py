"""Languages by BCP-47 code: names, script, and the groups that the papers average over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from towereval.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Language:
    """`script` is the ISO 15924 code in which the benchmarks write the language."""

    code: str
    english: str
    own: str
    script: str


LANGUAGES = {
    language.code: language
    for language in (
        Language("af", "Afrikaans", "Afrikaans", "Latn"),
        Language("am", "Amharic", "አማርኛ", "Ethi"),
        Language("ar", "Arabic", "العربية", "Arab"),
        Language("arz", "Egyptian Arabic", "مصرى", "Arab"),
        Language("ber", "Berber", "Tamaziɣt", "Latn"),
        Language("bg", "Bulgarian", "български", "Cyrl"),
        Language("bn", "Bengali", "বাংলা", "Beng"),
        Language("br", "Breton", "brezhoneg", "Latn"),
        Language("cs", "Czech", "čeština", "Latn"),
        Language("da", "Danish", "dansk", "Latn"),
        Language("de", "German", "Deutsch", "Latn"),
        Language("el", "Greek", "ελληνικά", "Grek"),
        Language("en", "English", "English", "Latn"),
        Language("es", "Spanish", "español", "Latn"),
        Language("fa", "Persian", "فارسی", "Arab"),
        Language("fi", "Finnish", "suomi", "Latn"),
        Language("fil", "Filipino", "Filipino", "Latn"),
        Language("fr", "French", "français", "Latn"),
        Language("ga", "Irish", "Gaeilge", "Latn"),
        Language("ha", "Hausa", "Hausa", "Latn"),
        Language("he", "Hebrew", "עברית", "Hebr"),
        Language("hi", "Hindi", "हिन्दी", "Deva"),
        Language("hr", "Croatian", "hrvatski", "Latn"),
        Language("hu", "Hungarian", "magyar", "Latn"),
        Language("id", "Indonesian", "Bahasa Indonesia", "Latn"),
        Language("ig", "Igbo", "Igbo", "Latn"),
        Language("is", "Icelandic", "íslenska", "Latn"),
        Language("it", "Italian", "italiano", "Latn"),
        Language("ja", "Japanese", "日本語", "Jpan"),
        Language("jv", "Javanese", "basa Jawa", "Latn"),
        Language("ka", "Georgian", "ქართული", "Geor"),
        Language("km", "Khmer", "ខ្មែរ", "Khmr"),
        Language("ko", "Korean", "한국어", "Kore"),
        Language("lo", "Lao", "ລາວ", "Laoo"),
        Language("mi", "Māori", "te reo Māori", "Latn"),
        Language("min", "Minangkabau", "Baso Minangkabau", "Latn"),
        Language("mn", "Mongolian", "монгол", "Cyrl"),
        Language("mr", "Marathi", "मराठी", "Deva"),
        Language("ms", "Malay", "Bahasa Melayu", "Latn"),
        Language("my", "Burmese", "မြန်မာ", "Mymr"),
        Language("nb", "Norwegian Bokmål", "norsk bokmål", "Latn"),
        Language("nl", "Dutch", "Nederlands", "Latn"),
        Language("nn", "Norwegian Nynorsk", "norsk nynorsk", "Latn"),
        Language("no", "Norwegian", "norsk", "Latn"),
        Language("om", "Oromo", "Afaan Oromoo", "Latn"),
        Language("pl", "Polish", "polski", "Latn"),
        Language("pt", "Portuguese", "português", "Latn"),
        Language("pt-BR", "Brazilian Portuguese", "português brasileiro", "Latn"),
        Language("pt-PT", "European Portuguese", "português europeu", "Latn"),
        Language("quz", "Cusco Quechua", "qhichwa", "Latn"),
        Language("ro", "Romanian", "română", "Latn"),
        Language("ru", "Russian", "русский", "Cyrl"),
        Language("rw", "Kinyarwanda", "Ikinyarwanda", "Latn"),
        Language("si", "Sinhala", "සිංහල", "Sinh"),
        Language("sr", "Serbian", "српски", "Cyrl"),
        Language("su", "Sundanese", "basa Sunda", "Latn"),
        Language("sv", "Swedish", "svenska", "Latn"),
        Language("sw", "Swahili", "Kiswahili", "Latn"),
        Language("ta", "Tamil", "தமிழ்", "Taml"),
        Language("te", "Telugu", "తెలుగు", "Telu"),
        Language("th", "Thai", "ไทย", "Thai"),
        Language("tr", "Turkish", "Türkçe", "Latn"),
        Language("uk", "Ukrainian", "українська", "Cyrl"),
        Language("und", "undetermined", "", "Zyyy"),
        Language("ur", "Urdu", "اردو", "Arab"),
        Language("vi", "Vietnamese", "Tiếng Việt", "Latn"),
        Language("zh", "Chinese", "中文", "Hani"),
        Language("zh-Hans", "Simplified Chinese", "简体中文", "Hans"),
        Language("zh-Hant", "Traditional Chinese", "繁體中文", "Hant"),
        Language("zu", "Zulu", "isiZulu", "Latn"),
    )
}

# TowerVision (arXiv 2510.21849): footnote 2 for the twenty supported, table 11 for the rest.
# "Added" are the supported ones outside the core.
GROUPS: dict[str, tuple[str, ...]] = {
    "core": ("en", "de", "nl", "pt", "ru", "zh-Hans", "zh-Hant", "es", "fr", "it"),
    "added": ("uk", "hi", "cs", "ko", "ja", "pl", "ro", "nn", "nb"),
    "unseen": ("da", "fi", "hu", "is", "sv"),
    "tower20": (
        *("en", "de", "nl", "es", "fr", "pt-PT", "pt-BR", "uk", "hi", "zh-Hans", "zh-Hant", "ru"),
        *("cs", "ko", "ja", "it", "pl", "ro", "nn", "nb"),
    ),
    # LRM-LLaVA's ten.
    "lrm10": ("en", "cs", "de", "fr", "hr", "it", "ro", "ru", "es", "zh"),
    # Centurio's test suite without CVQA (arXiv 2501.05122, table 11: its rows, which it counts 43).
    "centurio": (
        *("af", "am", "ar", "bn", "ber", "zh", "hr", "quz", "cs", "da", "nl", "en", "fil", "fi"),
        *("fr", "de", "ha", "he", "hi", "hu", "id", "it", "ja", "ko", "mi", "el", "no", "fa", "pl"),
        *("pt", "ro", "ru", "es", "sw", "sv", "ta", "te", "th", "tr", "uk", "vi", "zu"),
    ),
}

# How many resources a language has, from T1 to T5: the classes of Joshi et al. 2020
# (https://doi.org/10.18653/v1/2020.acl-main.560) that Centurio (arXiv 2501.05122, table 7) averages
# over. English, of the highest class, is in none: there it has a column of its own. Class 0, to
# which it gives no name, is counted with T1; Filipino is Tagalog's.
_TIERS = {
    "T5": "ar de es fr ja zh zh-Hans zh-Hant",
    "T4": "nl ko it pt pt-BR pt-PT ru pl tr fa hi cs hu vi sv fi hr sr ca eu",
    "T3": "id uk bn he el bg da ro th ms ta sk sl lt lv et ur af ceb kk be ka gl bs uz la tl fil"
    " arz",
    "T2": "am ga ha is lo mr mt pa sa sw ti tn wo xh yo zu ht",
    "T1": "as az ber bm bo br cy eo gd ig jv ki km lb ln mi min mn my nb nn no oc om qu rw sc sd sg"
    " si sm so sq ss su te tpi ts tw war quz",
}
TIERS = {tier: tuple(codes.split()) for tier, codes in _TIERS.items()}


# A benchmark that does not tell a language's varieties apart is meant by a group that does, and one
# that does by a group that does not.
PLAIN = {"zh-Hans": "zh", "zh-Hant": "zh", "pt-PT": "pt", "pt-BR": "pt", "nb": "no", "nn": "no"}


@dataclass(frozen=True, slots=True)
class Present:
    """A group's members among the languages that something has, in its order, and what it lacks."""

    name: str
    members: tuple[str, ...]
    missing: tuple[str, ...]


def members(group: str) -> tuple[str, ...]:
    """Of a group, of `tier:T3` or of `script:Arab`, as far as we know; () for any other name."""
    kind, _, name = group.partition(":")
    if kind == "tier":
        return TIERS.get(name, ())
    if kind == "script":
        return tuple(code for code, known in LANGUAGES.items() if known.script == name)
    return GROUPS.get(group, ())


def meant(code: str) -> tuple[str, ...]:
    """The code, its plain code and its varieties: what a group means that has it."""
    plain = [PLAIN[code]] if code in PLAIN else []
    return (code, *plain, *(variety for variety, known in PLAIN.items() if known == code))


def expand(wanted: Iterable[str]) -> tuple[str, ...]:
    """Codes for codes; for groups their members and what these mean in benchmarks."""
    codes: list[str] = []
    for name in wanted:
        of_script = name.startswith("script:")  # each code's own
        found = members(name)
        others = [] if of_script else [each for code in found for each in meant(code)[1:]]
        codes += [*found, *dict.fromkeys(others)] or [name]
    return tuple(codes)


def among(group: str, offered: Sequence[str]) -> Present:
    """A script lacks nothing: it is whatever is written in it."""
    chosen = set(expand((group,)))
    here = tuple(code for code in offered if code in chosen)
    lacking = [code for code in members(group) if not set(meant(code)) & set(here)]
    return Present(group, here, () if group.startswith("script:") else tuple(lacking))


def select(wanted: Iterable[str], offered: Sequence[str]) -> tuple[str, ...]:
    """The offered languages that codes or groups ask for, in the offered order.

    Nothing wanted means all. Raises `UnknownName` for a code or group that is not offered; a group
    may hold languages that are not, as long as one is.
    """
    chosen: set[str] = set()
    for name in wanted:
        found = [code for code in expand((name,)) if code in offered]
        if not found:
            scripts = {LANGUAGES[code].script for code in offered if code in LANGUAGES}
            named = [*(f"tier:{tier}" for tier in TIERS), *(f"script:{each}" for each in scripts)]
            raise UnknownName("language", name, [*offered, *GROUPS, *named])
        chosen.update(found)
    return tuple(code for code in offered if not chosen or code in chosen)
