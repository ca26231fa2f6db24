"""The loopback hub answers the real libraries, and what those libraries do that surprises.

huggingface_hub reads HF_ENDPOINT and HF_HOME when it is imported, so the libraries run in
processes of their own: this file, run as a script, is the client and prints its answers as JSON.
"""

from __future__ import annotations

import base64
import http.client
import importlib.util
import io
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.hub_server import Hub, write_parquet

needs_datasets = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None,
    reason="needs the data extra: the package `datasets` is not installed",
)
NO_COMMIT = "0" * 40
VIDEO = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 400
TWO_CONFIGS = """---
configs:
- config_name: European
  data_files:
  - split: German
    path: European/German-*.parquet
- config_name: Asian
  data_files:
  - split: chinese_simplified
    path: Asian/chinese_simplified-*.parquet
---
# Two configurations
"""


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def write_photos(folder: Path, shade: int) -> None:
    photos: list[dict[str, object]] = [
        {"image": png(shade), "pages": [png(1), png(2)], "id": 0, "options": ["a", "b"]},
        {"image": None, "pages": [], "id": 1, "options": ["c"]},
    ]
    path = folder / "data/test-00000-of-00001.parquet"
    write_parquet(path, photos, images=("image", "pages"))


def write_site(folder: Path) -> None:
    """The repositories that these tests read, all of the owner `team`."""
    data, models = folder / "datasets/team", folder / "models/team"
    write_photos(data / "photos", shade=7)
    for name, texts in (
        ("European/German-00000-of-00001", ["Ä"]),
        ("Asian/chinese_simplified-00000-of-00001", ["中", "文"]),
    ):
        write_parquet(data / "texts" / f"{name}.parquet", [{"text": text} for text in texts])
    (data / "texts/README.md").write_text(TWO_CONFIGS)
    strings = [{"image": base64.b64encode(png(9)).decode(), "score": 1.5}]
    write_parquet(data / "strings/data/test-00000-of-00001.parquet", strings)
    write_parquet(data / "secret/data/test-00000-of-00001.parquet", strings)
    (data / "notes").mkdir()
    (data / "notes/notes.unknown").write_text("nothing that the library can load")
    (data / "clips/videos").mkdir(parents=True)
    (data / "clips/videos/a b.mp4").write_bytes(VIDEO)
    (models / "tiny/onnx").mkdir(parents=True)
    (models / "tiny/config.json").write_text('{"model_type": "tiny"}')
    (models / "tiny/onnx/weights.bin").write_bytes(VIDEO)
    (models / "closed").mkdir()
    (models / "closed/config.json").write_text("{}")


@dataclass(frozen=True)
class Visit:
    """What one process said, and what it had asked of the hub."""

    said: dict[str, Any]
    asked: list[str]


class Visitor:
    def __init__(self, hub: Hub, home: Path) -> None:
        self.hub, self.home = hub, home

    def __call__(self, client: str, **more: str) -> Visit:
        before = len(self.hub.requests)
        names = ("photos", "texts", "strings", "secret", "clips", "notes")
        shas = {name: self.hub.sha(f"team/{name}") for name in names}
        command = [sys.executable, __file__, client, json.dumps(shas)]
        environment = self.hub.environment(self.home) | more
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        return Visit(json.loads(done.stdout.splitlines()[-1]), self.hub.requests[before:])


@dataclass(frozen=True)
class Story:
    """One cache through four processes: empty, filled, off line, off line with another commit."""

    shas: dict[str, str]
    tiny: str
    first: Visit
    second: Visit
    offline: Visit
    other: str
    moved: Visit


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder, home = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("home")
    write_site(folder)
    with Hub(folder, gated=("team/secret", "team/closed")) as hub:
        visit = Visitor(hub, home)
        shas = {name: hub.sha(f"team/{name}") for name in ("photos", "clips")}
        first, second = visit("everything"), visit("photos")
        offline = visit("photos", HF_HUB_OFFLINE="1")
        write_photos(folder / "datasets/team/photos", shade=8)
        moved = visit("photos", HF_HUB_OFFLINE="1")
        other, tiny = hub.sha("team/photos"), hub.sha("team/tiny", "models")
        yield Story(shas, tiny, first, second, offline, other, moved)


