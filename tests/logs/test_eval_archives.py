"""Archives that are torn, or made to do harm: one line says which file and what to do."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pyarrow
import pytest

from tests.test_cli import error_line, towereval
from towereval.bridges import eval_archive
from towereval.bridges.eval_archive import opened
from towereval.errors import DataError

MADE = Path(__file__).with_name("made")
HEADER = json.dumps({"status": "success", "eval": {"task": "t"}})


def archive(file: Path, *, method: int = zipfile.ZIP_DEFLATED, **members: str) -> Path:
    with zipfile.ZipFile(file, "w", method) as made:
        for name, text in {
            "header.json": HEADER,
            "samples/1_epoch_1.json": "{}",
            **members,
        }.items():
            made.writestr(name, text)
    return file


def fault(file: Path) -> str:
    with pytest.raises(DataError) as error, opened(file) as reader:
        for member in reader.samples:
            reader.sample(member)
    text = str(error.value)
    assert text.startswith(f"{file}")
    assert "\n" not in text
    return text


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_of_older_versions_are_read(tmp_path: Path, method: int) -> None:
    """Before it took Zstandard, inspect deflated."""
    file = archive(tmp_path / "a.eval", method=method, **{"samples/2_epoch_1.json": '{"id": 2}'})
    with opened(file) as reader:
        assert [reader.sample(member) for member in reader.samples] == [{}, {"id": 2}]


@pytest.mark.parametrize("length", [0, 10, 1000, 5000, -1])
def test_a_cut_archive_is_told(tmp_path: Path, length: int) -> None:
    file = tmp_path / "cut.eval"
    file.write_bytes((MADE / "whole.eval").read_bytes()[:length])
    assert "no whole archive" in fault(file)


def test_an_archive_with_a_changed_byte_is_told(tmp_path: Path) -> None:
    data = bytearray((MADE / "whole.eval").read_bytes())
    with zipfile.ZipFile(MADE / "whole.eval") as whole:
        info = whole.getinfo("samples/q0_epoch_1.json")
    data[info.header_offset + 30 + len(info.filename) + info.compress_size // 2] ^= 0xFF
    file = tmp_path / "bits.eval"
    file.write_bytes(data)
    assert "samples/q0_epoch_1.json is" in fault(file)


def test_a_run_that_did_not_finish_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.eval"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("_journal/start.json", "{}")
    assert fault(file).endswith("inspect log recover or inspect eval-retry does")


@pytest.mark.parametrize(
    "name", ["../../home/x.json", "samples/../../x.json", "/etc/x", "a\\..\\b"]
)
def test_a_name_that_leads_out_is_told(tmp_path: Path, name: str) -> None:
    assert "points out of it" in fault(archive(tmp_path / "a.eval", **{name: "{}"}))


def zeros(method: int) -> bytes:
    """A megabyte of blanks as one member of an archive that says it has ten bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("header.json", HEADER)
        made.writestr("samples/1_epoch_1.json", " " * 2**20)
    data = bytearray(stream.getvalue())
    if method == 93:
        packed = pyarrow.compress(b" " * 2**20, codec="zstd", asbytes=True)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as made:
            made.writestr("header.json", HEADER)
            made.writestr("samples/1_epoch_1.json", packed)
        data = bytearray(stream.getvalue())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 10 : entry + 12] = method.to_bytes(2, "little")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, 93])
def test_a_member_is_never_larger_than_it_says(tmp_path: Path, method: int) -> None:
    file = tmp_path / "bomb.eval"
    file.write_bytes(zeros(method))
    assert "is not what the archive says of it" in fault(file)


def test_a_member_that_says_it_is_huge_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archive(tmp_path / "a.eval", **{"samples/2_epoch_1.json": " " * 2000})
    monkeypatch.setattr(eval_archive, "LARGEST_MEMBER", 1000)
    assert "no log's sample does" in fault(file)
    monkeypatch.setattr(eval_archive, "LARGEST_ARCHIVE", 100)
    assert "which no log does" in fault(file)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"header.json": "{"}, "header.json is no JSON"),
        ({"header.json": "[" * 100_000}, "header.json is no JSON"),
        ({"header.json": "[]"}, "has no `eval`"),
        ({"samples/1_epoch_1.json": "\xff"}, "samples/1_epoch_1.json is no JSON"),
        ({"samples/1_epoch_1.json": "[]"}, "samples/1_epoch_1.json is no object"),
    ],
)
def test_what_is_no_log_is_told(tmp_path: Path, members: dict[str, str], message: str) -> None:
    assert message in fault(archive(tmp_path / "a.eval", **members))


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.eval").write_bytes(b"PK")
    assert "a.eval: no whole archive" in error_line(towereval("import", "a.eval", cwd=tmp_path), 4)
    (tmp_path / "a.eval").unlink()
    assert "no log of a harness; wanted" in error_line(towereval("import", ".", cwd=tmp_path), 4)
    done = towereval("import", MADE / "whole.eval", "--model", "x", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        0,
        "note: inspect:weeks: languages by the column 'language'\n",
    )
    assert done.stdout.splitlines()[-1].startswith("results/x/inspect-")
