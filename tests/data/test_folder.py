"""Rows from a local folder: the forms it may have, and what is refused in it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from PIL import Image as pil
from pyarrow import parquet

from tests.hub_server import write_parquet
from towereval.data import media
from towereval.data.folder import FolderSource
from towereval.errors import DataError
from towereval.types import Dataset

PLAIN = Dataset("team/photos", split="test", media=("image",))


def png(shade: int) -> bytes:
    stream = io.BytesIO()
    pil.new("RGB", (4, 4), (shade, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


def write(file: Path, *rows: Mapping[str, object]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text("".join(lines), encoding="utf-8", newline="\n")
    return file


def read(folder: Path, dataset: Dataset = PLAIN) -> list[tuple[int, Mapping[str, Any]]]:
    return list(FolderSource(folder).rows(dataset))


def texts(folder: Path, dataset: Dataset = PLAIN) -> list[str]:
    return [row["q"] for _, row in read(folder, dataset)]


def shades(folder: Path, dataset: Dataset = PLAIN) -> list[int]:
    """The red of each row's picture."""
    source = FolderSource(folder)
    images = [source.image(row["image"]) for _, row in source.rows(dataset)]
    return [media.decode_image(image).getpixel((0, 0))[0] for image in images]


def refusal(folder: Path, dataset: Dataset = PLAIN) -> str:
    with pytest.raises(DataError) as raised:
        read(folder, dataset)
    return str(raised.value)


# --- JSON lines ---


def test_lines_end_with_a_line_feed_alone(tmp_path: Path) -> None:
    """Texts hold other separators, which JSON need not escape and Python splits lines at."""
    row = {"q": "a\u2028b\u2029c\x85d\x0be", "n": [1]}
    write(tmp_path / "test.jsonl", row, {"q": "second"})
    assert read(tmp_path) == [(0, row), (1, {"q": "second"})]


@pytest.mark.parametrize(
    "data",
    [
        '{"q": "ä"}\n{"q": "中"}\n',
        '{"q": "ä"}\n{"q": "中"}',
        '{"q": "ä"}\r\n\r\n{"q": "中"}\r\n',
        '\ufeff{"q": "ä"}\n{"q": "中"}\n',
    ],
    ids=["plain", "no last line feed", "Windows", "byte order mark"],
)
def test_json_lines_however_they_were_saved(tmp_path: Path, data: str) -> None:
    (tmp_path / "test.jsonl").write_bytes(data.encode())
    assert texts(tmp_path) == ["ä", "中"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"q": "to', "not JSON"),
        (b'{"q": "caf\xe9"}', "not JSON: 'utf-8' codec can't decode"),
        (b'["q"]', "wanted an object, found list"),
        (b"<html>", "not JSON"),
    ],
)
def test_a_torn_line_is_named_by_its_number(tmp_path: Path, line: bytes, fault: str) -> None:
    file = tmp_path / "test.jsonl"
    file.write_bytes(b'{"q": "a"}\n\n' + line)
    assert refusal(tmp_path).startswith(f"{file}:3: {fault}")


def test_rows_before_a_torn_line_are_given(tmp_path: Path) -> None:
    """A run with --limit need not read what it does not ask."""
    (tmp_path / "test.jsonl").write_text('{"q": "a"}\n{"q"')
    rows = FolderSource(tmp_path).rows(PLAIN)
    assert next(rows) == (0, {"q": "a"})
    with pytest.raises(DataError):
        next(rows)


# --- parquet ---


