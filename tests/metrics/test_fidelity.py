"""Language fidelity: right, wrong or undecided; a short answer is never wrong."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.metrics.made_fasttext import write_fasttext
from towereval.errors import ScoringFailed, Unscorable
from towereval.metrics import identification
from towereval.metrics.fidelity import LanguageFidelity, Verdict, decide, verdicts
from towereval.types import Response, Sample

needs_lingua = pytest.mark.skipif(find_spec("lingua") is None, reason="needs the metrics extra")


@pytest.fixture(autouse=True)
def default(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """lingua, found anew by each test that hides it."""
    monkeypatch.delenv(identification.GLOTLID, raising=False)
    yield
    if sys.modules.get("lingua", 1) is None or identification.find.cache_info().currsize > 1:
        identification.find.cache_clear()


# Requested language, answer, whether it is right (None: undecided), what it is taken for.
GOLDEN = [
    ("de", "Ein brauner Hund läuft über die Wiese.", True, "de"),
    ("de", "A brown dog is running across the meadow.", False, "en"),
    ("en", "A brown dog is running across the meadow.", True, "en"),
    ("fr", "Un chien brun court dans la prairie.", True, "fr"),
    ("cs", "Hnědý pes běží přes louku k rybníku.", True, "cs"),
    ("pt-BR", "Um cachorro marrom está correndo no campo.", True, "pt-BR"),
    ("pt-PT", "Um cachorro marrom está correndo no campo.", True, "pt-PT"),
    ("no", "En brun hund løper over den grønne enga mot huset.", True, "no"),
    ("nn", "En brun hund løper over den grønne enga mot huset.", True, "nn"),
    ("hr", "Smeđi pas trči preko zelene livade prema kući.", True, "hr"),
    ("sr", "Браон пас трчи преко зелене ливаде према кући.", True, "sr"),
    ("sr", "Smeđi pas trči preko zelene livade prema kući.", False, "Latin script"),
    ("ru", "Коричневый пёс бежит по зелёному лугу.", True, "ru"),
    ("ru", "Korichnevyy pyos bezhit po zelyonomu lugu.", False, "Latin script"),
    ("uk", "Коричневый пёс бежит по зелёному лугу.", False, "ru"),
    ("ar", "كلب بني يركض في المرج الأخضر", True, "ar"),
    ("fa", "سگ قهوه‌ای در چمنزار سبز می‌دود", True, "fa"),
    ("hi", "एक भूरा कुत्ता हरे मैदान में दौड़ रहा है", True, "hi"),
    ("th", "สุนัขสีน้ำตาลกำลังวิ่งอยู่ในทุ่งหญ้า", True, "th"),
    ("ja", "茶色い犬が草原を走っています。", True, "ja"),
    ("ja", "一只棕色的狗在草地上奔跑。", False, "zh"),
    ("ja", "ﾁｬｲﾛｲ犬ｶﾞ草原ｦ走ｯﾃｲﾏｽ", True, "ja"),
    (
        "en",
        "Ａ ｂｒｏｗｎ ｄｏｇ ｉｓ ｒｕｎｎｉｎｇ ａｃｒｏｓｓ ｔｈｅ ｍｅａｄｏｗ.",
        True,
        "en",
    ),
    ("ko", "갈색 개가 풀밭을 달리고 있다.", True, "ko"),
    ("zh", "一只棕色的狗在草地上奔跑。", True, "zh"),
    ("zh", "一隻棕色的狗在草地上奔跑，還有貓。", True, "zh"),
    ("zh-Hans", "一只棕色的狗在草地上奔跑，还有猫。", True, "zh-Hans"),
    ("zh-Hans", "一隻棕色的狗在草地上奔跑，還有貓。", False, "zh-Hant"),
    ("zh-Hant", "一只棕色的狗在草地上奔跑，还有猫。", False, "zh-Hans"),
    ("quz", "Huk ch'unpi alqu q'umir pampapi sayashan.", None, ""),
    ("quz", "สุนัขสีน้ำตาลกำลังวิ่งอยู่ในทุ่งหญ้า", False, "Thai script"),
    ("km", "ឆ្កែពណ៌ត្នោតកំពុងរត់លើវាលស្មៅ", None, ""),
    ("de", "Hund", None, ""),
    ("de", "dog", None, ""),
    ("de", "", None, ""),
    ("de", "42 !!! 😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀", None, ""),
    ("zh", "狗", None, ""),
    ("th", "หมา", None, ""),
]
UNKNOWN = ("quz", "km")  # to lingua


@needs_lingua
@pytest.mark.parametrize(("language", "answer", "right", "taken"), GOLDEN)
def test_what_an_answer_is_taken_for(
    language: str, answer: str, right: bool | None, taken: str
) -> None:
    (verdict,) = verdicts([(language, answer)])
    assert (verdict.right, verdict.language) == (right, taken)
    assert bool(verdict.reason) == (right is None)


@pytest.mark.parametrize(
    ("language", "found", "verdict"),
    [
        ("de", {"de": 0.6, "nl": 0.3}, Verdict("de", True)),
        ("de", {"de": 0.3, "nl": 0.6}, Verdict("nl", False)),
        ("de", {"de": 0.35, "nl": 0.3}, None),
        ("no", {"nb": 0.3, "nn": 0.3, "da": 0.35}, Verdict("no", True)),  # they count together
        ("hr", {"bs": 0.5, "sl": 0.2}, Verdict("hr", True)),
        ("id", {"ms": 0.5, "en": 0.2}, Verdict("id", True)),
        ("de", {}, None),
        ("de", {"en": 1.0}, Verdict("en", False)),
    ],
)
def test_neither_clearly_likelier_is_undecided(
    language: str, found: dict[str, float], verdict: Verdict | None
) -> None:
    decided = decide(language, found)
    assert decided == verdict if verdict else decided.right is None


@needs_lingua
def test_odd_answers_never_fail_and_are_never_wrong_for_being_short() -> None:
    chance = random.Random(7)
    letters = [chr(code) for code in (*range(0x20, 0x250), 0xD800, 0x1F600, 0x200D, 0x202E, 0x4E00)]
    odd = ["".join(chance.choices(letters, k=chance.randrange(12))) for _ in range(200)]
    odd += ["\x00", "\ud800" * 40, "a" * 300_000, "\n" * 1000, "<|im_end|>", "\u0300" * 100]
    found = verdicts([("de", text) for text in odd])
    assert [one.right for one in found[:200]] == [None] * 200


@needs_lingua
def test_a_score_or_a_counted_reason() -> None:
    samples = [Sample(f"{n}", language, (), ()) for n, (language, *_) in enumerate(GOLDEN)]
    answers = [[Response("", answer)] for _, answer, *_ in GOLDEN]
    scorer = LanguageFidelity().over(zip(samples, answers, strict=True))
    for sample, answer, (language, _, right, taken) in zip(samples, answers, GOLDEN, strict=True):
        if language in UNKNOWN:  # else its only scores were those of answers in another script
            assert scorer(sample, answer) == ()
        elif right is None:
            with pytest.raises(Unscorable, match="undecided: "):
                scorer(sample, answer)
        else:
            assert scorer(sample, answer) == (float(right),)
            assert scorer.remark(sample) == ("" if right else f"taken for {taken}")


@needs_lingua
def test_an_option_is_no_text_of_its_own() -> None:
    sample = Sample("1", "de", (), (), choices=("A brown dog runs", "Two brown dogs run"))
    assert LanguageFidelity().sample(sample, [Response("", "A brown dog runs over it")]) == ()


@needs_lingua
def test_what_decides_is_in_the_signature() -> None:
    assert LanguageFidelity().signature.startswith(
        "language_fidelity|identifier:lingua:2.1.1/58/5|"
    )


def test_without_lingua_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    identification.find.cache_clear()
    monkeypatch.setitem(sys.modules, "lingua", None)
    sample = Sample("1", "de", (), ())
    with pytest.raises(Unscorable, match=r"lingua is not installed.*towereval\[metrics\]"):
        LanguageFidelity().sample(sample, [Response("", "Ein brauner Hund läuft.")])


def test_a_glotlid_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    identification.find.cache_clear()
    monkeypatch.setenv(identification.GLOTLID, str(tmp_path / "model_v3.bin"))
    assert "identifier:glotlid:missing|" in LanguageFidelity().signature
    with pytest.raises(Unscorable, match="GLOTLID") as raised:
        LanguageFidelity().sample(Sample("1", "de", (), ()), [Response("", "Ein Hund läuft.")])
    identification.find.cache_clear()
    assert isinstance(raised.value, ScoringFailed) == (find_spec("fasttext") is not None)


def test_labels_of_glotlid_are_merged() -> None:
    found = [(0.4, "__label__cmn_Hans"), (0.3, "__label__cmn_Hani"), (0.1, "__label__xyz_Latn")]
    assert identification._merged(found) == pytest.approx({"zh": 0.7, "xyz": 0.1})
    assert identification._merged([(1.0, "__label__pes_Arab")]) == {"fa": 1.0}


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("srp_Cyrl", "sr"),
        ("srp_Latn", "sr-Latn"),
        ("kor_Hang", "ko"),
        ("jpn_Jpan", "ja"),
        ("tgl_Latn", "tl"),
        ("hin_Latn", "hi-Latn"),
        ("apc_Arab_nort3139", "ar"),
        ("und_Mong", "und-Mong"),
    ],
)
def test_a_label_in_another_script_is_another_language(label: str, code: str) -> None:
    assert identification._merged([(1.0, f"__label__{label}")]) == {code: 1.0}


def test_glotlid_is_read_from_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By a model of three words in fastText's own format."""
    pytest.importorskip("fasttext")
    words = {"quem": "quz_Latn", "srpski": "srp_Latn", "hrvatski": "hrv_Latn"}
    file = write_fasttext(tmp_path / "model_v3.bin", words)
    identification.find.cache_clear()
    monkeypatch.setenv(identification.GLOTLID, str(file))
    try:
        asked = [("quz", "quem " * 5), ("de", "quem " * 5), ("hr", "srpski " * 5)]
        asked += [("sr", "srpski " * 5), ("hr", "srpski hrvatski " * 3)]
        found = [(one.right, one.language) for one in verdicts(asked)]
        expected = [(True, "quz"), (False, "quz"), (True, "hr"), (False, "Latin script")]
        assert found == [*expected, (True, "hr")]
        assert f"|identifier:glotlid:{identification._digest(str(file))}|" in (
            LanguageFidelity().signature
        )
    finally:
        identification.find.cache_clear()


def test_what_is_no_glotlid_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("fasttext")
    file = tmp_path / "model_v3.bin"
    file.write_bytes(b"no model")
    identification.find.cache_clear()
    monkeypatch.setenv(identification.GLOTLID, str(file))
    with pytest.raises(ScoringFailed, match="no fastText model"):
        LanguageFidelity().sample(Sample("1", "de", (), ()), [Response("", "Ein Hund läuft.")])
    identification.find.cache_clear()
