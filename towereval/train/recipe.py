"""What a recipe may say: typed, frozen, read from YAML, unknown keys refused.

A key that is missing has its default here, so this file is also the list of all settings. Of a
field's type only what `_value` reads is used: numbers, text, booleans, choices, lists, tables.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from towereval.errors import UnknownName, UsageError
from towereval.types import digest

Part: TypeAlias = Literal["projector", "vision", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Examples of one kind that the project draws (towereval/train/drawn.py).

    `weight` is the share of examples, relative to the other sources of the stage.
    """

    drawn: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        _within("weight", self.weight, above=0)


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
    """The first weights.

    `projector_output_scale`: "legacy" multiplies what the language model reads as a picture by
    sqrt(hidden size) while it trains, as transformers did with Gemma2 before 5.4 and thus in the
    TowerVision authors' training; the export folds it into the weights. "1" does not.
    """

    tiny: TinyModel
    projector_output_scale: Literal["legacy", "1"] = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: `steps` of `batch` examples each.

    `warm_up` is a share of the steps, `final_rate` the share of the learning rate that the cosine
    ends at. `length_power` p weighs each supervised token of an answer of n tokens by n^-p: 0
    counts tokens alike, 1 answers. `prompt` "plain" is the picture and the answer, without turns.
    """

    trainable: tuple[Part, ...]
    data: tuple[Source, ...]
    batch: int
    steps: int
    learning_rate: float
    vision_learning_rate: float | None = None
    warm_up: float = 0.05
    final_rate: float = 0.0
    weight_decay: float = 0.0
    betas: tuple[float, ...] = (0.9, 0.999)
    clip: float = 1.0
    length_power: float = 0.0
    prompt: Literal["chat", "plain"] = "chat"

    def __post_init__(self) -> None:
        if not self.trainable or not self.data:
            raise UsageError("a stage wants trainable parts and data")
        if len(self.betas) != 2:
            raise UsageError(f"betas are two numbers, found {len(self.betas)}")
        _within("batch", self.batch, above=0)
        _within("steps", self.steps, above=0)
        _within("learning_rate", self.learning_rate, above=0)
        _within("warm_up", self.warm_up, least=0, most=1)
        _within("clip", self.clip, above=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """A pack holds at most so many tokens and tiles; so many packs go through the model at once."""

    tokens: int = 8192
    tiles: int = 64
    packs: int = 1

    def __post_init__(self) -> None:
        for name in ("tokens", "tiles", "packs"):
            _within(name, getattr(self, name), above=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """`seed` and a step's number decide what that step sees. `checkpoint_every` counts steps."""

    name: str
    model: Model
    stages: Mapping[str, Stage]
    seed: int = 0
    packing: Packing = field(default_factory=Packing)
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        _within("checkpoint_every", self.checkpoint_every, above=0)
        _within("seed", self.seed, least=0)

    @property
    def digest(self) -> str:
        """Of all that can move a weight: a checkpoint of another digest is not gone on from."""
        content = dataclasses.asdict(self)
        del content["checkpoint_every"]
        return digest([list(content["stages"]), content])


def find(name: str) -> Path:
    """A file, or the name of one of the project's own recipes."""
    here = Path(__file__).parents[2] / "recipes", Path(__file__).parents[1] / "recipes"
    own = {file.stem: file for folder in here for file in sorted(folder.glob("*.yaml"))}
    if name in own:
        return own[name]
    if Path(name).is_file():
        return Path(name)
    raise UnknownName("recipe", name, own)


def load(file: Path, settings: Mapping[str, Any] | None = None) -> Recipe:
    """The file's recipe with some settings changed, `{"stages.stage1.steps": 10}`.

    Raises `UsageError` that names the key.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {error}") from error
    for key, value in (settings or {}).items():
        _set(content, key.split("."), value)
    try:
        recipe: Recipe = _value(Recipe, content, "")
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    return recipe


def _set(content: Any, keys: list[str], value: Any) -> None:
    for depth, key in enumerate(keys[:-1]):
        inner = content.get(key) if isinstance(content, dict) else None
        if inner is None and isinstance(content, dict):
            inner = content.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {'.'.join(keys)}: {'.'.join(keys[: depth + 1])} has no keys")
        content = inner
    content[keys[-1]] = value


def _value(kind: Any, value: Any, path: str) -> Any:
    """The value as the type wants it. Raises `UsageError` that names its place in the recipe."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value, path)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, path)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        return {str(key): _value(arguments[1], v, f"{path}.{key}") for key, v in value.items()}
    if origin is Literal and str(value) in arguments:
        return str(value)
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    hint = "; YAML reads 1e-3 as text, write 1.0e-3" if kind is float else ""
    raise UsageError(f"{path} wants {_said(kind)}, found {value!r}{hint}")


def _dataclass(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise UsageError(f"{path or 'a recipe'} wants keys and values, found {value!r}")
    hints = typing.get_type_hints(kind)
    for key in value:
        if key not in hints:
            where = f"key of {path}" if path else "key"
            raise UnknownName(where, str(key), hints)
    read = {
        key: _value(hints[key], item, f"{path}.{key}".strip(".")) for key, item in value.items()
    }
    missing = [
        item.name
        for item in dataclasses.fields(kind)
        if item.default is item.default_factory is dataclasses.MISSING and item.name not in read
    ]
    if missing:
        raise UsageError(f"{path or 'the recipe'} lacks {', '.join(missing)}")
    try:
        return kind(**read)
    except UsageError as error:
        raise UsageError(f"{path}: {error}" if path else str(error)) from error


def _said(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return " or ".join(typing.get_args(kind))
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(kind, "a list" if typing.get_origin(kind) is tuple else "keys and values")


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