@pytest.mark.parametrize(
    "names",
    [
        ["test.parquet"],
        ["test-00000-of-00001.parquet"],
        ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"],
        ["data/test.parquet"],
        ["data/test-00000-of-00002.parquet", "data/test-00001-of-00002.parquet"],
        ["data/test-00000-of-00001-6f1c2d3e4a5b6c7d.parquet"],
    ],
    ids=" ".join,
)
def test_parquet_files_are_read_in_their_order(tmp_path: Path, names: list[str]) -> None:
    for place, name in reversed(list(enumerate(names))):
        rows = [{"q": f"{place} {row}", "image": png(10 * place + row)} for row in range(2)]
        write_parquet(tmp_path / name, rows, images=["image"])
    write_parquet(tmp_path / "train.parquet", [{"q": "another split"}])
    places = range(len(names))
    assert texts(tmp_path) == [f"{place} {row}" for place in places for row in range(2)]
    assert shades(tmp_path) == [10 * place + row for place in places for row in range(2)]
    assert [index for index, _ in read(tmp_path)] == list(range(2 * len(names)))


def test_a_split_without_one_of_its_files_is_refused(tmp_path: Path) -> None:
    """An interrupted download would else be scored as if it were the whole."""
    write_parquet(tmp_path / "test-00000-of-00003.parquet", [{"q": "a"}])
    write_parquet(tmp_path / "test-00002-of-00003.parquet", [{"q": "c"}])
    assert "test-00002-of-00003.parquet: 2 of 3 files" in refusal(tmp_path)


