"""A plot shows every number that it was given, where it lies, and nothing that was not."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy
import pytest
from PIL import Image

from tests.finished_run import finished
from tests.test_cli import error_line, towereval
from tests.test_replay import record, replayed, right
from towereval.errors import MissingExtra, StoreError, UsageError
from towereval.figure_files import save
from towereval.languages import LANGUAGES
from towereval.plots import (
    COLOURS,
    Bar,
    Gain,
    Series,
    draw_gains,
    draw_languages,
    group_of,
    language_name,
)
from towereval.run import run

SVG = "{http://www.w3.org/2000/svg}"
THREE = (
    Bar("de", 0.8, 0.7, 0.9, 58),
    Bar("zh-Hans", 0.4, 0.3, 0.55, 32),
    Bar("is", 0.6, None, None, 4),
    Bar("*", 0.6, 0.5, 0.7, 94),
)
GAINS = (
    Gain("de", 10.0, 4.0, 16.0),
    Gain("en", -5.0, -12.0, 2.0),
    Gain("ko", 20.0, None, None),
    Gain("sv", -8.0, -14.0, -2.0),
    Gain("is", 2.0, -3.0, 7.0),
    Gain("vi", 0.0, 0.0, 0.0),
    Gain("*", 3.0, 1.0, 5.0),
)
HOSTILE = '<script>alert("x")</script>&amp;\u202e\x00\n$\\frac{1}{0}$ ]]>'


class Drawing:
    """An SVG's texts in order, and the horizontal extent of what has an id."""

    def __init__(self, file: Path) -> None:
        self.root = ElementTree.parse(file).getroot()
        self.texts = ["".join(e.itertext()) for e in self.root.iter(f"{SVG}text")]

    def extents(self, kind: str) -> dict[str, tuple[float, float]]:
        found = {}
        for group in self.root.iter(f"{SVG}g"):
            name = group.get("id", "")
            if name.startswith(f"{kind}-"):
                (path,) = [e for e in group.iter(f"{SVG}path") if e.get("clip-path")]
                points = re.findall(r"[ML] (-?[\d.]+) -?[\d.]+", path.get("d", ""))
                found[name] = (min(map(float, points)), max(map(float, points)))
        return found


def drawn(tmp_path: Path, *series: Series, title: str = "a model", scale: float = 1.0) -> Drawing:
    save(draw_languages(series, title, "ocrbench accuracy", scale), tmp_path / "plot.svg")
    return Drawing(tmp_path / "plot.svg")


def gained(tmp_path: Path, gains: Sequence[Gain]) -> Drawing:
    save(draw_gains(gains, "new − old", "accuracy"), tmp_path / "gain.svg")
    return Drawing(tmp_path / "gain.svg")


# --- languages ---


def test_each_language_has_its_bar_value_and_count(tmp_path: Path) -> None:
    drawing = drawn(tmp_path, Series("m", THREE))
    names = ["macro mean", "German (de)", "Icelandic (is)", "Simplified Chinese (zh-Hans)"]
    shown = [text for text in drawing.texts if text in names]
    assert shown == names  # the mean, then the best first
    for text in ("a model", "ocrbench accuracy, 95% intervals", "  0.800   n 58", "  0.600   n 4"):
        assert text in drawing.texts
    assert len(drawing.extents("bar")) == 4
    assert set(drawing.extents("whisker")) == {"whisker-0-0", "whisker-0-1", "whisker-0-3"}


def test_bars_and_whiskers_lie_where_the_numbers_are(tmp_path: Path) -> None:
    drawing = drawn(tmp_path, Series("m", THREE))
    bars, whiskers = drawing.extents("bar"), drawing.extents("whisker")
    zero = bars["bar-0-1"][0]
    unit = (bars["bar-0-1"][1] - zero) / 0.8
    assert {start for start, _ in bars.values()} == {zero}
    ends = [(bars[f"bar-0-{row}"][1] - zero) / unit for row in range(4)]
    assert ends == pytest.approx([0.6, 0.8, 0.6, 0.4], abs=1e-4)
    low, high = ((end - zero) / unit for end in whiskers["whisker-0-3"])
    assert (low, high) == pytest.approx((0.3, 0.55), abs=1e-4)


