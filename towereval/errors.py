"""Every error that towereval raises; the command line prints its message in one line.

TowerevalError
├── UsageError            what was asked does not exist or does not fit        (exit 2)
│   ├── UnknownName       a task, model, language, variant or engine; names the nearest
│   └── MissingExtra      an optional package; names the command that installs it
├── DataError             a data set, a row, a picture or a clip cannot be read
├── ModelError            a checkpoint cannot be found or loaded
├── EngineError           the engine cannot start or go on
├── StoreError            a run's folder cannot be read or written
└── Unscorable            a metric cannot judge this sample; becomes a counted value, never a zero
    └── ScoringFailed     the judge or the learned metric failed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TowerevalError(Exception):
    """The root; its message says what was wanted, what was found and what to do."""


class UsageError(TowerevalError):
    pass


class UnknownName(UsageError):
    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(names[:30])}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class MissingExtra(UsageError):
    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'towereval[{extra}]'")


class DataError(TowerevalError):
    pass


class ModelError(TowerevalError):
    pass


class EngineError(TowerevalError):
    pass


class StoreError(TowerevalError):
    pass


class Unscorable(TowerevalError):
    pass


class ScoringFailed(Unscorable):
    pass