def test_more_rows_than_a_batch(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test.parquet", [{"q": f"{row}"} for row in range(50)])
    assert texts(tmp_path) == [f"{row}" for row in range(50)]


@pytest.mark.parametrize("kept", [0, 3, 200, -1])
def test_a_truncated_parquet_file_is_named(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "test.parquet"
    write_parquet(file, [{"q": "a" * 50} for _ in range(20)])
    file.write_bytes(file.read_bytes()[:kept])
    assert refusal(tmp_path).startswith(f"{file}: not a readable parquet file: ")


# --- where a split lies ---


def test_a_configuration_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "kie" / "test.jsonl", {"q": "kie"})
    write(tmp_path / "test.jsonl", {"q": "top"})
    write_parquet(tmp_path / "reading" / "data" / "test.parquet", [{"q": "reading"}])
    found = {
        config: texts(tmp_path, Dataset("team/photos", split="test", config=config))
        for config in ("kie", "reading", "")
    }
    assert found == {"kie": ["kie"], "reading": ["reading"], "": ["top"]}


@pytest.mark.parametrize(
    ("dataset", "wanted"),
    [
        (Dataset("team/photos", split="German"), "no German.jsonl or German.parquet"),
        (
            Dataset("team/photos", split="test", config="kie"),
            "no kie/test.jsonl or kie/test.parquet",
        ),
    ],
)
def test_a_missing_split_is_told_with_what_was_looked_for(
    tmp_path: Path, dataset: Dataset, wanted: str
) -> None:
    write(tmp_path / "test.jsonl", {"q": "a"})
    message = refusal(tmp_path, dataset)
    assert message == f"{tmp_path}: {wanted} (columns as in team/photos)"


# --- save_to_disk ---


def library() -> Any:
    datasets = pytest.importorskip("datasets", reason="needs the data extra: datasets")
    datasets.disable_progress_bars()
    return datasets


def saved(split: str | None, *shades: int) -> Any:
    datasets = library()
    features = datasets.Features(image=datasets.Image(), q=datasets.Value("string"))
    rows = {
        "image": [{"bytes": png(shade), "path": None} for shade in shades],
        "q": [f"{split} {shade}" for shade in shades],
    }
    return datasets.Dataset.from_dict(
        rows, features=features, split=split and datasets.NamedSplit(split)
    )


def test_a_saved_split(tmp_path: Path) -> None:
    saved("test", 7, 8).save_to_disk(tmp_path)
    assert texts(tmp_path) == ["test 7", "test 8"]
    assert shades(tmp_path) == [7, 8]


def test_a_saved_list_of_pictures_stays_encoded(tmp_path: Path) -> None:
    datasets = library()
    features = datasets.Features(image=datasets.Sequence(datasets.Image()))
    rows = {"image": [[{"bytes": png(shade), "path": None} for shade in (3, 4)]]}
    datasets.Dataset.from_dict(rows, features=features, split="test").save_to_disk(tmp_path)
    ((_, row),) = read(tmp_path)
    assert [one["bytes"] for one in row["image"]] == [png(3), png(4)]


def test_saved_splits(tmp_path: Path) -> None:
    splits = {"train": saved("train", 1), "test": saved("test", 7, 8)}
    library().DatasetDict(splits).save_to_disk(tmp_path)
    assert shades(tmp_path) == [7, 8]
    message = refusal(tmp_path, Dataset("team/photos", split="German"))
    assert "no split 'German'; it holds train, test" in message


def test_saved_splits_below_a_configuration(tmp_path: Path) -> None:
    library().DatasetDict({"test": saved("test", 7)}).save_to_disk(tmp_path / "kie")
    assert texts(tmp_path, Dataset("team/photos", split="test", config="kie")) == ["test 7"]


def test_a_saved_split_in_a_folder_of_its_name(tmp_path: Path) -> None:
    for split, shade in (("German", 1), ("French", 2)):
        saved("train", shade).save_to_disk(tmp_path / split)
    assert [
        shades(tmp_path, Dataset("team/photos", split=split, media=("image",)))
        for split in ("French", "German")
    ] == [[2], [1]]


def test_a_saved_split_is_not_taken_for_another(tmp_path: Path) -> None:
    """Else the rows of one language would be scored as those of each."""
    saved("German", 7).save_to_disk(tmp_path)
    message = refusal(tmp_path, Dataset("team/photos", split="French"))
    assert "no split 'French'; it holds German" in message


@pytest.mark.parametrize("split", [None, "test[:2]"])
def test_a_part_or_an_unnamed_saved_split_is_the_one_that_is_asked(
    tmp_path: Path, split: str | None
) -> None:
    saved(split, 7).save_to_disk(tmp_path)
    assert shades(tmp_path) == [7]


def test_a_damaged_saved_split_is_named(tmp_path: Path) -> None:
    saved("test", 7).save_to_disk(tmp_path)
    (file,) = tmp_path.glob("*.arrow")
    file.write_bytes(file.read_bytes()[:100])
    assert refusal(tmp_path).startswith(f"{tmp_path}: not what `save_to_disk` writes: ")


# --- pictures and clips that rows name ---


def test_a_picture_is_looked_for_beside_the_rows_then_from_the_top(tmp_path: Path) -> None:
    write(tmp_path / "kie" / "test.jsonl", {"image": "a.png"}, {"image": "images/b.png"})
    (tmp_path / "images").mkdir()
    for name, shade in (("a.png", 1), ("kie/a.png", 2), ("images/b.png", 3)):
        (tmp_path / name).write_bytes(png(shade))
    dataset = Dataset("team/photos", split="test", config="kie", media=("image",))
    assert shades(tmp_path, dataset) == [2, 3]


def test_a_folder_given_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "kie" / "test.jsonl", {"image": "../a.png"})
    (tmp_path / "a.png").write_bytes(png(5))
    dataset = Dataset("team/photos", split="test", config="kie", media=("image",))
    for folder, start in ((".", tmp_path), ("..", tmp_path / "kie"), ("kie/..", tmp_path)):
        monkeypatch.chdir(start)
        assert shades(Path(folder), dataset) == [5]


def test_a_downloaded_snapshot_holds_links(tmp_path: Path) -> None:
    """As huggingface_hub's cache does: files are links to blobs beside the snapshots."""
    repo = tmp_path / "datasets--team--photos"
    folder = repo / "snapshots" / "0123456789abcdef"
    write(folder / "kie" / "test.jsonl", {"image": "a.png"})
    (repo / "blobs").mkdir()
    (repo / "blobs" / "6f1c").write_bytes(png(6))
    (folder / "kie" / "a.png").symlink_to("../../../blobs/6f1c")
    assert shades(folder / "kie") == [6]
    (tmp_path / "linked").symlink_to(folder / "kie")
    assert shades(tmp_path / "linked") == [6]


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder / "kie" / "test.jsonl", {"image": "images/a.png"})
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(png(5))
    (folder / "kie" / "images").symlink_to("../pictures")
    dataset = Dataset("team/photos", split="test", config="kie", media=("image",))
    assert shades(folder, dataset) == [5]


