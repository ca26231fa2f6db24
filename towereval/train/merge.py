"""Merges the language model of a vision-language model with others, and nothing else of it.

Shards are copied and the merged tensors written over their own bytes, one at a time, so that a
model need not fit into memory. Tower, projector, and the embedding's rows from the picture's token
on are the first model's.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from towereval.digests import files_digest, sha256
from towereval.errors import ModelError, StoreError, UsageError
from towereval.mending import MARK
from towereval.tensor_files import header
from towereval.train import merge_rules

Method: TypeAlias = Literal["linear", "task_arithmetic", "ties", "dare"]
MERGE_MARK = "towereval_merge"
# The text model's own name for a tensor, in a language model and in LLaVAs old and new.
_TEXT = re.compile(
    r"(?:language_model\.model\.|model\.language_model\.|model\.(?!vision_tower|multi_modal|image_))"
    r"(?P<inner>.*)"
)
_HEADS = ("lm_head.weight", "language_model.lm_head.weight")
EMBEDDING, HEAD = "embed_tokens.weight", "lm_head.weight"


@dataclass(frozen=True, slots=True)
class Merge:
    """What to do: `weights` are of the checkpoint itself and then of the others.

    `density` is the share of differences that TIES and DARE keep; `seed` decides DARE's.
    """

    method: Method
    weights: tuple[float, ...]
    density: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method == "linear" and not math.isclose(sum(self.weights), 1, abs_tol=1e-6):
            raise UsageError(f"the weights of a linear merge sum to 1, found {sum(self.weights):g}")
        if not 0 < self.density <= 1:
            raise UsageError(f"density is above 0 and at most 1, found {self.density:g}")


class _Tensors:
    """A folder's language model: where each of its tensors lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shards = sorted(folder.glob("*.safetensors"))
        if not shards:
            raise ModelError(f"{folder}: no safetensors")
        self.places: dict[str, tuple[Path, str]] = {}
        for shard in shards:
            for name in header(shard)[1]:
                if (inner := text_name(name)) is not None:
                    self.places[inner] = shard, name

    def get(self, inner: str) -> Tensor:
        # A tied head is often not written.
        place = self.places.get(inner) or (inner == HEAD and self.places.get(EMBEDDING))
        if not place:
            raise ModelError(f"{self.folder}: no tensor {inner}, which the checkpoint has")
        try:
            with safe_open(place[0], "pt") as shard:
                tensor: Tensor = shard.get_tensor(place[1]).float()
        except SafetensorError as error:
            raise ModelError(f"{place[0]}: cannot be read: {error}") from error
        return tensor


def text_name(name: str) -> str | None:
    """A tensor's name within the language model; None for those of other parts."""
    if name in _HEADS:
        return HEAD
    match = _TEXT.fullmatch(name)
    return match["inner"] if match else None


def merge(
    checkpoint: Path, others: Sequence[Path], base: Path | None, how: Merge, target: Path
) -> None:
    """Write the merged model; all that is no text model's is `checkpoint`'s.

    Raises `UsageError` where the request does not fit, `ModelError` for models that do not fit
    together, `StoreError` where the folder cannot be written.
    """
    if len(how.weights) != 1 + len(others):
        raise UsageError(f"{1 + len(others)} models want as many weights: {len(how.weights)} given")
    if (base is None) != (how.method == "linear"):
        raise UsageError(
            "a linear merge has no base" if base else f"{how.method} wants the base they began as"
        )
    if target.exists():
        raise UsageError(f"{target} exists")
    models = [_Tensors(folder) for folder in (checkpoint, *others)]
    origin = _Tensors(base) if base is not None else None
    limit = _own_rows(checkpoint)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=".merging-", dir=target.parent))
    try:
        shutil.copytree(checkpoint, temporary, dirs_exist_ok=True)
        touched = set()
        for inner, (shard, name) in models[0].places.items():
            merged = _merged(inner, models, origin, how, limit)
            _write_over(temporary / shard.name, name, merged)
            touched.add(shard.name)
        _mark(temporary, checkpoint, others, base, how, touched)
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _merged(
    inner: str, models: Sequence[_Tensors], origin: _Tensors | None, how: Merge, limit: int
) -> Tensor:
    own = models[0].get(inner)
    found = [own, *(model.get(inner) for model in models[1:])]
    start = origin.get(inner) if origin is not None else None
    every = found if start is None else [*found, start]
    rows = min([each.shape[0] for each in every])
    if inner in (EMBEDDING, HEAD):
        rows = min(rows, limit)
    elif any(each.shape != own.shape for each in every):
        shapes = " and ".join(str(tuple(each.shape)) for each in every)
        raise ModelError(f"{inner}: the models do not fit together: {shapes}")
    result = own.clone()
    result[:rows] = _by_rule(
        inner, [each[:rows] for each in found], None if start is None else start[:rows], how
    )
    return result


def _by_rule(inner: str, found: Sequence[Tensor], start: Tensor | None, how: Merge) -> Tensor:
    if start is None:
        return merge_rules.linear(found, how.weights)
    deltas = [each - start for each in found]
    if how.method == "ties":
        return merge_rules.ties(start, deltas, how.weights, how.density)
    if how.method == "dare":
        word = hashlib.sha256(f"{how.seed} {inner}".encode()).digest()
        seed = int.from_bytes(word[:6], "big")
        return merge_rules.dare(start, deltas, how.weights, how.density, seed)
    return merge_rules.task_arithmetic(start, deltas, how.weights)


def _own_rows(checkpoint: Path) -> int:
    """From which row on the embedding is the picture's token and what was filled up."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    token = config.get("image_token_id", config.get("image_token_index"))
    if not isinstance(token, int):
        raise ModelError(f"{checkpoint}: its config.json names no picture's token")
    return token


def _write_over(shard: Path, name: str, merged: Tensor) -> None:
    start, entries = header(shard)
    entry = entries[name]
    kinds = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
    if entry["dtype"] not in kinds:
        raise ModelError(f"{shard}: {name} is {entry['dtype']}, which cannot be merged")
    data = merged.to(kinds[entry["dtype"]]).contiguous().view(torch.uint8).numpy()
    with shard.open("r+b") as file:
        file.seek(start + entry["data_offsets"][0])
        file.write(memoryview(data).cast("B"))


def _mark(
    folder: Path,
    checkpoint: Path,
    others: Sequence[Path],
    base: Path | None,
    how: Merge,
    touched: set[str],
) -> None:
    """Say in config.json what was done; an earlier mark's hashes become those of the new files."""
    file = folder / "config.json"
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for mark in config.get(MARK, {}).values():
        hashes: Mapping[str, str] = mark["files"]
        mark["files"] = {n: sha256(folder / n) if n in touched else h for n, h in hashes.items()}
    models = [files_digest(each) for each in (checkpoint, *others)]
    digests = {"models": models, "base": files_digest(base) if base else None}
    config[MERGE_MARK] = {**asdict(how), **digests}
    file.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
