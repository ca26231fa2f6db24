"""What a recipe may say: typed and frozen. A key that is missing has its default here.

So this file is also the list of all settings; `recipe_files` reads them from YAML.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from towereval.errors import UsageError
from towereval.types import digest

Part: TypeAlias = Literal["projector", "vision", "text"]
View: TypeAlias = Literal["tiles", "single", "clips"]
Weights: TypeAlias = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Examples of one kind that the project draws, or the records of a JSONL or parquet file.

    `weight` is the share of examples, relative to the other sources of the stage; left out, it is
    the number of a file's records, and 1 of what is drawn. `records` is how many the file should
    have, for a plan that is made without it. Where more than the share `max_faulty` of a file's
    records cannot be trained on, nothing is trained.
    """

    drawn: str = ""
    path: str = ""
    weight: float | None = None
    records: int | None = None
    max_faulty: float = 0.01

    def __post_init__(self) -> None:
        if bool(self.drawn) == bool(self.path):
            raise UsageError("a source is either drawn or has a path")
        if self.weight is not None:
            _within("weight", self.weight, above=0)
        _within("max_faulty", self.max_faulty, least=0, most=1)

    @property
    def name(self) -> str:
        return self.drawn or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """How records that have an English parallel are asked: shares, which are made to sum to one.

    Source: LRM-LLaVA's three instructions; `mvqa` asks and answers in the record's language,
    `epvqa` wants the question in English first, `bvqa` asks in one language, answers in the other.
    """

    mvqa: float = 1.0
    epvqa: float = 0.0
    bvqa: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mvqa", "epvqa", "bvqa"):
            _within(name, getattr(self, name), least=0)
        _within("the sum of formats", self.mvqa + self.epvqa + self.bvqa, above=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Which shares of a stage's examples are what; None leaves the sources' own shares.

    `temperature` T gives each language but English a share that goes as (its own share)^T: 1 is
    natural, 0 uniform. `drop_multilingual` and `drop_images` leave out so much of the records in
    other languages, and of those with pictures.
    """

    english_share: float | None = None
    temperature: float = 1.0
    text_only_share: float | None = None
    drop_multilingual: float = 0.0
    drop_images: float = 0.0
    formats: Formats = field(default_factory=Formats)

    def __post_init__(self) -> None:
        _within("temperature", self.temperature, least=0, most=1)
        for name in ("english_share", "text_only_share", "drop_multilingual", "drop_images"):
            if (value := getattr(self, name)) is not None:
                _within(name, value, least=0, most=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank updates of the text model's linear layers; its own weights stay.

    `alpha` / `rank` multiplies the update. It is merged into the weights at export.
    """

    rank: int = 64
    alpha: float = 16.0
    dropout: float = 0.05

    def __post_init__(self) -> None:
        _within("rank", self.rank, above=0)
        _within("alpha", self.alpha, above=0)
        _within("dropout", self.dropout, least=0, most=0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """Random weights, and the tower's warm-up that stands in for a pretrained vision tower.

    The warm-up is supervised with what the generator drew, through a head that is thrown away.
    """

    tower_steps: int = 0
    tower_batch: int = 128
    tower_learning_rate: float = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The first weights: tiny ones, those of a vision tower and a text model, or a checkpoint's.

    `vision` and `text` are folders or hub ids of a SigLIP and a Gemma2; the projector between them
    is new, and a picture is cut into at most `max_tiles` tiles and its thumbnail. `init_from` is
    the folder of a LLaVA-NeXT.

    `projector_output_scale`: "legacy" multiplies what the language model reads as a picture by
    sqrt(hidden size) while it trains, as transformers did with Gemma2 before 5.4 and thus in the
    TowerVision authors' training; the export folds it into the weights. "1" does not.
    """

    tiny: TinyModel | None = None
    vision: str = ""
    text: str = ""
    init_from: str = ""
    max_tiles: int = 6
    projector_output_scale: Literal["legacy", "1"] = "1"

    def __post_init__(self) -> None:
        if bool(self.vision) != bool(self.text):
            raise UsageError("vision and text go together")
        if (self.tiny is not None) + bool(self.vision) + bool(self.init_from) != 1:
            raise UsageError("one of tiny, vision with text, and init_from")
        if self.init_from and self.projector_output_scale == "legacy":
            raise UsageError("a checkpoint's scale is folded in already: legacy would double it")
        _within("max_tiles", self.max_tiles, above=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: `steps` of `batch` examples each, or `epochs` of the records of its files.

    `warm_up` is a share of the steps, `final_rate` the share of the learning rate that the cosine
    ends at. `length_power` p weighs each supervised token of an answer of n tokens by n^-p: 0
    counts tokens alike, 1 answers. `prompt` "plain" is the picture and the answer, without turns.
    `view`: "tiles" cuts a picture as the model's processor does, "single" shows it whole and small,
    "clips" shows clips instead, `frames` of each; the model becomes a LLaVA-OneVision then.
    """

    trainable: tuple[Part, ...]
    data: tuple[Source, ...]
    batch: int
    learning_rate: float
    steps: int | None = None
    epochs: float | None = None
    vision_learning_rate: float | None = None
    warm_up: float = 0.05
    final_rate: float = 0.0
    weight_decay: float = 0.0
    betas: tuple[float, ...] = (0.9, 0.999)
    clip: float = 1.0
    length_power: float = 0.0
    prompt: Literal["chat", "plain"] = "chat"
    view: View = "tiles"
    frames: int = 32
    mix: Mix = field(default_factory=Mix)
    lora: Lora | None = None

    def __post_init__(self) -> None:
        if not self.trainable or not self.data:
            raise UsageError("a stage wants trainable parts and data")
        if len(self.betas) != 2:
            raise UsageError(f"betas are two numbers, found {len(self.betas)}")
        if (self.steps is None) == (self.epochs is None):
            raise UsageError("either steps or epochs")
        if self.epochs is not None and any(source.drawn for source in self.data):
            raise UsageError("what is drawn has no end: give steps instead of epochs")
        if self.lora is not None and "text" not in self.trainable:
            raise UsageError("lora moves the text model, which is not trainable here")
        _within("batch", self.batch, above=0)
        _within("steps", 1 if self.steps is None else self.steps, above=0)
        _within("epochs", 1 if self.epochs is None else self.epochs, above=0)
        _within("frames", self.frames, above=0)
        _within("learning_rate", self.learning_rate, above=0)
        _within("warm_up", self.warm_up, least=0, most=1)
        _within("clip", self.clip, above=0)

    @property
    def moved(self) -> tuple[Part, ...]:
        """The parts whose own weights move: with updates beside it, the text's do not."""
        return tuple(part for part in self.trainable if part != "text" or self.lora is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """A pack holds at most so many tokens, tiles and examples (None: as many as there is room for).

    So many `packs` go through the model at once.
    """

    tokens: int = 8192
    tiles: int = 64
    examples: int | None = None
    packs: int = 1

    def __post_init__(self) -> None:
        for name in ("tokens", "tiles", "packs"):
            _within(name, getattr(self, name), above=0)
        _within("examples", 1 if self.examples is None else self.examples, above=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How fast, not what: no setting here changes more than rounding.

    `attention` "auto" is flex on a GPU and eager elsewhere. `recompute` saves memory by computing
    the text model's layers again in the backward pass, "selective" all but matrix products.
    `compile` is by layer. `loss` "whole" makes the logits of all tokens at once, to compare with.
    """

    attention: Literal["auto", "eager", "flex"] = "auto"
    recompute: Literal["none", "selective", "layers"] = "none"
    compile: bool = False
    loss: Literal["chunked", "whole"] = "chunked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """`seed` and a step's number decide what that step sees. `checkpoint_every` counts steps.

    `workers` threads decode pictures ahead of the step that wants them; 0 decodes when it does.
    `precision` is that of products. `weights` is what weights and AdamW's moments are held in while
    a stage trains: bfloat16 takes 10 bytes a trained weight instead of 16, rounded by chance.
    """

    name: str
    model: Model
    stages: Mapping[str, Stage]
    seed: int = 0
    packing: Packing = field(default_factory=Packing)
    performance: Performance = field(default_factory=Performance)
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    weights: Weights = "float32"
    checkpoint_every: int = 500
    workers: int = 1

    def __post_init__(self) -> None:
        _within("checkpoint_every", self.checkpoint_every, above=0)
        _within("seed", self.seed, least=0)
        _within("workers", self.workers, least=0)
        if (self.weights, self.precision) == ("bfloat16", "float32"):
            raise UsageError("weights in bfloat16 want that precision too")

    @property
    def digest(self) -> str:
        """Of all that can move a weight: a checkpoint of another digest is not gone on from."""
        content = dataclasses.asdict(self)
        for name in ("checkpoint_every", "workers", "performance"):
            del content[name]
        return digest([list(content["stages"]), content])


def _within(
    name: str,
    value: float,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    most: float = math.inf,
) -> None:
    if not (value > above and least <= value <= most):
        bounds: Iterable[str] = (
            f"{words} {bound:g}"
            for words, bound in (("above", above), ("at least", least), ("at most", most))
            if math.isfinite(bound)
        )
        raise UsageError(f"{name} must be {' and '.join(bounds)}, found {value}")
