"""safetensors files read and rewritten by hand: 8 bytes of header length, the header, the tensors.

The library itself would load a whole shard to change one tensor of it, and wants torch for
bfloat16. Source: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from towereval.errors import ModelError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

CHUNK = 16 * 1024 * 1024


def header(shard: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Where the tensors begin, and dtype, shape and data_offsets by name. Raises `ModelError`."""
    try:
        with shard.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > 100_000_000:
                raise ValueError("absurd header length")
            content = json.loads(stream.read(length))
        content.pop("__metadata__", None)
        for entry in content.values():
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end:
                raise ValueError("absurd offsets")
        return 8 + length, content
    except (OSError, ValueError, AttributeError, TypeError, LookupError) as error:
        raise ModelError(f"{shard}: torn or truncated: its header cannot be read") from error


def length(shard: Path) -> int:
    """How many bytes the file has by its header."""
    return header(shard)[0] + size(shard)


def size(shard: Path) -> int:
    """How many bytes its tensors have."""
    ends: list[int] = [entry["data_offsets"][1] for entry in header(shard)[1].values()]
    return max(ends, default=0)


def scaled(shard: Path, names: Mapping[str, float]) -> dict[str, NDArray[numpy.float32]]:
    """Some tensors in float32, each times its factor. Raises `ModelError` for other than floats."""
    import numpy

    start, entries = header(shard)
    found = {}
    with shard.open("rb") as stream:
        for name, factor in names.items():
            entry = entries[name]
            begin, end = entry["data_offsets"]
            stream.seek(start + begin)
            raw = stream.read(end - begin)
            if entry["dtype"] == "BF16":  # the upper half of a float32
                values = (numpy.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
            elif entry["dtype"] in ("F16", "F32"):
                values = numpy.frombuffer(raw, "<f2" if entry["dtype"] == "F16" else "<f4")
            else:
                raise ModelError(f"{shard}: {name} is {entry['dtype']}, which cannot be scaled")
            found[name] = (values.astype("<f4") * numpy.float32(factor)).reshape(entry["shape"])
    return found


def rewrite(
    shard: Path,
    target: Path,
    *,
    rename: Callable[[str], str] = str,
    replaced: Mapping[str, NDArray[numpy.float32]],
) -> str:
    """A copy with other names and float32 tensors in the place of some, synced; its SHA-256."""
    start, entries = header(shard)
    order = sorted(entries, key=lambda name: entries[name]["data_offsets"])
    written: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name in order:
        begin, end = entries[name]["data_offsets"]
        size = replaced[name].nbytes if name in replaced else end - begin
        dtype = "F32" if name in replaced else entries[name]["dtype"]
        written[rename(name)] = {
            "dtype": dtype,
            "shape": entries[name]["shape"],
            "data_offsets": [at, at + size],
        }
        at += size
    text = json.dumps(written, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    sha256 = hashlib.sha256()
    with shard.open("rb") as source, target.open("wb") as sink:

        def write(data: bytes) -> None:
            sha256.update(data)
            sink.write(data)

        write(len(text).to_bytes(8, "little") + text)
        for name in order:
            if name in replaced:
                write(replaced[name].tobytes())
                continue
            begin, end = entries[name]["data_offsets"]
            source.seek(start + begin)
            for chunk in _chunks(source, end - begin, shard):
                write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    return sha256.hexdigest()


def _chunks(source: IO[bytes], size: int, shard: Path) -> Iterator[bytes]:
    while size:
        chunk = source.read(min(size, CHUNK))
        if not chunk:
            raise ModelError(f"{shard}: torn or truncated: it ends within a tensor")
        yield chunk
        size -= len(chunk)
