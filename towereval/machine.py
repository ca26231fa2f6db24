"""What a machine lacks for a run, and what would cure it; nothing heavy is imported for it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from towereval import engines
from towereval.data.media import cache_folder
from towereval.environments import COMET, LMMS_EVAL, python_of
from towereval.errors import UsageError
from towereval.provenance import describe, version_of
from towereval.smpqa.fonts import CJK, CORE, FOLDERS

# As pyproject.toml's extras have them: from the first, below the second.
RANGES = {
    "vllm": ((0, 32), (0, 34)),
    "transformers": ((5, 16, 1), (5, 20)),
    "torch": ((2, 10), (3,)),
}
PYTHONS = ((3, 11), (3, 15))
# The oldest driver of each CUDA: https://docs.nvidia.com/deploy/cuda-compatibility/
DRIVERS = {"12": (525, 60), "13": (580,)}
ENOUGH_GB = 60  # a model of 9 billion weights in 16 bit, downloaded and mended


@dataclass(frozen=True, slots=True)
class Finding:
    """`cure` is empty where nothing is amiss."""

    name: str
    state: str
    cure: str = ""


def findings() -> Iterator[Finding]:
    """Of the machine, its libraries, the hub and the places where files are kept."""
    about = describe()
    yield _python()
    for key in ("platform", "processor", "cores"):
        yield Finding(key, str(about[key]))
    gpus = ", ".join(map(str, about["gpus"])) or "none"  # type: ignore[call-overload]
    yield _gpus(gpus)
    yield driver(Path("/proc/driver/nvidia/version"))
    yield from map(package, RANGES)
    yield hub()
    yield token()
    yield disk("cache", cache_folder(), "TOWEREVAL_CACHE=DIR puts it elsewhere")
    yield disk("downloads", _hub_home(), "HF_HOME=DIR puts it elsewhere")
    yield fonts()
    yield _raqm()
    for kind in (COMET, LMMS_EVAL):
        try:
            python = python_of(kind)
        except UsageError as error:
            yield Finding(kind.name, str(error), f"unset {kind.variable}, or mend it")
            continue
        made = f"towereval setup {kind.name} ({kind.size})"
        yield Finding(kind.name, str(python or "not made"), "" if python else made)


def engine_findings() -> Iterator[tuple[Finding, bool]]:
    """Each engine, and whether a model could be asked by it here."""
    for kind in engines.KINDS.values():
        try:
            versions = engines.versions(kind)
        except UsageError as error:
            yield Finding(kind.name, str(error)), False
            continue
        found = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield Finding(kind.name, found or "ready"), bool(kind.packages)


def package(name: str) -> Finding:
    """Whether its version is one that the extras allow."""
    found = next((n for n in (name, f"{name}-cpu") if version_of(n)), "")
    if not found:
        extra = "vllm" if name == "vllm" else "transformers"
        return Finding(name, "not installed", f"pip install 'towereval[{extra}]'")
    version = version_of(found)
    first, end = RANGES[name]
    if first <= numbers(version) < end:
        return Finding(name, f"{found} {version}".removeprefix(f"{name} "))
    low, high = (".".join(map(str, bound)) for bound in (first, end))
    return Finding(name, f"{version}, not tried here", f"pip install '{found}>={low},<{high}'")


def numbers(version: str) -> tuple[int, ...]:
    """`5.19.0rc1+cu130` -> (5, 19, 0)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def hub() -> Finding:
    """Whether it answers, without a token and within five seconds."""
    offline = [n for n in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE") if os.environ.get(n)]
    if offline:
        return Finding("hub", f"not asked: {offline[0]} is set", f"unset {offline[0]} to download")
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    address = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if not address.startswith(("http://", "https://")):
        return Finding("hub", f"HF_ENDPOINT={address}", "it is an address, as https://...")
    reason = ""
    try:
        urlopen(Request(address, method="HEAD"), timeout=5).close()  # noqa: S310 - looked at above
    except HTTPError as error:
        error.close()
        if error.code >= 500:  # a refusal is an answer, too: some mirrors take no HEAD
            reason = str(error)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
    if reason:
        cure = "set HTTPS_PROXY, or work offline as docs/offline.md says"
        return Finding("hub", f"{address} does not answer ({reason})", cure)
    return Finding("hub", f"{address} answers")


def token() -> Finding:
    """Whether there is one; it is not read."""
    place = Path(os.environ.get("HF_TOKEN_PATH") or _hub_home() / "token")
    if os.environ.get("HF_TOKEN") or place.is_file():
        return Finding("token", "there is one")
    return Finding("token", "none", "only gated models and data need one: hf auth login")


def fonts() -> Finding:
    """Those that `smpqa generate` and plots draw labels with."""
    lacking = [
        package
        for package, pattern in ((CORE, "NotoSans*-Regular.ttf"), (CJK, "NotoSansCJK*"))
        if not any(folder.is_dir() and any(folder.rglob(pattern)) for folder in FOLDERS)
    ]
    cure = f"for labels in plots: apt-get install {' '.join(lacking)}" if lacking else ""
    return Finding("fonts", f"without {', '.join(lacking)}" if lacking else "Noto", cure)


def _python() -> Finding:
    first, end = PYTHONS
    fits = first <= sys.version_info[:2] < end
    return Finding("python", platform.python_version(), "" if fits else "use Python 3.11 to 3.14")


def _gpus(names: str) -> Finding:
    if names != "none":
        return Finding("gpus", names)
    cards = Path("/sys/bus/pci/devices")
    vendors = (file.read_text(encoding="ascii").strip() for file in cards.glob("*/vendor"))
    if "0x10de" in vendors:
        return Finding(
            "gpus",
            "NVIDIA's, without its driver",
            "install the driver; in a container, start it with --gpus all",
        )
    cure = "a large model wants one; small ones run without: pip install 'towereval[cpu]'"
    return Finding("gpus", "none", cure)


def driver(file: Path) -> Finding:
    """Whether it is new enough for the CUDA that torch was built with."""
    try:
        match = re.search(r"\b(\d{3}\.\d+[.\d]*)\b", file.read_text(encoding="utf-8"))
    except OSError:
        return Finding("driver", "none")
    version = match[1] if match else ""
    named = {"13": "nvidia-cuda-runtime", "12": "nvidia-cuda-runtime-cu12"}
    cuda = next((cuda for cuda, name in named.items() if version_of(name)), "")
    if "+cpu" in version_of("torch"):
        return Finding("driver", version, "torch is a CPU build: reinstall it from PyPI")
    if cuda and numbers(version) < DRIVERS[cuda]:
        least = ".".join(map(str, DRIVERS[cuda]))
        return Finding("driver", version, f"CUDA {cuda} wants {least} or newer")
    return Finding("driver", version)


def _hub_home() -> Path:
    return Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")


def disk(name: str, folder: Path, elsewhere: str) -> Finding:
    """Whether a large model finds room there."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    cure = "" if free >= ENOUGH_GB else f"large models want {ENOUGH_GB} GB; {elsewhere}"
    if not os.access(existing, os.W_OK):
        cure = f"it cannot be written; {elsewhere}"
    return Finding(name, f"{folder} ({free:.0f} GB free)", cure)


def _raqm() -> Finding:
    """Asked of another process, since Pillow is not loaded for a listing."""
    code = "from PIL import features; print(features.version('raqm') or '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return Finding("raqm", "Pillow cannot be imported", "pip install --force-reinstall pillow")
    cure = "" if done.stdout.strip() else "apt-get install libraqm0 libfribidi0"
    return Finding("raqm", done.stdout.strip() or "none: labels come out wrong", cure)
