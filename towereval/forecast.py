"""What a run would ask, and about how long it would take: `towereval run --dry-run`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.data.media import image_size
from towereval.errors import DataError
from towereval.manifest import read_manifest
from towereval.plan import Plan, Settled, settle
from towereval.progress import Listener
from towereval.run import collect
from towereval.speed import Speed, read_performance
from towereval.store import Store
from towereval.types import Image, Model, Request, Video

# Prompts whose tokens are counted; the others are taken to be as long on average.
COUNTED = 500


@dataclass(frozen=True, slots=True)
class Forecast:
    """`prompt_tokens` is None where the model's files are not here or its processor cannot tell.

    `speed` is the newest that was measured of the model behind the engine, in the run `measured`.
    """

    folder: Path
    requests: int
    answered: int
    images: int
    videos: int
    prompt_tokens: int | None
    speed: Speed | None
    measured: str

    @property
    def minutes(self) -> float | None:
        missing = self.requests - self.answered
        return missing / self.speed.rate / 60 if self.speed and self.speed.rate else None

    def __str__(self) -> str:
        tokens = "unknown" if self.prompt_tokens is None else f"about {self.prompt_tokens:,}"
        time = "unknown: this model has not been run on this engine in these results"
        if self.speed and self.minutes is not None:
            time = f"about {self.minutes:.1f} minutes at {self.speed.rate:.1f}/s ({self.measured})"
        return "\n".join(
            (
                f"requests       {self.requests:,}, {self.answered:,} of them answered",
                f"pictures       {self.images:,} different ones, {self.videos:,} clips",
                f"prompt tokens  {tokens}",
                f"asking         {time}",
                f"run            {self.folder}",
            )
        )


def forecast(plan: Plan, listener: Listener) -> Forecast:
    """Read the data and count; no engine is started and no run's folder made or changed."""
    settled = settle(plan)
    with tempfile.TemporaryDirectory() as temporary, Store(Path(temporary)) as store:
        respondent = settled.subject.respondent
        collect(store, plan, settled.tasks, settled.sources, respondent, listener)
        keys: list[str] = []
        media: set[Image | Video] = set()
        for request in store.asked():
            keys.append(request.key)
            media.update(request.media)
        model = settled.subject.model
        tokens = _prompt_tokens(store, model, len(keys)) if model and model.folder.name else None
    speed, measured = _last_speed(plan, settled)
    return Forecast(
        settled.folder,
        len(keys),
        _count_answered(settled.folder, keys),
        sum(isinstance(one, Image) for one in media),
        sum(isinstance(one, Video) for one in media),
        tokens,
        speed,
        measured,
    )


def _count_answered(folder: Path, keys: Sequence[str]) -> int:
    if not (folder / "run.sqlite").exists():
        return 0
    with Store(folder, reading=True) as store:
        return sum(store.is_answered(key) for key in keys)


def _prompt_tokens(store: Store, model: Model, count: int) -> int | None:
    from towereval.engines.prompts import PromptEncoder

    encoder = PromptEncoder(model)
    every = max(1, count // COUNTED)
    counted = [
        _tokens_of(request, model, encoder)
        for number, request in enumerate(store.asked())
        if number % every == 0
    ]
    known = [tokens for tokens in counted if tokens is not None]
    if not known or len(known) < len(counted):
        return None
    return round(sum(known) / len(known) * count)


def _tokens_of(request: Request, model: Model, encoder: Any) -> int | None:
    """With a picture's tokens as the model's own processor counts them; None: it cannot tell.

    0 where a picture cannot be read: the model is never asked.
    """
    from towereval.engines.prompts import Decoded

    rendered = model.adapter.render(request.prompt, model.checkpoint)
    tokens = len(encoder.encode(Decoded(request, rendered)).token_ids)
    count = getattr(encoder.processor, "_get_num_multimodal_tokens", None)
    if rendered.videos or (rendered.images and count is None):
        return None
    sizes = []
    for image in rendered.images:
        if not isinstance(image, Image):
            return None  # a clip's frame
        try:
            sizes.append(image_size(image))
        except DataError:
            return 0
    if sizes and count:
        shown = count(image_sizes=sizes)["num_image_tokens"]
        tokens += sum(shown) - len(shown)  # in the place of one token each
    return tokens


def _last_speed(plan: Plan, settled: Settled) -> tuple[Speed | None, str]:
    """The newest measured one of the same model, files, engine and settings."""
    found = []
    for file in settled.folder.parent.glob("*/results.json"):
        manifest = read_manifest(file.parent)
        same = manifest["respondent_digest"] == settled.subject.respondent
        if same and (speed := read_performance(file.parent).speed):
            found.append((manifest["started"], file.parent.name, speed))
    _, name, speed = max(found, key=lambda one: one[:2], default=("", "", None))
    return speed, name
