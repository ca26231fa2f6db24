"""`towereval smpqa generate`: rows, pictures and a manifest; fonts are found or named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.test_cli import error_line, towereval
from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import decode_image
from towereval.errors import DataError, UnknownName, UsageError
from towereval.smpqa import fonts
from towereval.smpqa.fonts import face_for, faces_for, missing
from towereval.smpqa.generate import MANIFEST, ROWS, Generation, generate
from towereval.smpqa.labels import bundled
from towereval.types import Image

NOTO = fonts._find("NotoSans-Regular.ttf", fonts.FOLDERS)
CJK = fonts._find("NotoSansCJK-Regular.ttc", fonts.FOLDERS)
THAI = fonts._find("NotoSansThai-Regular.ttf", fonts.FOLDERS)
needs_fonts = pytest.mark.skipif(
    not (NOTO and CJK and THAI), reason="needs fonts-noto-core and fonts-noto-cjk"
)
GEORGIAN = ["სახლი", "მთვარე", "მდინარე", "ფანჯარა", "პური", "ხიდი", "ყვავილი", "ცხენი", "წიგნი"]


@needs_fonts
@pytest.mark.parametrize("language", ["de", "ar", "hi", "th", "zh"])
def test_a_folder_that_the_task_reads(tmp_path: Path, language: str) -> None:
    done = generate(Generation(language, bars=2, pies=1), tmp_path)
    assert (done.rows, done.questions) == (3, 39)
    task = plugins.load_task("smpqa")
    samples = list(task.samples(FolderSource(tmp_path), [language]))
    assert len(samples) == 39
    for sample in samples:
        picture = sample.prompt[0].parts[0]
        assert isinstance(picture, Image)
        shown = decode_image(picture)
        assert min(shown.size) > 200
        assert max(shown.size) < 1100


@needs_fonts
def test_languages_share_their_plots_and_a_folder(tmp_path: Path) -> None:
    for language in ("de", "ar", "de"):
        generate(Generation(language, bars=2, pies=2), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text("utf-8").splitlines()]
    assert [row["language"] for row in rows] == ["ar"] * 4 + ["de"] * 4
    for ar, de in zip(rows[:4], rows[4:], strict=True):
        assert ar["plot"] == de["plot"]
        assert ar["answer_ground"] == de["answer_ground"]
        assert set(ar["answer_name"]).isdisjoint(de["answer_name"])
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    spoken = manifest["languages"]
    assert spoken["ar"]["plots_sha256"] == spoken["de"]["plots_sha256"]
    assert spoken["ar"]["labels_sha256"] != spoken["de"]["labels_sha256"]
    assert spoken["ar"]["font"] == "NotoNaskhArabic-Regular.ttf"


@needs_fonts
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        generate(Generation("hi", bars=1, pies=1), tmp_path / name)
    for file in (tmp_path / "one").rglob("*.*"):
        assert (
            file.read_bytes()
            == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()
        )


@needs_fonts
def test_an_axis_has_digits_where_the_labels_font_has_none() -> None:
    """Noto's Thai font has none: they were empty boxes."""
    faces = faces_for("th", bundled("th"))
    assert missing(faces.labels, "0123456789") == list("0123456789")
    assert missing(faces.numbers, "0123456789") == []
    assert missing(faces.labels, "".join(bundled("th"))) == []


@needs_fonts
def test_a_language_of_ones_own(tmp_path: Path) -> None:
    words = tmp_path / "ka.txt"
    words.write_text("\n".join([*GEORGIAN, GEORGIAN[0], "7"]), encoding="utf-8")
    done = towereval(
        *("smpqa", "generate", "--language", "ka", "--words", words, "--output", tmp_path / "out"),
        *("--bars", 1, "--pies", 1),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "left out 'სახლი': it folds to the same as 'სახლი'" in done.stdout
    assert "2 plots, 26 questions, 9 words, NotoSansGeorgian-Regular.ttf" in done.stdout
    ours = plugins.load_task("smpqa@towereval")
    assert len(list(ours.samples(FolderSource(tmp_path / "out"), ["ka"]))) == 26


@needs_fonts
def test_a_missing_font_is_named_with_its_package(tmp_path: Path) -> None:
    assert NOTO
    shutil.copy(NOTO, tmp_path)
    with pytest.raises(UsageError, match=r"no font for Thai: NotoSansThai.*fonts-noto-core"):
        face_for("th", bundled("th"), [tmp_path])
    with pytest.raises(UsageError, match=r"no font for Korean.*apt-get install fonts-noto-cjk"):
        face_for("ko", bundled("ko"), [tmp_path])


@needs_fonts
def test_a_character_without_a_glyph_is_refused(tmp_path: Path) -> None:
    """A font under another's name, as a broken installation has it."""
    assert NOTO
    shutil.copy(NOTO, tmp_path / "NotoSansGeorgian-Regular.ttf")
    with pytest.raises(UsageError, match=r"has no glyph for .*U\+10D0"):
        face_for("ka", GEORGIAN, [tmp_path])


@needs_fonts
def test_words_that_no_one_font_shows() -> None:
    assert face_for("de", ["Haus", "дом"]).file == NOTO  # it has both
    with pytest.raises(UsageError, match=r"mix scripts \(LATIN, THAI\)"):
        face_for("de", ["Haus", "บ้าน"])
    with pytest.raises(UsageError, match="hold no letter"):
        face_for("de", ["--", "++"])


def test_without_text_layout_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import features

    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(UsageError, match=r"cannot load RAQM.*libraqm0"):
        face_for("ar", bundled("ar"))


@pytest.mark.parametrize(
    ("plan", "error", "message"),
    [
        (Generation("xx"), UnknownName, "unknown language 'xx'"),
        (Generation("und"), UnknownName, "unknown language 'und'"),
        (Generation("ka"), UsageError, "no word list"),
        (Generation("de", Path("nowhere.txt")), DataError, "cannot be read"),
    ],
)
def test_bad_requests_write_nothing(
    tmp_path: Path, plan: Generation, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        generate(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text("not rows\n")
    if NOTO:
        with pytest.raises(DataError, match="choose another folder"):
            generate(Generation("de", bars=1, pies=0), tmp_path)
    assert (tmp_path / "test.jsonl").read_text() == "not rows\n"


@needs_fonts
@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((ROWS, text) for text in ("5\n", "[1]\n", '"x"\n', "{\n")),
        *((MANIFEST, text) for text in ("[]", "5", '{"languages": []}', "{")),
    ],
)
def test_files_that_are_not_ours_are_named_before_anything_is_drawn(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=f"{name}: not "):
        generate(Generation("de", bars=1, pies=0), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [name]


@needs_fonts
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: cannot be written"):
        generate(Generation("de", bars=1, pies=0), tmp_path / "file")


def test_an_empty_word_list_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    words = ("smpqa", "generate", "--language", "de", "--words", "empty.txt", "--output", "out")
    done = towereval(*words, cwd=tmp_path)
    assert "has 0 usable words" in error_line(done, 4)