@needs_datasets
class TestDataSets:
    def test_images_come_back_as_images(self, story: Story) -> None:
        said = story.first.said["photos"]
        assert said["features"] == {
            "image": "Image(mode=None, decode=True)",
            "pages": "List(Image(mode=None, decode=True))",
            "id": "Value('int64')",
            "options": "List(Value('string'))",
        }
        assert said["pixel"] == [7, 0, 0]
        assert said["pages"] == [[1, 0, 0], [2, 0, 0]]
        assert said["without"] == {"image": None, "pages": [], "id": 1, "options": ["c"]}

    def test_the_encoded_bytes_are_to_be_had(self, story: Story) -> None:
        assert story.first.said["photos"]["encoded"] == png(7).hex()

    def test_the_cache_is_named_by_the_revision(self, story: Story) -> None:
        said = story.first.said["photos"]
        assert said["hash"] == story.shas["photos"]
        assert Path(said["cache"]).parent.name == story.shas["photos"]

    def test_configurations_and_splits_of_the_readme(self, story: Story) -> None:
        assert story.first.said["texts"] == {
            "configs": ["European", "Asian"],
            "German": ["Ä"],
            "chinese_simplified": ["中", "文"],
        }

    def test_a_base64_column_stays_a_string(self, story: Story) -> None:
        said = story.first.said["strings"]
        assert said["features"] == {"image": "Value('string')", "score": "Value('float64')"}
        assert base64.b64decode(said["image"]) == png(9)

    def test_streaming_reads_without_a_cache(self, story: Story) -> None:
        assert story.first.said["streamed"] == [[7, 0, 0], None]

    def test_the_files_are_written_as_the_library_writes_them(self, story: Story) -> None:
        said = story.first.said["written"]
        assert said["ours"] == said["theirs"]


@needs_datasets
class TestFiles:
    def test_a_file_and_its_commit(self, story: Story) -> None:
        said = story.first.said["clips"]
        assert said["sha"] == said["sha at the sha"] == story.shas["clips"]
        assert said["checksum"] == zlib.crc32(VIDEO)
        assert said["size"] == len(VIDEO)

    def test_a_snapshot_of_a_model(self, story: Story) -> None:
        said = story.first.said["tiny"]
        assert said["files"] == ["config.json", "onnx/weights.bin"]
        assert Path(said["folder"]).name == story.tiny

    @pytest.mark.parametrize(
        ("name", "error"),
        [
            ("load, unknown", "datasets.exceptions.DatasetNotFoundError"),
            ("load, revision", "datasets.exceptions.DatasetNotFoundError"),
            ("load, gated", "datasets.exceptions.DatasetNotFoundError"),
            ("load, config", "builtins.ValueError"),
            ("load, split", "builtins.ValueError"),
            ("load, no data", "datasets.exceptions.DataFilesNotFoundError"),
            ("info, unknown", "huggingface_hub.errors.RepositoryNotFoundError"),
            ("info, revision", "huggingface_hub.errors.RevisionNotFoundError"),
            ("info, gated", "none"),
            ("file, unknown", "huggingface_hub.errors.RepositoryNotFoundError"),
            ("file, revision", "huggingface_hub.errors.RevisionNotFoundError"),
            ("file, entry", "huggingface_hub.errors.RemoteEntryNotFoundError"),
            ("file, gated", "huggingface_hub.errors.GatedRepoError"),
            ("file, gated, token", "huggingface_hub.errors.GatedRepoError"),
            ("model, unknown", "huggingface_hub.errors.RepositoryNotFoundError"),
            ("model, revision", "huggingface_hub.errors.RevisionNotFoundError"),
            ("model, gated", "huggingface_hub.errors.GatedRepoError"),
        ],
    )
    def test_failures_raise_the_libraries_own_classes(
        self, story: Story, name: str, error: str
    ) -> None:
        assert story.first.said["errors"][name] == error


@needs_datasets
class TestCache:
    def test_a_second_load_asks_again_but_downloads_nothing(self, story: Story) -> None:
        assert story.second.said == story.first.said["photos"]
        assert story.second.asked
        assert not [line for line in story.second.asked if line.endswith(".parquet")]

    def test_off_line_the_cache_serves(self, story: Story) -> None:
        assert story.offline.said == story.first.said["photos"]
        assert story.offline.asked == []

    def test_off_line_the_library_does_not_heed_the_revision(self, story: Story) -> None:
        """It gives whichever commit it cached last; the builder's hash is how to notice."""
        assert story.other != story.shas["photos"]
        assert story.moved.said["pixel"] == [7, 0, 0]
        assert story.moved.said["hash"] == story.shas["photos"]


