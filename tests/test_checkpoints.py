"""A checkpoint is found, checked before it is loaded, and known by the hash of its files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from towereval.checkpoints import check, find
from towereval.digests import file_digests, files_digest
from towereval.errors import ModelError, UnknownName, UsageError

TENSORS = {"a": [0, 8], "b": [8, 20]}


def safetensors(tensors: dict[str, list[int]]) -> bytes:
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            **{
                name: {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
                for name, (begin, end) in tensors.items()
            },
        }
    ).encode()
    length = max((end for _, end in tensors.values()), default=0)
    return len(header).to_bytes(8, "little") + header + bytes(length)


def checkpoint(folder: Path, shards: tuple[str, ...] = ("model.safetensors",)) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    for shard in shards:
        (folder / shard).write_bytes(safetensors(TENSORS))
    return folder


def test_a_whole_checkpoint_passes(tmp_path: Path) -> None:
    check(checkpoint(tmp_path / "one"))
    two = checkpoint(tmp_path / "two", ("a.safetensors", "b.safetensors"))
    index = {"metadata": {}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}
    (two / "model.safetensors.index.json").write_text(json.dumps(index))
    check(two)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "no config.json, so this is not a checkpoint"),
        ("config.json", b'{"model_type": "ti', r"config\.json: torn or truncated"),
        ("config.json", b"[]", r"config\.json: torn or truncated: wanted an object"),
        ("model.safetensors", None, r"no \*\.safetensors file"),
        ("model.safetensors", b"", "its header cannot be read"),
        ("model.safetensors", b"\x00", "its header cannot be read"),
        ("model.safetensors", safetensors(TENSORS)[:50], "its header cannot be read"),
        (
            "model.safetensors",
            safetensors(TENSORS)[:-1],
            r"its header says (\d+) bytes, it has \d+",
        ),
        ("model.safetensors", safetensors(TENSORS) + b"x", r"its header says \d+ bytes, it has"),
        ("model.safetensors", b"\xff" * 100, "its header cannot be read"),
        ("model.safetensors", b"\x02" + bytes(7) + b"[]", "its header cannot be read"),
        ("model.safetensors", b"\x08" + bytes(7) + b'{"a":{}}', "its header cannot be read"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid", "header cannot"),
        (
            "model.safetensors.index.json",
            b'{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}',
            "model-2.safetensors of model.safetensors.index.json is missing",
        ),
        ("model.safetensors.index.json", b"{", r"index\.json: torn or truncated"),
    ],
)
def test_what_is_missing_or_torn_is_named(
    tmp_path: Path, file: str, content: bytes | None, message: str
) -> None:
    folder = checkpoint(tmp_path / "model")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(ModelError, match=message) as error:
        find(str(folder))
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_any_folder_is_a_model_of_the_generic_adapter(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "step-100")
    model = find(str(folder))
    assert (model.adapter.name, model.folder, model.changes) == ("generic", folder, ())
    assert model.digest == files_digest(folder)
    assert model.checkpoint.dtype == "auto"
    named = find(f"generic:{folder}")
    assert (named.checkpoint, named.digest) == (model.checkpoint, model.digest)


def test_a_folder_that_does_not_exist_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"unknown model '.*nowhere'"):
        find(str(tmp_path / "nowhere"))


def test_a_hub_id_that_cannot_be_had_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="no-such/model cannot be read from the hub") as error:
        find("no-such/model")
    assert "--model PATH" in str(error.value)
    assert "\n" not in str(error.value)


# --- the digest ---


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    one, two = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "elsewhere" / "two")
    assert files_digest(one) == files_digest(two)
    digests = {files_digest(one)}
    (two / "tokenizer").mkdir()
    (two / "tokenizer" / "vocabulary.txt").write_text("a")
    digests.add(files_digest(two))
    (two / "tokenizer" / "vocabulary.txt").rename(two / "tokenizer" / "words.txt")
    digests.add(files_digest(two))
    (two / "config.json").write_text('{"model_type": "TINY"}')  # of the same length
    digests.add(files_digest(two))
    assert len(digests) == 4


def test_the_digest_ignores_times_and_hidden_files(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    before = files_digest(folder)
    os.utime(folder / "config.json", (1, 1))
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("main")
    (folder / ".gitattributes").write_text("*.bin lfs")
    assert files_digest(folder) == before


def test_a_file_that_has_not_changed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoint(tmp_path / "model")
    before = files_digest(folder)
    opened: list[str] = []
    real = Path.open

    def watched(file: Path, *arguments: object, **options: object) -> object:
        opened.append(file.name)
        return real(file, *arguments, **options)

    monkeypatch.setattr(Path, "open", watched)
    assert files_digest(folder) == before
    assert not {"config.json", "model.safetensors"} & set(opened)
    (folder / "config.json").write_text('{"model_type": "TINY"}')
    opened.clear()
    assert files_digest(folder) != before
    assert "config.json" in opened
    assert "model.safetensors" not in opened


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path, cache: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    cache.write_text("not a folder")
    assert files_digest(folder) == files_digest(checkpoint(tmp_path / "same"))


@pytest.mark.parametrize("content", ["", "{", '{"config.json": [25, 1', '{"config.json": []}'])
def test_a_torn_list_of_digests_is_made_anew(tmp_path: Path, cache: Path, content: str) -> None:
    folder = checkpoint(tmp_path / "model")
    before = files_digest(folder)
    [file] = (cache / "digests").iterdir()
    whole = file.read_text()
    file.write_text(content)
    assert files_digest(folder) == before
    assert file.read_text() == whole


def test_the_hubs_files_are_known_by_their_names(tmp_path: Path) -> None:
    """Its cache keeps a large file under its SHA-256, a small one under another hash."""
    folder = checkpoint(tmp_path / "plain")
    sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    repo = tmp_path / "models--org--name"
    snapshot = repo / "snapshots" / "abc"
    (repo / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for name, blob in (("model.safetensors", sha256), ("config.json", "f" * 40)):
        (repo / "blobs" / blob).write_bytes((folder / name).read_bytes())
        (snapshot / name).symlink_to(repo / "blobs" / blob)
    assert files_digest(snapshot) == files_digest(folder)
    other = tmp_path / "blobs"  # of that name, but no hub's
    other.mkdir()
    shutil.copy(folder / "config.json", other)
    assert file_digests(other) == {"config.json": file_digests(folder)["config.json"]}


# --- of the right kind ---


def test_another_architecture_under_a_known_name_is_refused(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    (folder / "config.json").write_text('{"architectures": ["LlavaForConditionalGeneration"]}')
    with pytest.raises(ModelError) as error:
        find(f"towervision:{folder}")
    assert "LlavaForConditionalGeneration, but towervision:" in str(error.value)
    assert f"--model generic:{folder}" in str(error.value)
    assert find(f"generic:{folder}").folder == folder
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="of no architecture"):
        find(f"towervision:{folder}")


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("tokenizer_config.json", "{}", True),
        ("tokenizer_config.json", '{"chat_template": "{{ messages }}"}', False),
        ("chat_template.json", '{"chat_template": "{{ messages }}"}', False),
        ("chat_template.jinja", "{{ messages }}", False),
        ("processor_config.json", '{"chat_template": null}', True),
    ],
)
def test_a_missing_chat_template_is_told(
    tmp_path: Path, file: str, content: str, told: bool
) -> None:
    folder = checkpoint(tmp_path / "model")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / file).write_text(content)
    if told:
        with pytest.raises(ModelError, match="has no chat template"):
            find(str(folder))
    else:
        find(str(folder))


def test_mistrals_own_format_is_told(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text("{}")
    with pytest.raises(ModelError, match="in Mistral's own format"):
        find(str(tmp_path))


# --- what runs code of its own, or cannot run ---


def test_code_of_a_models_own_is_refused_until_it_is_pinned_and_allowed() -> None:
    pytest.importorskip("huggingface_hub")
    commit = "0123456789abcdef0123456789abcdef01234567"
    for name in ("centurio-qwen", "centurio-qwen@main", f"centurio-qwen@{commit}"):
        with pytest.raises(UsageError, match="--model centurio-qwen@COMMIT --trust-remote-code"):
            find(name)
    for name in ("centurio-qwen", "someone/model", "someone/model@v1"):
        with pytest.raises(UsageError, match="@COMMIT"):
            find(name, trust_remote_code=True)
    for name in (f"centurio-qwen@{commit}", f"someone/model@{commit}"):
        with pytest.raises(ModelError, match="cannot be read from the hub"):  # not refused any more
            find(name, trust_remote_code=True)


def test_code_in_a_folder_needs_no_commit(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    with pytest.raises(UsageError, match=f"--model centurio:{folder} --trust-remote-code"):
        find(f"centurio:{folder}")
    assert find(f"centurio:{folder}", trust_remote_code=True).folder == folder


def test_a_checkpoint_that_no_engine_reads_is_told_before_it_is_downloaded() -> None:
    for name in ("llava-video-7b", "vimul-7b", "culturalpangea-7b"):
        with pytest.raises(ModelError, match="LLaVA-NeXT's own format") as error:
            find(name)
        assert "\n" not in str(error.value)


def test_a_folder_has_no_revisions(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    with pytest.raises(UsageError, match="a folder has no revisions"):
        find(f"{folder}@{'0' * 40}")