@pytest.mark.parametrize("linked", ["images", "images/a.png"])
@pytest.mark.parametrize("place", ["data", "snapshots/0123", "datasets--x/0123"])
def test_a_link_does_not_lead_outside_the_folder(tmp_path: Path, place: str, linked: str) -> None:
    folder, private = tmp_path / place, tmp_path / "private"
    private.mkdir()
    (private / "a.png").write_bytes(png(1))
    write(folder / "test.jsonl", {"image": "images/a.png"})
    (folder / linked).parent.mkdir(exist_ok=True)
    (folder / linked).symlink_to(private if linked == "images" else private / "a.png")
    found = refusal(folder)
    assert found.endswith(f"is a link to {private / 'a.png'}, which lies outside {folder}")


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "test.jsonl", {"image": "a.png"})
    (tmp_path / "a.png").symlink_to("a.png")
    assert "'a.png'... is no file's name" in refusal(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "images/../../secret.png", "{outside}/secret.png", "/etc/hostname"],
)
@pytest.mark.parametrize("form", ["jsonl", "parquet", "hub field", "list"])
def test_a_row_does_not_reach_outside_the_folder(tmp_path: Path, name: str, form: str) -> None:
    folder, path = tmp_path / "data", name.format(outside=tmp_path)
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(png(1))
    fields = {"hub field": {"bytes": None, "path": path}, "list": ["a.png", path]}
    value = fields.get(form, path)
    if form == "jsonl":
        write(folder / "test.jsonl", {"image": value})
    else:
        parquet.write_table(pyarrow.table({"image": [value]}), folder / "test.parquet")
    assert f"lies outside {folder}" in refusal(folder)


def test_a_folder_with_a_longer_name_is_outside(tmp_path: Path) -> None:
    write(tmp_path / "data" / "test.jsonl", {"image": "../data2/a.png"})
    write(tmp_path / "data2" / "a.png")
    assert "lies outside" in refusal(tmp_path / "data")


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "test.jsonl", {"image": "iVBORw0KGgo" * 1000})
    assert "'iVBORw0KGgo" in refusal(tmp_path)


def test_a_missing_picture_is_told_when_it_is_decoded(tmp_path: Path) -> None:
    """One lost file is one failed request, not a run that cannot start."""
    write(tmp_path / "test.jsonl", {"image": "no.png"}, {"image": "a.png"})
    (tmp_path / "a.png").write_bytes(png(4))
    source = FolderSource(tmp_path)
    lost, found = [source.image(row["image"]) for _, row in source.rows(PLAIN)]
    assert media.decode_image(found).getpixel((0, 0)) == (4, 0, 0)
    with pytest.raises(DataError, match=r"no\.png: .*No such file"):
        media.decode_image(lost)


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, "NoneType"), ({"bytes": None, "path": None}, "NoneType"), (3, "int"), ([1], "list")],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, value: object, found: str) -> None:
    write(tmp_path / "test.jsonl", {"image": value})
    source = FolderSource(tmp_path)
    ((_, row),) = source.rows(PLAIN)
    with pytest.raises(DataError, match=f"wanted a picture .*found {found}"):
        source.image(row["image"])


def test_a_clip_is_a_path_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "test.jsonl", {"clip": "videos/a.mp4", "note": "videos/a.mp4"})
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.mp4").write_bytes(b"clip")
    source = FolderSource(tmp_path)
    ((_, row),) = source.rows(Dataset("team/photos", split="test", media=("clip",)))
    assert row["note"] == "videos/a.mp4"
    video = source.video(row["clip"])
    assert Path(video.source).read_bytes() == b"clip"
    assert len(video.sha256) == 64
    with pytest.raises(DataError, match="wanted the path of a clip, found str"):
        source.video("videos/a.mp4")
