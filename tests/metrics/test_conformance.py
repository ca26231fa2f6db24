"""The runner finds no mismatch in our golden rows and, where they are, in the official vectors."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "metrics" / "golden").glob("*.jsonl"))
VECTORS = sorted((ROOT.parent / "shared" / "vectors").glob("*.jsonl"))
NEEDED = {
    "cc_ocr": ("rapidfuzz", "lxml"),
    "kie": ("rapidfuzz",),
    "one_minus_ned": ("rapidfuzz",),
    "teds": ("rapidfuzz", "lxml"),
    "xm3600_caption": ("pycocoevalcap", "java"),
    "xm3600_segmentation": ("sudachipy", "pythainlp"),
}


def conformance(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.conformance", *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def skip_where_a_package_lacks(file: Path) -> None:
    for name in NEEDED.get(file.stem, ()):
        if importlib.util.find_spec(name) is None and shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("file", [*GOLDEN, *VECTORS], ids=lambda file: file.stem)
def test_no_row_mismatches(file: Path) -> None:
    skip_where_a_package_lacks(file)
    done = conformance(file)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = {json.loads(line)["kind"] for line in file.read_text().split("\n") if line}
    assert {line.split(": ")[0] for line in done.stdout.splitlines()} == kinds
    assert all(line.endswith(", 0 mismatched") for line in done.stdout.splitlines())


@pytest.mark.skipif(not VECTORS, reason="the official vectors are not here")
def test_the_vectors_are_all_there() -> None:
    assert len(VECTORS) == 10


def test_a_wrong_value_is_a_mismatch(tmp_path: Path) -> None:
    rows = [
        {"kind": "smpqa.sample", "label": "a", "prediction": "a", "expected": {"acc": 0.0}},
        {"kind": "textvqa.processor", "input": "two", "expected": "2"},
        {"kind": "textvqa.processor", "input": "two", "expected": "two"},
        {"kind": "textvqa.processor", "input": "two", "expected": "ERR:ValueError"},
        {"kind": "textvqa.accuracy", "pred_answer": "x", "gt_answers": ["x"], "expected": 0.3},
    ]
    file = tmp_path / "wrong.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    done = conformance(file)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-3:] == [
        "smpqa.sample: 1 checked, 1 mismatched",
        "textvqa.processor: 3 checked, 2 mismatched",
        "textvqa.accuracy: 1 checked, 1 mismatched",
    ]


def test_an_unknown_kind_is_no_success(tmp_path: Path) -> None:
    file = tmp_path / "unknown.jsonl"
    file.write_text('{"kind": "no.such", "expected": 1}\n')
    done = conformance(file)
    assert (done.returncode, done.stdout) == (1, "no.such: unknown kind, 1 rows not checked\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '{"kind": "textvqa.processor"}',
        '{"kind": 1, "expected": 1}',
        '{"kind": "textvqa.processor", "expected": "x"}',
        '{"kind": "textvqa.processor", "input": 3, "expected": "x"}',
        '{"kind": "textvqa.processor", "input": "x", "expected": "x"}\rtail',
    ],
)
def test_a_malformed_file_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "malformed.jsonl"
    file.write_text(text)
    done = conformance(file)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and str(file) in done.stderr


def test_a_missing_file_is_told_in_one_line(tmp_path: Path) -> None:
    done = conformance(tmp_path / "missing.jsonl")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_no_file_at_all_is_a_usage_error() -> None:
    assert conformance().returncode == 2


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    file = tmp_path / "separators.jsonl"
    row = {"kind": "textvqa.processor", "input": "a\u2028b\x85c", "expected": "b c"}
    file.write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8", newline="\n")
    assert conformance(file).returncode == 0
