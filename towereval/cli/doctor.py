"""`towereval doctor`: what this machine can run, and what would cure what it cannot."""

from __future__ import annotations

import shutil

import typer

from towereval import engines
from towereval.environment import describe
from towereval.errors import UsageError


def doctor() -> None:
    """Say what this machine has, which engines can start and where files are kept."""
    from towereval.data.media import cache_folder

    about = describe()
    for key in ("python", "platform", "processor", "cores"):
        print(f"{key:12} {about[key]}")
    print(f"{'gpus':12} {', '.join(map(str, about['gpus'])) or 'none'}")  # type: ignore[call-overload]
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    print(f"{'cache':12} {folder} ({free:.0f} GB free)")
    usable = False
    for kind in engines.KINDS.values():
        try:
            versions = engines.versions(kind)
        except UsageError as error:
            print(f"{kind.name:12} {error}")
            continue
        usable = usable or bool(kind.packages)
        found = ", ".join(f"{name} {version}" for name, version in versions.items())
        print(f"{kind.name:12} {found or 'ready'}")
    raise typer.Exit(0 if usable else 4)
