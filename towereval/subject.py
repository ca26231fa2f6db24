"""Who answers: a model behind an engine, a served model, or a recorded run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from towereval import checkpoints, engines, plugins
from towereval.data.media import DECODING
from towereval.engines import EngineKind
from towereval.errors import UsageError
from towereval.manifest import read_manifest
from towereval.types import Checkpoint, Model, Respondent


@dataclass(frozen=True, slots=True)
class Subject:
    """`respondent` is the digest that goes into every request's key, `description` what it is of.

    `model` is None where answers are replayed.
    """

    kind: EngineKind
    model: Model | None
    respondent: str
    description: Mapping[str, Any]
    clean: Callable[[str], str]


def find_subject(model: str, engine: str, engine_args: Mapping[str, Any]) -> Subject:
    """Find, check and prepare the model; no engine is started. Raises `TowerevalError`."""
    kind = engines.find(engine)
    if kind.name == "replay":
        from towereval.engines.replay import recording

        recorded = read_manifest(recording(engine_args))
        digest, description = recorded["respondent_digest"], recorded["respondent"]
        return Subject(kind, None, digest, description, recorded_clean(recorded))
    versions = engines.versions(kind)
    if kind.served:
        from towereval.engines.openai import settings

        found = _served(model)
        engine_args = settings(engine_args).identity(model)
    else:
        trusted = bool(engine_args.get("trust_remote_code"))
        _, known = plugins.find_model(model)
        if known.engines and kind.name not in known.engines:
            raise UsageError(f"{kind.name} has no class for {model}: --engine {known.engines[0]}")
        found = checkpoints.find(model, trust_remote_code=trusted)
    respondent = respondent_of(found, kind, versions, engine_args)
    description = {**asdict(respondent), "changes": list(found.changes)}
    return Subject(kind, found, respondent.digest, description, found.adapter.clean)


def respondent_of(
    found: Model, kind: EngineKind, versions: Mapping[str, str], engine_args: Mapping[str, Any]
) -> Respondent:
    """What of a model, its limits and its engine can change an answer."""
    checkpoint = found.checkpoint
    local = not kind.served and Path(checkpoint.repo).is_dir()
    return Respondent(
        # Where a folder lies, and how its path is written, is not part of a model.
        model=found.digest if local and checkpoint.repo else checkpoint.repo or found.name,
        checkpoint=found.digest,
        adapter=f"{found.adapter.name} {found.adapter.version}",
        engine=", ".join(f"{name} {version}" for name, version in versions.items()) or kind.name,
        dtype=str(engine_args.get("dtype", checkpoint.dtype)),
        engine_args={
            "context_length": checkpoint.context_length,
            "reads_video": checkpoint.reads_video,
            "images": checkpoint.images,
            "frames": checkpoint.frames,
            "frame_size": checkpoint.frame_size,
            **checkpoint.engine_args,
            **{key: value for key, value in engine_args.items() if key not in kind.placement},
        },
        media=DECODING,
    )


def recorded_clean(manifest: Mapping[str, Any]) -> Callable[[str], str]:
    """How a recorded run's answers are cleaned: as its adapter does, or not at all in a log's."""
    adapter = manifest["respondent"].get("adapter", "").partition(" ")[0]
    return plugins.load_adapter(adapter).clean if adapter else str


def _served(name: str) -> Model:
    """A model that a server holds: its files are not ours to check, so its name has to do."""
    generic = plugins.load_adapter(plugins.GENERIC)
    checkpoint = Checkpoint(name, dtype="served", images=32)
    return Model(name, generic, checkpoint, Path(), "served")
