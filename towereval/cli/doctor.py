"""`towereval doctor`: what this machine can run, and what would cure what it cannot."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Say what this machine has, which engines can start, and what cures the rest."""
    from towereval.machine import engine_findings, findings

    for found in findings():
        print(f"{found.name:12} {found.state}")
        if found.cure:
            print(f"{'':12} -> {found.cure}")
    print("\nengines")
    usable = False
    for engine, asks in engine_findings():
        usable = usable or asks
        print(f"{engine.name:12} {engine.state}")
    raise typer.Exit(0 if usable else 4)
