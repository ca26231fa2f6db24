"""Mends a checkpoint that today's libraries would read wrongly: a copy, once, in the cache.

Untouched shards are hard links, touched ones are written anew. The copy's config.json says what was
done to it, under MARK, so that nothing is done twice. Three faults are known:

gemma2-image-scale: up to 5.3, transformers multiplied all inputs of Gemma2 by sqrt(hidden size),
pictures too; since 5.4 (huggingface/transformers PR 44432, vLLM PR 36787) the text's embedding
alone. LLaVAs that were trained before show it pictures 48 times (hidden size 2304) or 59.9 times
(3584) too faint. The factor is folded into what makes a picture's features.

vision-tower-names: transformers 5 drops `vision_model.` from SigLIP's and CLIP's tensor names; vLLM
0.32 wants it, transformers reads both.

text-architecture: a text configuration that names the LLaVA class in which it was trained, where
vLLM looks for the language model's.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal, TypeAlias

from towereval import tensor_files
from towereval.digests import file_digests, files
from towereval.errors import ModelError
from towereval.types import Prepared, digest

MARK = "towereval_mends"
VERSION = 1
SCALE, TOWER, TEXT = NAMES = ("gemma2-image-scale", "vision-tower-names", "text-architecture")
ImageScale: TypeAlias = Literal["", "fold", "keep"]
# Shard -> tensor -> dtype, shape and data_offsets.
Headers: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]

LLAVAS = ("llava", "llava_next", "llava_next_video", "llava_onevision")
# Their outputs are what the language model reads as a picture.
_SCALED = re.compile(r"(model\.)?(multi_modal_projector\.linear_2\.(weight|bias)|image_newline)")
_TOWER = re.compile(
    r"((?:model\.)?vision_tower\.)"
    r"((?:embeddings|encoder|pre_layrnorm|post_layernorm|head)\..*)"
)
_TOWERS = ("siglip_vision_model", "clip_vision_model")
_TEXT_CLASSES = {
    "gemma2": "Gemma2ForCausalLM",
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
}


@dataclass(frozen=True, slots=True)
class Mend:
    """One fault and its cure: the tensors to scale by shard, those to rename, the new config."""

    name: str
    detail: str
    factors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    renamed: tuple[str, ...] = ()
    rename: Callable[[str], str] = str
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shards(self) -> set[str]:
        return {*self.factors, *self.renamed}


def mended(folder: Path | None, cache: Path) -> Prepared:
    """The checkpoint itself where nothing is wrong with it, else its copy in the cache.

    Raises `ModelError`, also where it cannot be known whether the image scale is right.
    """
    if folder is None:
        raise ModelError("this adapter needs a checkpoint: give a folder or a hub id")
    mends = find_mends(folder)
    if not mends:
        return Prepared(folder, changes(folder))
    names = [[mend.name, mend.detail] for mend in mends]
    key = digest([file_digests(folder), names, VERSION])
    target = cache / f"{folder.resolve().name}-{key[:16]}"
    if not all(file.exists() for file in files(target)):  # what it linked to is gone
        shutil.rmtree(target)
    if not target.exists():
        write(folder, target, mends)
    return Prepared(target, changes(target))


def find_mends(folder: Path, image_scale: ImageScale = "") -> list[Mend]:
    """What is wrong with a checkpoint; reads its configuration and its shards' headers only."""
    config = _config(folder)
    headers = {
        shard.name: tensor_files.header(shard)[1] for shard in sorted(folder.glob("*.safetensors"))
    }
    found = (
        _scale(folder, config, headers, image_scale),
        _tower_names(config, headers),
        _text_architecture(config),
    )
    return [mend for mend in found if mend is not None]