def test_points_of_a_hundred_have_one_decimal(tmp_path: Path) -> None:
    bars = (Bar("de", 40.52, 38.9, 42.1, 1000), Bar("cs", 0.4, 0.1, 0.7, 8))
    texts = drawn(tmp_path, Series("m", bars), scale=100.0).texts
    assert "  40.5   n 1000" in texts
    assert "  0.4   n 8" in texts


def test_no_tick_is_beyond_the_best_value(tmp_path: Path) -> None:
    drawing = drawn(tmp_path, Series("m", (Bar("de", 1.0, 0.9, 1.0, 30),)))
    ticks = [float(text) for text in drawing.texts if re.fullmatch(r"[\d.]+", text)]
    assert ticks[0] == 0
    assert ticks[-1] == 1


def test_zeros_have_an_axis(tmp_path: Path) -> None:
    none = Bar("fr", 0.0, None, None, 4)
    drawing = drawn(tmp_path, Series("m", (Bar("de", 0.0, 0.0, 0.0, 30), none)))
    assert "1.0" in drawing.texts
    assert "  0.000   n 4" in drawing.texts


def test_runs_side_by_side_have_a_legend(tmp_path: Path) -> None:
    other = (Bar("de", 0.5, 0.4, 0.6, 58), Bar("fr", 0.3, 0.2, 0.4, 52))
    drawing = drawn(tmp_path, Series("first", THREE), Series("second", other))
    assert {"first", "second", "French (fr)"} <= set(drawing.texts)
    assert sorted(drawing.extents("bar")) == [
        *("bar-0-0", "bar-0-1", "bar-0-2", "bar-0-3", "bar-1-1", "bar-1-4"),
    ]
    fills = {
        re.search(r"fill: (#\w+)", ElementTree.tostring(e, "unicode"))[1] for e in bars(drawing)
    }  # type: ignore[index]
    assert fills == set(COLOURS[:2])


def bars(drawing: Drawing) -> list[ElementTree.Element]:
    return [g for g in drawing.root.iter(f"{SVG}g") if g.get("id", "").startswith("bar-")]


def test_more_runs_than_colours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 to 6 runs, found 7"):
        drawn(tmp_path, *[Series(str(i), THREE) for i in range(7)])
    with pytest.raises(UsageError, match="no language has a value"):
        drawn(tmp_path, Series("m", ()))


def test_forty_languages_stay_legible(tmp_path: Path) -> None:
    codes = [*LANGUAGES, *(f"q{letter}" for letter in "abcdefgh")][:40]
    many = Series("m", tuple(Bar(code, 0.5, 0.4, 0.6, 60) for code in codes))
    figure = draw_languages([many], "forty", "accuracy", 1.0)
    save(figure, tmp_path / "forty.svg")
    texts = Drawing(tmp_path / "forty.svg").texts
    assert {language_name(code) for code in codes} <= set(texts)
    (axes,) = figure.axes
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    gaps = [upper.y0 - lower.y1 for upper, lower in pairwise(boxes)]
    assert min(gaps) > 0  # no name touches the next
    assert min(box.x0 for box in boxes) >= 0


# --- gains ---


def test_gains_are_grouped_with_their_means(tmp_path: Path) -> None:
    drawing = gained(tmp_path, GAINS)
    headings = [text for text in drawing.texts if ", mean of " in text]
    assert headings == [
        "Core languages, mean of 2",
        "Added languages, mean of 1",
        "Unseen languages, mean of 2",
        "Other languages, mean of 1",
    ]
    numbers = [text for text in drawing.texts if re.fullmatch(r"[+−]\d+\.\d", text)]
    assert numbers == [
        *("+2.5", "+10.0", "−5.0", "+20.0", "+20.0", "−3.0", "+2.0", "−8.0", "+0.0", "+0.0"),
    ]
    assert "macro mean" not in drawing.texts
    extents = drawing.extents("gain")
    assert len(extents) == 10
    zero = extents["gain-core-1"][0]
    unit = (extents["gain-core-1"][1] - zero) / 10
    assert extents["gain-core-2"] == pytest.approx((zero - 5 * unit, zero), abs=1e-3)
    assert len(drawing.extents("whisker")) == 5


