"""The pages that a newcomer reads: their files are written and their commands run as they stand.

A fenced block with a title is a file, a block of `sh` is what the reader types.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.test_cli import MAIN, ROOT, surroundings

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PAGES = sorted((ROOT / "docs").glob("*.md"))


def written(page: str, folder: Path) -> dict[str, str]:
    """The page's files, by name, after they are written; pictures that rows name are drawn."""
    files = {}
    for _, name, content in BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        if not name:
            continue
        files[name] = content
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        for picture in re.findall(r"\d\.png", content):
            Image.new("RGB", (32, 32), (200, 10, ord(picture[0]))).save(file.parent / picture)
    return files


def typed(page: str, folder: Path) -> str:
    """What its commands print, all run by one shell that stops at the first that fails."""
    program = folder / "bin" / "towereval"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -W ignore -c "{MAIN}" "$@"\n')
    program.chmod(0o755)
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    script = "\n".join(content for kind, _, content in blocks if kind == "sh")
    environment = surroundings(BROWSER="", DISPLAY="", WAYLAND_DISPLAY="")
    environment["PATH"] = f"{program.parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


@pytest.mark.engine
def test_the_first_ten_minutes_give_a_table_and_a_page(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    shown = typed("first_ten_minutes.md", tmp_path)
    assert "commute@official" in shown
    assert "textvqa@validation" in shown
    asked = re.findall(r"^(\d+) asked, results/tiny/", shown, re.MULTILINE)
    assert len(asked) == 2
    assert int(asked[0]) > 0
    assert asked[1] == "0"
    assert (tmp_path / "leaderboard" / "index.html").is_file()


@pytest.mark.engine
def test_a_task_is_added_in_one_file(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    files = written("add_a_task.md", tmp_path)
    assert all(code_lines(files[f"mine/tasks/{name}.py"]) < 30 for name in ("signs", "letters"))
    shown = typed("add_a_task.md", tmp_path)
    assert "signs@ours (version 1)" in shown
    assert re.search(r"^signs@ours +exact_match +de +\d", shown, re.MULTILINE)
    assert re.search(r"^letters@ours +length_within_one +de +\d", shown, re.MULTILINE)
    assert "3 asked, results/tiny/" in shown


@pytest.mark.engine
def test_a_model_is_added_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    from towereval.checkpoints import find

    files = written("add_a_model.md", tmp_path)
    assert all(code_lines(file) < 30 for file in files.values())
    shutil.copytree(find("tiny").folder, tmp_path / "checkpoints" / "our-llava")
    shown = typed("add_a_model.md", tmp_path)
    assert "our-llava (adapter our_llava 1)" in shown
    assert "our-qwen (adapter our_qwen 1)" in shown
    assert "1 asked, results/our-llava/" in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in LINK.findall(text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
