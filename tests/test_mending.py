"""What is wrong with a checkpoint is found, mended once in a copy, marked, and never done twice."""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import error_line, towereval
from towereval.checkpoints import check, find
from towereval.digests import file_digests
from towereval.errors import ModelError
from towereval.mending import MARK, find_mends, mended, write

HIDDEN = 96
CONFIG: dict[str, Any] = {
    "architectures": ["LlavaNextForConditionalGeneration"],
    "model_type": "llava_next",
    "transformers_version": "4.57.6",
    "text_config": {"model_type": "gemma2"},  # the size is in the tensors
    "vision_config": {"model_type": "siglip_vision_model"},
}
LINEAR = "multi_modal_projector.linear_2"
TOWER = "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"
FIRST = {
    TOWER: [1.0, 2.0],
    f"{LINEAR}.weight": [0.5, -1.5, *(3.0 for _ in range(HIDDEN - 2))],
    f"{LINEAR}.bias": [0.25],
    "image_newline": [-2.0],
}
SECOND = {"language_model.model.embed_tokens.weight": [4.0, 5.0]}


def bits(values: list[float], dtype: str) -> bytes:
    if dtype == "BF16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    return struct.pack(f"<{len(values)}{'e' if dtype == 'F16' else 'f'}", *values)


def shard(file: Path, tensors: dict[str, list[float]], dtype: str = "BF16") -> None:
    header: dict[str, Any] = {}
    data = b""
    for name, values in tensors.items():
        raw = bits(values, dtype)
        header[name] = {
            "dtype": dtype,
            "shape": [len(values)],
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read(file: Path) -> dict[str, tuple[str, list[float]]]:
    raw = file.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    found = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        part = raw[begin:end]
        if entry["dtype"] == "BF16":
            part = b"".join(b"\0\0" + part[at : at + 2] for at in range(0, len(part), 2))
        form = "e" if entry["dtype"] == "F16" else "f"
        values = struct.unpack(f"<{math.prod(entry['shape'])}{form}", part)
        found[name] = (entry["dtype"], list(values))
    return found


def llava(folder: Path, config: dict[str, Any] | None = None, dtype: str = "BF16") -> Path:
    """A Gemma2 LLaVA-NeXT in two shards with an index, a tokenizer and a folder within."""
    (folder / "assets").mkdir(parents=True)
    (folder / "assets" / "page.txt").write_text("a page")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    shard(folder / "model-1.safetensors", FIRST, dtype)
    shard(folder / "model-2.safetensors", SECOND, dtype)
    names = dict.fromkeys(FIRST, "model-1.safetensors") | dict.fromkeys(
        SECOND, "model-2.safetensors"
    )
    index = {"metadata": {"total_size": 18}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_the_scale_is_folded_in_float32_and_all_else_is_as_it_was(
    tmp_path: Path, dtype: str
) -> None:
    folder = llava(tmp_path / "model", dtype=dtype)
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    copy = mended(folder, tmp_path / "cache").folder
    check(copy)
    first = read(copy / "model-1.safetensors")
    for name in (f"{LINEAR}.weight", f"{LINEAR}.bias", "image_newline"):
        wanted = [value * math.sqrt(HIDDEN) for value in FIRST[name]]
        assert first[name] == ("F32", pytest.approx(wanted, rel=1e-7))
    assert first[TOWER] == (dtype, FIRST[TOWER])
    # Untouched shards are the same file, whatever else is a copy of its own.
    assert (copy / "model-2.safetensors").samefile(folder / "model-2.safetensors")
    assert (copy / "assets" / "page.txt").read_text() == "a page"
    assert not (copy / "tokenizer.json").samefile(folder / "tokenizer.json")
    index = json.loads((copy / "model.safetensors.index.json").read_text())
    width = 4 if dtype == "F32" else 2
    assert index["metadata"]["total_size"] == 4 * width + (HIDDEN + 2) * 4
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


def test_it_is_done_once_and_says_what_it_did(tmp_path: Path) -> None:
    folder = llava(tmp_path / "model")
    first = mended(folder, tmp_path / "cache")
    stamp = (first.folder / "model-1.safetensors").stat()
    again = mended(folder, tmp_path / "cache")
    assert again == first
    assert (again.folder / "model-1.safetensors").stat() == stamp
    sha256 = file_digests(first.folder)["model-1.safetensors"]
    [change] = first.changes
    assert change.startswith("gemma2-image-scale 1: ")
    assert f"times {math.sqrt(HIDDEN):.4f}" in change
    assert change.endswith(f"model-1.safetensors sha256:{sha256}")
    # What was mended is marked: it is neither mended again nor forgotten to have been.
    assert find_mends(first.folder) == []
    assert mended(first.folder, tmp_path / "cache") == first


def test_it_is_known_by_its_content(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folder = llava(tmp_path / "one" / "model")
    first = mended(folder, cache).folder
    assert mended(llava(tmp_path / "other" / "model"), cache).folder == first
    # The shard that is only linked is part of it: other weights, another copy.
    status = (folder / "model-2.safetensors").stat()
    shard(folder / "model-2.safetensors", {next(iter(SECOND)): [4.0, 6.0]})
    os.utime(folder / "model-2.safetensors", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    other = mended(folder, cache).folder
    assert other != first
    assert read(other / "model-2.safetensors") == read(folder / "model-2.safetensors")


def test_a_copy_that_was_broken_off_is_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = llava(tmp_path / "model")
    cache = tmp_path / "cache"

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ModelError, match=r"cannot be written: .*No space left"):
            mended(folder, cache)
    assert list(cache.iterdir()) == []
    check(mended(folder, cache).folder)


def test_what_was_linked_or_written_is_not_read_again_for_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = mended(llava(tmp_path / "model"), tmp_path / "cache").folder
    opened: list[str] = []
    real = Path.open

    def watched(file: Path, *arguments: object, **options: object) -> object:
        opened.append(file.name)
        return real(file, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", watched)
        found = file_digests(copy)
    assert not {"model-1.safetensors", "model-2.safetensors"} & set(opened)
    for name, sha256 in found.items():
        assert hashlib.sha256((copy / name).read_bytes()).hexdigest() == sha256


def test_two_processes_may_mend_at_once(tmp_path: Path) -> None:
    folder, target = llava(tmp_path / "model"), tmp_path / "cache" / "copy"
    mends = find_mends(folder)
    write(folder, target, mends)
    before = file_digests(target)
    write(folder, target, mends)  # the slower one finds the other's work
    assert file_digests(target) == before
    assert [path.name for path in target.parent.iterdir()] == ["copy"]


def test_a_copy_whose_links_lead_nowhere_is_made_anew(tmp_path: Path) -> None:
    folder = llava(tmp_path / "model")
    copy = mended(folder, tmp_path / "cache").folder
    (copy / "model-2.safetensors").unlink()
    (copy / "model-2.safetensors").symlink_to(tmp_path / "gone")  # as across file systems
    assert mended(folder, tmp_path / "cache").folder == copy
    check(copy)


@pytest.mark.parametrize(
    ("version", "scaled"),
    [
        ("4.40.0", True),
        ("4.57.6", True),
        ("5.0.0rc1", True),
        ("5.3.2", True),
        ("5.4.0", False),
        ("5.10.0", False),
        ("5.19.0.dev0", False),
        ("6.0.0", False),
    ],
)
def test_which_transformers_saved_it_decides(tmp_path: Path, version: str, scaled: bool) -> None:
    folder = llava(tmp_path / "model", {**CONFIG, "transformers_version": version})
    assert [mend.name for mend in find_mends(folder)] == ["gemma2-image-scale"] * scaled


@pytest.mark.parametrize(
    "other",
    [
        {"text_config": {"model_type": "qwen2", "hidden_size": HIDDEN}},
        {"model_type": "paligemma"},  # compensates
        {"text_config": {"model_type": "gemma3_text", "hidden_size": HIDDEN}},
    ],
    ids=str,
)
def test_other_models_are_left_alone(tmp_path: Path, other: dict[str, Any]) -> None:
    folder = llava(tmp_path / "model", {**CONFIG, **other})
    prepared = mended(folder, tmp_path / "cache")
    assert (prepared.folder, prepared.changes) == (folder, ())


@pytest.mark.parametrize("name", ["{}", "towervision:{}"])
@pytest.mark.parametrize("version", [None, "", "unknown"])
def test_a_model_of_unknown_origin_is_refused_until_it_is_decided(
    tmp_path: Path, version: str | None, name: str
) -> None:
    config = {**CONFIG, "transformers_version": version}
    if version is None:
        del config["transformers_version"]
    folder = llava(tmp_path / "model", config)
    with pytest.raises(ModelError, match="--image-scale fold") as error:
        find(name.format(folder))
    assert "\n" not in str(error.value)
    for choice, factor in (("fold", math.sqrt(HIDDEN)), ("keep", 1.0)):
        output = tmp_path / choice
        words = ("convert", folder, "--output", output, "--image-scale", choice)
        done = towereval(*words, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        model = find(name.format(output))
        assert model.folder == output
        assert len(model.changes) == 1
        (value,) = read(output / "model-1.safetensors")["image_newline"][1]
        assert value == pytest.approx(-2.0 * factor)


def test_a_tensor_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = llava(tmp_path / "model")
    shard(folder / "model-1.safetensors", {TOWER: [1.0], f"{LINEAR}.weight": [1.0]})
    with pytest.raises(ModelError, match=f"no tensor image_newline, {LINEAR}.bias to scale"):
        find_mends(folder)


def test_integers_cannot_be_scaled(tmp_path: Path) -> None:
    folder = llava(tmp_path / "model")
    file = folder / "model-1.safetensors"
    file.write_bytes(file.read_bytes().replace(b'"dtype": "BF16"', b'"dtype": "I16" '))
    with pytest.raises(ModelError, match="is I16, which cannot be scaled"):
        mended(folder, tmp_path / "cache")


@pytest.mark.parametrize("prefix", ["", "model."])
def test_names_that_transformers_5_writes_are_those_of_vllm(tmp_path: Path, prefix: str) -> None:
    text = {"model_type": "qwen2", "hidden_size": HIDDEN}
    folder = llava(tmp_path / "model", {**CONFIG, "text_config": text})
    parts = ("embeddings.patch_embedding.weight", "encoder.layers.0.x", "post_layernorm.bias")
    tensors = {f"{prefix}vision_tower.{part}": [1.0, 2.0] for part in parts}
    shard(folder / "model-1.safetensors", {**tensors, f"{prefix}image_newline": [3.0]})
    copy = mended(folder, tmp_path / "cache").folder
    wanted = {f"{prefix}vision_tower.vision_model.{part}" for part in parts}
    found = read(copy / "model-1.safetensors")
    assert set(found) == {*wanted, f"{prefix}image_newline"}
    assert {found[name][1] == [1.0, 2.0] for name in wanted} == {True}
    assert (copy / "model-2.safetensors").samefile(folder / "model-2.safetensors")


def test_a_text_model_in_the_class_it_was_trained_in_gets_its_own(tmp_path: Path) -> None:
    text = {**CONFIG["text_config"], "architectures": ["LlavaGemma2ForCausalLM"]}
    config = {**CONFIG, "transformers_version": "5.10.0", "text_config": text}
    folder = llava(tmp_path / "model", config)
    prepared = mended(folder, tmp_path / "cache")
    assert prepared.changes == (
        "text-architecture 1: LlavaGemma2ForCausalLM is Gemma2ForCausalLM; no tensor",
    )
    found = json.loads((prepared.folder / "config.json").read_text())
    assert found["text_config"] == {**text, "architectures": ["Gemma2ForCausalLM"]}
    assert set(found) - set(config) == {MARK}
    for number in (1, 2):
        name = f"model-{number}.safetensors"
        assert (prepared.folder / name).samefile(folder / name)


# --- by hand ---


def test_convert_does_what_prepare_does(tmp_path: Path) -> None:
    folder, output = llava(tmp_path / "model"), tmp_path / "out"
    shown = towereval("models", folder, cwd=tmp_path)
    assert "prepare: gemma2-image-scale (" in shown.stdout
    done = towereval("convert", folder, "--output", output, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "gemma2-image-scale 1: " in done.stdout
    assert done.stdout.endswith(f"1 mended: {output}\n")
    prepared = mended(folder, tmp_path / "cache").folder
    assert file_digests(prepared) == file_digests(output)
    assert "sha256:" in towereval("models", output, cwd=tmp_path).stdout
    again = towereval("convert", folder, "--output", output, cwd=tmp_path)
    assert "already exists" in error_line(again, 2)
    words = ("convert", output, "--output", tmp_path / "more", "--image-scale", "fold")
    assert "no image scale to decide: gemma2-" in error_line(towereval(*words, cwd=tmp_path), 2)
    assert not (tmp_path / "more").exists()