class TestServer:
    """The server alone, which needs no library."""

    def ask(self, hub: Hub, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(urlsplit(hub.endpoint).netloc, timeout=10)
        connection.request(method, path, body=headers.pop("body", None), headers=headers)
        return connection.getresponse()

    @pytest.mark.parametrize(
        ("path", "token", "status", "code"),
        [
            ("/api/datasets/team/nobody", False, 401, "RepoNotFound"),
            ("/api/datasets/team/nobody", True, 404, "RepoNotFound"),
            ("/api/datasets/../models", True, 404, "RepoNotFound"),
            ("/api/models/team/photos/revision/main", True, 404, "RepoNotFound"),
            ("/api/datasets/team/photos/revision/refs%2Fpr%2F1", True, 404, "RevisionNotFound"),
            ("/api/datasets/team/photos/tree/main/nothing", True, 404, "EntryNotFound"),
            ("/datasets/team/photos/resolve/main/nothing", True, 404, "EntryNotFound"),
            ("/datasets/team/secret/resolve/main/README.md", False, 401, "GatedRepo"),
            ("/datasets/team/secret/resolve/main/README.md", True, 403, "GatedRepo"),
            ("/elsewhere", True, 404, None),
        ],
    )
    def test_failures_carry_the_hubs_code(
        self, tmp_path: Path, path: str, token: bool, status: int, code: str | None
    ) -> None:
        write_site(tmp_path)
        with Hub(tmp_path, gated=["team/secret"]) as hub:
            headers = {"Authorization": "Bearer hf_x"} if token else {}
            with self.ask(hub, "GET", path, **headers) as answer:
                assert (answer.status, answer.headers["X-Error-Code"]) == (status, code)

    def test_files_and_parts_of_files(self, tmp_path: Path) -> None:
        write_site(tmp_path)
        path = "/datasets/team/clips/resolve/main/videos/a%20b.mp4"
        with Hub(tmp_path) as hub:
            with self.ask(hub, "HEAD", path) as head:
                assert head.headers["Content-Length"] == str(len(VIDEO))
                assert head.headers["X-Repo-Commit"] == hub.sha("team/clips")
            with self.ask(hub, "GET", path, Range="bytes=4-7") as part:
                assert (part.status, part.read()) == (206, b"ftyp")
            with self.ask(hub, "GET", path) as whole:
                assert whole.read() == VIDEO
        line = path.replace("%20", " ")
        assert hub.requests == [f"HEAD {line}", f"GET {line}", f"GET {line}"]

    def test_single_paths(self, tmp_path: Path) -> None:
        write_site(tmp_path)
        with Hub(tmp_path) as hub:
            path = "/api/models/team/tiny/paths-info/main"
            with self.ask(
                hub, "POST", path, body="paths=onnx&paths=no&paths=config.json"
            ) as answer:
                found = {entry["path"]: entry["type"] for entry in json.load(answer)}
        assert found == {"onnx": "directory", "config.json": "file"}

    def test_the_sha_is_that_of_the_contents(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            write_site(tmp_path / name)
        one, two = Hub(tmp_path / "a"), Hub(tmp_path / "b")
        assert one.sha("team/photos") == two.sha("team/photos")
        write_photos(tmp_path / "b/datasets/team/photos", shade=8)
        assert one.sha("team/photos") != two.sha("team/photos")


def load_photos(revision: str) -> dict[str, Any]:
    import datasets

    builder = datasets.load_dataset_builder("team/photos", revision=revision)
    photos = datasets.load_dataset("team/photos", split="test", revision=revision)
    encoded = photos.cast_column("image", datasets.Image(decode=False))
    return {
        "hash": builder.hash,
        "cache": photos.cache_files[0]["filename"],
        "features": {name: repr(feature) for name, feature in photos.features.items()},
        "pixel": photos[0]["image"].getpixel((0, 0)),
        "pages": [page.getpixel((0, 0)) for page in photos[0]["pages"]],
        "without": photos[1],
        "encoded": encoded[0]["image"]["bytes"].hex(),
    }


def load_texts(revision: str) -> dict[str, Any]:
    import datasets

    said: dict[str, Any] = {
        "configs": datasets.get_dataset_config_names("team/texts", revision=revision)
    }
    for config, split in (("European", "German"), ("Asian", "chinese_simplified")):
        texts = datasets.load_dataset("team/texts", config, split=split, revision=revision)
        said[split] = list(texts["text"])
    return said


def load_strings(revision: str) -> dict[str, Any]:
    import datasets

    strings = datasets.load_dataset("team/strings", split="test", revision=revision)
    features = {name: repr(feature) for name, feature in strings.features.items()}
    return {"features": features, "image": strings[0]["image"]}


def stream_photos(revision: str) -> list[object]:
    import datasets

    photos = datasets.load_dataset("team/photos", split="test", revision=revision, streaming=True)
    return [row["image"] and row["image"].getpixel((0, 0)) for row in photos]


def fetch_clip() -> dict[str, Any]:
    from huggingface_hub import HfApi, hf_hub_download

    sha = HfApi().dataset_info("team/clips").sha
    path = hf_hub_download("team/clips", "videos/a b.mp4", repo_type="dataset", revision=sha)
    data = Path(path).read_bytes()
    again = HfApi().dataset_info("team/clips", revision=sha).sha
    checksum = zlib.crc32(data)
    return {"sha": sha, "sha at the sha": again, "checksum": checksum, "size": len(data)}


def fetch_model() -> dict[str, Any]:
    from huggingface_hub import HfApi, snapshot_download

    folder = Path(snapshot_download("team/tiny", revision=HfApi().model_info("team/tiny").sha))
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {"folder": str(folder), "files": files}


def compare_writers() -> dict[str, str]:
    """The schemas, metadata included, of one table as we and as `datasets` write it."""
    import tempfile

    from datasets import Dataset, Features, List, Value
    from datasets import Image as ImageFeature
    from pyarrow import parquet

    rows = [{"image": png(1), "pages": [png(2)], "name": "é", "score": 0.5, "tags": ["a"]}]
    features = Features(
        image=ImageFeature(),
        pages=List(ImageFeature()),
        name=Value("string"),
        score=Value("float64"),
        tags=List(Value("string")),
    )
    said = {}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours.parquet"), Path(folder, "theirs.parquet")
        write_parquet(ours, rows, images=("image", "pages"))
        Dataset.from_list(rows, features=features).to_parquet(theirs)
        for path in (ours, theirs):
            schema = parquet.read_schema(path)
            metadata = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
            said[path.stem] = f"{schema.remove_metadata()} {metadata}"
    return said


def class_of(action: Callable[[], object]) -> str:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - the class is what is asked
        return f"{type(error).__module__}.{type(error).__qualname__}"
    return "none"


def provoke(shas: dict[str, str]) -> dict[str, str]:
    from datasets import load_dataset as load
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub import hf_hub_download as fetch

    info, clip, none = HfApi().dataset_info, "videos/a b.mp4", NO_COMMIT
    data = {"repo_type": "dataset"}
    actions: dict[str, Callable[[], object]] = {
        "load, unknown": lambda: load("team/nobody", split="test", revision=none),
        "load, revision": lambda: load("team/photos", split="test", revision=none),
        "load, gated": lambda: load("team/secret", split="test", revision=shas["secret"]),
        "load, config": lambda: load("team/texts", "African", revision=shas["texts"]),
        "load, split": lambda: load("team/photos", split="train", revision=shas["photos"]),
        "load, no data": lambda: load("team/notes", revision=shas["notes"]),
        "info, unknown": lambda: info("team/nobody"),
        "info, revision": lambda: info("team/clips", revision=none),
        "info, gated": lambda: info("team/secret"),
        "file, unknown": lambda: fetch("team/nobody", clip, **data),
        "file, revision": lambda: fetch("team/clips", clip, revision=none, **data),
        "file, entry": lambda: fetch("team/clips", "videos/b.mp4", **data),
        "file, gated": lambda: fetch("team/secret", "README.md", **data),
        "file, gated, token": lambda: fetch("team/secret", "README.md", token="hf_x", **data),
        "model, unknown": lambda: snapshot_download("team/nobody"),
        "model, revision": lambda: snapshot_download("team/tiny", revision=none),
        "model, gated": lambda: snapshot_download("team/closed"),
    }
    return {name: class_of(action) for name, action in actions.items()}


def client(name: str, shas: dict[str, str]) -> dict[str, Any]:
    if name == "photos":
        return load_photos(shas["photos"])
    return {
        "streamed": stream_photos(shas["photos"]),
        "photos": load_photos(shas["photos"]),
        "texts": load_texts(shas["texts"]),
        "strings": load_strings(shas["strings"]),
        "clips": fetch_clip(),
        "tiny": fetch_model(),
        "written": compare_writers(),
        "errors": provoke(shas),
    }


if __name__ == "__main__":
    print(json.dumps(client(sys.argv[1], json.loads(sys.argv[2]))))
