"""The files of inspect_ai: `.eval`, an archive of JSON files, and `.json`, all in one.

    header.json  samples/<id>_epoch_<n>.json  summaries.json  reductions.json  _journal/...

Nothing is unpacked to a disk. Members are compressed by Zstandard, which Python's own zipfile knows
from 3.14 on only, so their bytes are found here and decompressed by pyarrow.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from towereval.errors import DataError

HEADER = "header.json"
# Far above any real log's: a sample with its pictures has some megabytes.
LARGEST_MEMBER = 512 * 2**20
LARGEST_JSON = 2 * 2**30
LARGEST_ARCHIVE = 64 * 2**30
_ZSTD = 93
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Member:
    """One sample's place in an archive; its number in a JSON file."""

    name: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """An open log. `samples` are in the order in which they were written."""

    file: Path
    header: dict[str, Any]
    samples: tuple[Member, ...]
    _stream: IO[bytes] | None
    _infos: dict[str, zipfile.ZipInfo]
    _content: list[Any]

    def sample(self, member: Member) -> dict[str, Any]:
        """Raises `DataError`."""
        if self._stream is None:
            found = self._content[member.number]
        else:
            found = _load(self.file, self._stream, self._infos[member.name])
        if not isinstance(found, dict):
            raise DataError(f"{self.file}: {member.name} is no object: {_AGAIN}")
        return found


_AGAIN = "copy the log again, or write it again with inspect"


@contextmanager
def opened(file: Path) -> Iterator[Reader]:
    """Raises `DataError` for what is no finished log, or does not look harmless."""
    try:
        with file.open("rb") as stream:
            yield _archive(file, stream) if file.suffix == ".eval" else _whole(file, stream)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _whole(file: Path, stream: IO[bytes]) -> Reader:
    data = stream.read(LARGEST_JSON + 1)
    if len(data) > LARGEST_JSON:
        raise DataError(f"{file} is larger than 2 GiB: inspect log convert --to eval makes it less")
    content = _parse(file, file.name, data)
    samples = content.pop("samples", None) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(content.get("eval"), dict):
        raise DataError(f"{file}: no log of inspect: it has no `eval`")
    if not isinstance(samples, list) or not samples:
        raise DataError(f"{file}: the log holds no samples: evaluate with --log-samples")
    members = tuple(Member(f"sample {number + 1}", number) for number in range(len(samples)))
    return Reader(file, content, members, None, {}, samples)


def _archive(file: Path, stream: IO[bytes]) -> Reader:
    try:
        infos = {info.filename: info for info in zipfile.ZipFile(stream).infolist()}
    except (zipfile.BadZipFile, ValueError, RuntimeError, EOFError) as error:
        raise DataError(f"{file}: no whole archive ({error}): {_AGAIN}") from error
    if (size := sum(info.file_size for info in infos.values())) > LARGEST_ARCHIVE:
        raise DataError(f"{file} would take {size >> 30} GiB, which no log does: {_AGAIN}")
    for name in infos:
        if "\\" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise DataError(f"{file}: {name!r:.100} in it points out of it: inspect wrote no such")
    if HEADER not in infos:
        raise DataError(
            f"{file}: its run did not finish: inspect log recover or inspect eval-retry does"
        )
    header = _load(file, stream, infos[HEADER])
    if not isinstance(header, dict) or not isinstance(header.get("eval"), dict):
        raise DataError(f"{file}: {HEADER} has no `eval`: {_AGAIN}")
    names = [name for name in infos if re.fullmatch(r"samples/.+\.json", name)]
    if not names:
        raise DataError(f"{file}: the log holds no samples: evaluate with --log-samples")
    return Reader(file, header, tuple(map(Member, names)), stream, infos, [])


def _load(file: Path, stream: IO[bytes], info: zipfile.ZipInfo) -> Any:
    return _parse(file, info.filename, _bytes(file, stream, info))


def _parse(file: Path, name: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: {name:.100} is no JSON ({error}): {_AGAIN}") from error


def _bytes(file: Path, stream: IO[bytes], info: zipfile.ZipInfo) -> bytes:
    """A member's content: not more than it says, nor than any log has. Raises `DataError`."""
    where = f"{file}: {info.filename[:100]}"
    if info.file_size > LARGEST_MEMBER or info.compress_size > LARGEST_MEMBER:
        size = max(info.file_size, info.compress_size) >> 20
        raise DataError(f"{where} would take {size} MiB, no log's sample does: {_AGAIN}")
    if info.flag_bits & _ENCRYPTED:
        raise DataError(f"{where} is encrypted, which inspect never does: {_AGAIN}")
    try:
        data = _decompressed(_raw(stream, info), info)
    except (OSError, zlib.error, ValueError) as error:
        raise DataError(f"{where} is torn ({error}): {_AGAIN}") from error
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise DataError(f"{where} is not what the archive says of it: {_AGAIN}")
    return data


def _raw(stream: IO[bytes], info: zipfile.ZipInfo) -> bytes:
    """The archive's format: APPNOTE.TXT 6.3.10, section 4.3.7."""
    stream.seek(info.header_offset)
    head = stream.read(30)
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        raise ValueError("no local header where there should be one")
    stream.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), 1)
    raw = stream.read(info.compress_size)
    if len(raw) < info.compress_size:
        raise ValueError("it ends within the archive")
    return raw


def _decompressed(raw: bytes, info: zipfile.ZipInfo) -> bytes:
    """One byte more than it should have shows that it has more."""
    most = info.file_size + 1
    if info.compress_type == zipfile.ZIP_STORED:
        return raw
    if info.compress_type == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-15).decompress(raw, most)
    if info.compress_type == _ZSTD:
        import pyarrow

        # Not `pyarrow.decompress`: it takes the size that is said for the size that there is.
        with pyarrow.CompressedInputStream(io.BytesIO(raw), "zstd") as content:
            found: bytes = content.read(most)
            return found
    raise ValueError(f"compression method {info.compress_type}")
