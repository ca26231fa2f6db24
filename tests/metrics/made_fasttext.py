"""A fastText model of a few words, written in its own format: each word means one label.

https://github.com/facebookresearch/fastText, src/fasttext.cc `saveModel`, version 12.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

MAGIC, VERSION = 793712314, 12
SOFTMAX, SUPERVISED = 3, 3
SURE = 10.0  # of a word's own label over the others, before the softmax


def write_fasttext(file: Path, words: Mapping[str, str]) -> Path:
    """Word n is the n-th unit vector, and so is its label: their product is `SURE` or 0."""
    size = len(words)
    entries = [*words, "</s>"]
    # dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate; t
    content = struct.pack("<2i", MAGIC, VERSION)
    content += struct.pack("<12id", size, 5, 1, 1, 5, 1, SOFTMAX, SUPERVISED, 0, 0, 0, 100, 1e-4)
    labels = [f"__label__{label}" for label in words.values()]
    content += struct.pack("<3i2q", size + 1 + size, size + 1, size, 100, -1)
    for kind, names in ((0, entries), (1, labels)):
        for name in names:
            content += name.encode() + b"\0" + struct.pack("<qb", 10, kind)
    content += b"\0" + _matrix(size + 1, size, SURE) + b"\0" + _matrix(size, size, 1.0)
    file.write_bytes(content)
    return file


def _matrix(rows: int, columns: int, one: float) -> bytes:
    values = [one if row == column else 0.0 for row in range(rows) for column in range(columns)]
    return struct.pack(f"<2q{rows * columns}f", rows, columns, *values)