def write(folder: Path, target: Path, mends: Iterable[Mend]) -> None:
    """Write the mended copy beside `target`, then give it that name."""
    mends = list(mends)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=".mending-", dir=target.parent))
    hashes: dict[str, str] = {}
    try:
        for file in files(folder):
            copy = temporary / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            touched = [mend for mend in mends if file.name in mend.shards]
            if touched and file.parent == folder:
                hashes[file.name] = _rewrite(file, copy, touched)
            elif file.suffix == ".safetensors":
                _link(file, copy)
            else:  # small, and a program that edits it in place must not edit the original
                shutil.copyfile(file, copy)
        _mend_index(temporary, mends)
        _mark(temporary, mends, hashes)
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():  # another process was faster
                raise
    except OSError as error:
        raise ModelError(f"{target}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    file_digests(target, folder, hashes)  # what is known already need not be read


def changes(folder: Path) -> tuple[str, ...]:
    """What was mended in a checkpoint, by its own mark: name, detail, files and their hashes."""
    marks = _config(folder).get(MARK, {})
    lines = []
    for name, mark in marks.items():
        hashes = ", ".join(f"{file} sha256:{value}" for file, value in mark["files"].items())
        lines.append(f"{name} {mark['version']}: {mark['detail']}; {hashes or 'no tensor'}")
    return tuple(lines)


def _scale(
    folder: Path, config: Mapping[str, Any], headers: Headers, decided: ImageScale
) -> Mend | None:
    text = config.get("text_config") or {}
    gemma2 = text.get("model_type") == "gemma2" and config.get("model_type") in LLAVAS
    if not gemma2 or SCALE in config.get(MARK, {}):
        return None
    if not decided:
        version = re.match(r"(\d+)\.(\d+)", str(config.get("transformers_version", "")))
        if version is None:
            raise ModelError(
                f"{folder}: a Gemma2 LLaVA whose config.json does not say which transformers it"
                " is of: before 5.4 pictures were multiplied by sqrt(hidden size), since then not."
                f" Decide it: towereval convert {folder} --output DIR --image-scale fold (older)"
                " or keep"
            )
        if (int(version[1]), int(version[2])) >= (5, 4):
            return None
    if decided == "keep":
        return Mend(SCALE, "kept as it is")
    shapes = {
        match[2]: entry["shape"]
        for entries in headers.values()
        for name, entry in entries.items()
        if (match := _SCALED.fullmatch(name))
    }
    wanted = {"multi_modal_projector.linear_2.weight"}
    if config.get("multimodal_projector_bias", True):
        wanted.add("multi_modal_projector.linear_2.bias")
    if config["model_type"] != "llava":
        wanted.add("image_newline")
    if missing := wanted - set(shapes):
        raise ModelError(f"{folder}: no tensor {', '.join(sorted(missing))} to scale")
    # Not from the configuration, which may leave out what is the class's default.
    factor = math.sqrt(shapes["multi_modal_projector.linear_2.weight"][0])
    factors = {
        shard: {name: factor for name in entries if _SCALED.fullmatch(name)}
        for shard, entries in headers.items()
    }
    touched = {shard: tensors for shard, tensors in factors.items() if tensors}
    return Mend(SCALE, f"{', '.join(sorted(shapes))} times {factor:.4f}", touched)


def _tower_names(config: Mapping[str, Any], headers: Headers) -> Mend | None:
    tower = (config.get("vision_config") or {}).get("model_type")
    if config.get("model_type") not in (*LLAVAS, "gemma3") or tower not in _TOWERS:
        return None
    renamed = [s for s, names in headers.items() if any(_TOWER.fullmatch(name) for name in names)]
    if not renamed:
        return None
    detail = "vision_tower.* is vision_tower.vision_model.*"
    return Mend(TOWER, detail, renamed=tuple(renamed), rename=_old_name)


def _old_name(tensor: str) -> str:
    return _TOWER.sub(r"\1vision_model.\2", tensor)


def _text_architecture(config: Mapping[str, Any]) -> Mend | None:
    text = config.get("text_config") or {}
    (stale, *_) = text.get("architectures") or [""]
    known = _TEXT_CLASSES.get(text.get("model_type", ""))
    if config.get("model_type") not in LLAVAS or known is None or not stale.startswith("Llava"):
        return None
    changed = {"text_config": {**text, "architectures": [known]}}
    return Mend(TEXT, f"{stale} is {known}", config=changed)


def _rewrite(file: Path, copy: Path, mends: Iterable[Mend]) -> str:
    factors: dict[str, float] = {}
    names = {tensor: tensor for tensor in tensor_files.header(file)[1]}
    for mend in mends:
        factors |= mend.factors.get(file.name, {})
        names = {tensor: mend.rename(name) for tensor, name in names.items()}
    # In float32, and kept so: 59.87 times a half-precision number is none.
    replaced = tensor_files.scaled(file, factors)
    return tensor_files.rewrite(file, copy, rename=names.__getitem__, replaced=replaced)


def _mend_index(temporary: Path, mends: Iterable[Mend]) -> None:
    """The index names tensors, and says how many bytes they have."""
    for index in temporary.glob("*.safetensors.index.json"):
        content = json.loads(index.read_text(encoding="utf-8"))
        for mend in mends:
            mapped = content.get("weight_map", {})
            content["weight_map"] = {mend.rename(name): shard for name, shard in mapped.items()}
        if "total_size" in content.get("metadata", {}):
            shards = temporary.glob("*.safetensors")
            content["metadata"]["total_size"] = sum(tensor_files.size(shard) for shard in shards)
        index.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _mark(folder: Path, mends: Iterable[Mend], hashes: Mapping[str, str]) -> None:
    config = _config(folder)
    marks = dict(config.get(MARK, {}))
    for mend in mends:
        config |= mend.config
        marks[mend.name] = {
            "version": VERSION,
            "detail": mend.detail,
            "files": {shard: hashes[shard] for shard in sorted(mend.shards)},
        }
    text = json.dumps({**config, MARK: marks}, indent=2, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system
        target.symlink_to(source.resolve())