def test_a_gain_that_may_be_none_is_pale(tmp_path: Path) -> None:
    gained(tmp_path, GAINS)
    text = (tmp_path / "gain.svg").read_text(encoding="utf-8")
    pale = {m[1] for m in re.finditer(r'<g id="(gain-[\w-]+)">\s*<path [^>]*opacity: 0.42', text)}
    assert pale == {"gain-core-2", "gain-unseen-1", "gain-other-1"}


def test_no_gain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no language to draw a gain of"):
        gained(tmp_path, [Gain("*", 1.0, 0.0, 2.0)])


def test_groups_are_towervisions() -> None:
    codes = ("de", "zh-Hant", "pt", "zh", "uk", "no", "is", "ja", "vi", "qx")
    assert [group_of(code) for code in codes] == [
        *("core", "core", "core", "core", "added", "added", "unseen", "added", "other", "other"),
    ]


# --- files ---


def test_a_png_opens_and_is_not_blank(tmp_path: Path) -> None:
    save(draw_languages([Series("m", THREE)], "t", "accuracy", 1.0), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        picture.load()
        pixels = numpy.asarray(picture.convert("RGB"))
    assert picture.width == 1440
    blue = (pixels == [0x21, 0x66, 0xAC]).all(axis=2)
    assert blue.any(axis=1).sum() > 3 * 15  # three bars beside the darker mean
    assert (pixels[:4] == 255).all()


@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_the_same_numbers_give_the_same_file(tmp_path: Path, name: str) -> None:
    contents = []
    for folder in ("1", "2"):
        file = tmp_path / folder / name
        save(draw_gains(GAINS, "t", "accuracy"), file)
        contents.append(file.read_bytes())
    assert contents[0] == contents[1]


def test_other_endings_and_places_are_refused(tmp_path: Path) -> None:
    figure = draw_gains(GAINS, "t", "accuracy")
    with pytest.raises(UsageError, match=r"a\.jpg: a plot is a \.png or an \.svg"):
        save(figure, tmp_path / "a.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        save(figure, tmp_path / "file" / "a.svg")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"towereval\[plots\]"):
        draw_gains(GAINS, "t", "accuracy")


# --- hostile and foreign texts ---


def test_hostile_texts_are_only_texts(tmp_path: Path) -> None:
    series = [Series(HOSTILE, (Bar(HOSTILE, 0.5, 0.4, 0.6, 9),)), Series("b" * 1_000_000, THREE)]
    drawing = drawn(tmp_path, *series, title=HOSTILE * 1000)
    assert {element.tag for element in drawing.root.iter()} <= {
        *(f"{SVG}{tag}" for tag in ("svg", "g", "path", "text", "tspan", "defs", "style", "use")),
        *(f"{SVG}{tag}" for tag in ("clipPath", "rect", "metadata")),
        *(e.tag for e in drawing.root.find(f"{SVG}metadata").iter()),  # type: ignore[union-attr]
    }
    assert any(text.startswith('<script>alert("x")</script>&amp;') for text in drawing.texts)
    assert max(map(len, drawing.texts)) < 100
    assert not any("\u202e" in text or "\n" in text for text in drawing.texts)
    save(draw_languages(series, HOSTILE, HOSTILE, 1.0), tmp_path / "a.png")


def test_foreign_names_are_kept_in_svg_and_never_boxes_in_png(tmp_path: Path) -> None:
    name = "模型 हिन्दी مدل 모델 🐘"
    assert name in drawn(tmp_path, Series("m", THREE), title=name).texts
    figure = draw_languages([Series("m", THREE)], name, "accuracy", 1.0)
    save(figure, tmp_path / "a.png")  # a warning of a missing glyph is an error here
    (title,) = [text for text in figure.texts if text.get_fontsize() == 11]
    assert title.get_text() == name or "\\u" in title.get_text()


# --- the commands ---


def test_runs_are_drawn_by_the_command(tmp_path: Path) -> None:
    folders = []
    for model, answer in (("good", {"answer": right}), ("mixed", {})):
        recorded = record(tmp_path / f"recorded-{model}", ("multi30k",), **answer)
        done = run(replayed(recorded, tmp_path / "results", ("multi30k",), model=model))
        folders.append(done.folder)
    done = towereval("plot", "languages", *folders, "--output", "a.svg", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a.svg\n", "")
    texts = Drawing(tmp_path / "a.svg").texts
    # XCOMET comes first in the task, but nothing scored it.
    assert {"multi30k@towervision bleu (sample)", "good", "mixed", "Czech (cs)"} <= set(texts)
    words = ("plot", "gain", folders[1], folders[0], "--metric", "chrf", "--output", "b.svg")
    done = towereval(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b.svg\n", "")
    drawing = Drawing(tmp_path / "b.svg")
    assert "good − mixed" in drawing.texts
    assert "gain in points of multi30k@towervision chrf, 95% intervals" in drawing.texts
    assert len(drawing.extents("gain")) == 5  # two groups, three languages
    zero = drawing.extents("gain")["gain-core-0"][0]
    assert all(end > zero for _, end in drawing.extents("gain").values())


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        ({"variant": "towervision"}, (), "not comparable: variant 'official' and 'towervision'"),
        ({"signature": "accuracy|version:2"}, (), "not comparable: signature"),
        ({"split": "sample"}, (), "not comparable: split 'full' and 'sample'"),
        ({"data": "other"}, (), "not comparable: other data in en"),
        ({"task": "textvqa"}, (), "first task or metric differs"),
        ({}, ("--task", "orcbench"), "unknown task 'orcbench'; did you mean ocrbench?"),
        ({}, ("--metric", "f1"), "unknown metric 'f1'"),
    ],
)
def test_what_is_not_comparable_is_not_drawn(
    tmp_path: Path, change: dict[str, str], words: tuple[str, ...], message: str
) -> None:
    runs = [finished(tmp_path, "a", "r1", {"data": "one"}), finished(tmp_path, "b", "r2", change)]
    if "data" not in change:
        runs[0] = finished(tmp_path, "c", "r1")
    done = towereval("plot", "languages", *runs, *words, "--output", "a.svg", cwd=tmp_path)
    assert message in error_line(done, 2)
    assert not (tmp_path / "a.svg").exists()


MEAN = {"language": "*", "languages": ("de", "fr")}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (MEAN, {**MEAN, "languages": ("de",)}, "not comparable: means over de fr and de"),
        ({"n": 1000}, {"n": 20}, "not comparable: 1000 and 20 samples in en"),
        ({"n": 90, "n_failed": 10}, {"n": 99, "n_unscored": 1}, ""),  # all were asked 100
        ({"n": 100, "data": "one"}, {"n": 20, "data": "one"}, ""),
        ({**MEAN, "n": 7}, {**MEAN, "n": 8}, "not comparable: 7 and 8 samples in the macro mean"),
        ({"data": "one"}, {}, "not comparable: other data in en"),
    ],
)
def test_means_and_samples_of_another_kind_are_not_drawn_side_by_side(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], message: str
) -> None:
    # Whatever stands between the two.
    rows = [first, {"language": "it"}, second]
    runs = [finished(tmp_path, f"m{i}", "r1", row) for i, row in enumerate(rows)]
    done = towereval("plot", "languages", *runs, "--output", "a.svg", cwd=tmp_path)
    if message:
        assert message in error_line(done, 2)
    else:
        assert (done.returncode, done.stderr) == (0, "")


def test_several_tasks_ask_which(tmp_path: Path) -> None:
    folder = finished(tmp_path, "a", "r1", {}, {"task": "textvqa"})
    done = towereval("plot", "languages", folder, "--output", "a.svg", cwd=tmp_path)
    assert "--task is needed: there are ocrbench, textvqa" in error_line(done, 2)


def test_bars_below_zero_and_beyond_one_are_drawn_whole(tmp_path: Path) -> None:
    """Gains in nats have no best value, and a picture may mislead."""
    bars = (Bar("de", -0.5, -1.5, 0.5, 8), Bar("fr", 30.0, 28.0, 32.0, 8))
    figure = draw_languages([Series("m", bars)], "multi30k", "cxmi", math.inf)
    left, right = figure.axes[0].get_xlim()
    assert left < -1.5
    assert right > 32.0
    nothing = draw_languages([Series("m", (Bar("de", 0.0, None, None, 2),))], "t", "m", math.inf)
    assert nothing.axes[0].get_xlim() == pytest.approx((0.0, 1.24))
