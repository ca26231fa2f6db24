"""A small Hugging Face Hub on loopback: tests run the real `datasets` code without internet.

`Hub(folder)` serves `folder/datasets/<owner>/<name>/...` and `folder/models/<owner>/<name>/...`.
The files of a repository are its one commit; `main` and that commit's sha are its revisions. The
routes that datasets 5.2 and huggingface_hub 2.4 ask for (`<kind>` is `datasets` or `models`):

    GET  /api/<kind>/<repo>[/revision/<rev>]      dataset_info, model_info: the sha
    GET  /api/<kind>/<repo>/tree/<rev>[/<path>]   load_dataset, snapshot_download: which files
    POST /api/<kind>/<repo>/paths-info/<rev>      HfApi.get_paths_info: single paths
    HEAD /[datasets/]<repo>/resolve/<rev>/<file>  hf_hub_download: the sha, the ETag and the size
    GET  /[datasets/]<repo>/resolve/<rev>/<file>  the bytes; with Range, a part (streaming=True)

Errors carry X-Error-Code as on the hub, because huggingface_hub picks its exception class by it. A
gated repository lists its files to everybody and refuses only their bytes. Left out: pages (one
answer holds the whole tree), Xet and LFS (every file is plain, as a small one on the hub is) and
the data-set viewer, a second host that only a load_dataset without a revision asks.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
from pyarrow import parquet

_API = re.compile(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/(.+))?")
_RESOLVE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class HubError(Exception):
    """An answer of failure: its HTTP status, the hub's code for it, and a message."""

    def __init__(self, status: int, code: str, message: str, sha: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Code": code, "X-Error-Message": message, "X-Repo-Commit": sha}


def _oid(kind: str, data: bytes) -> str:
    return sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()


@cache
def _blob(path: Path, changed: int, size: int) -> str:
    """The name that git gives to these contents; the hub's ETag of a plain file."""
    return _oid("blob", path.read_bytes())


class Repository:
    """The files of one folder as one commit."""

    def __init__(self, folder: Path) -> None:
        self.entries: dict[str, dict[str, object]] = {}  # as the tree route lists them
        self.paths: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            name, status = path.relative_to(folder).as_posix(), path.stat()
            oid = _oid("tree", name.encode())
            entry = {"path": name, "type": "directory", "oid": oid, "size": 0}
            if path.is_file():
                self.paths[name] = path
                oid = _blob(path, status.st_mtime_ns, status.st_size)
                entry |= {"type": "file", "oid": oid, "size": status.st_size}
            self.entries[name] = entry
        self.sha = _oid("commit", json.dumps(self.entries).encode())

    def tree(self, under: str, recursive: bool) -> list[dict[str, object]]:
        prefix = f"{under}/" if under else ""
        if under and under not in self.entries:
            raise HubError(404, "EntryNotFound", f"{under} does not exist", self.sha)
        inside = {k[len(prefix) :]: v for k, v in self.entries.items() if k.startswith(prefix)}
        return [entry for name, entry in inside.items() if recursive or "/" not in name]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that leaving the `with` waits for the answers under way
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.0 on purpose: each answer closes its connection, so none is left open at the end."""

    server: _Server
    timeout = 20
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: `Hub.requests` is the log."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode() or url.query
        self.server.hub.requests.append(f"{self.command} {unquote(self.path)}")
        try:
            if found := _API.fullmatch(url.path):
                kind, repo, what, rest = (part or "" for part in found.groups())
                self._api(kind, repo, what, rest, parse_qs(form))
            elif found := _RESOLVE.fullmatch(url.path):
                kind = "datasets" if found[1] else "models"
                self._file(kind, found[2], unquote(found[3]), unquote(found[4]))
            else:
                raise HubError(404, "", f"tests/hub_server.py has no route {url.path}")
        except HubError as error:
            self._send({"error": str(error)}, error.status, error.headers)

    do_GET = do_HEAD = do_POST = _answer

    def _refuse(self, stranger: int, known: int, code: str, message: str) -> HubError:
        """A refusal; the hub has one status for those without a token and another for the rest."""
        return HubError(known if "Authorization" in self.headers else stranger, code, message)

    def _repository(self, kind: str, repo: str, revision: str) -> Repository:
        folder = self.server.hub.folder / kind / repo
        if ".." in repo or not folder.is_dir():
            raise self._refuse(401, 404, "RepoNotFound", "Repository not found")
        repository = Repository(folder)
        if revision not in ("main", repository.sha):
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository

    def _api(self, kind: str, repo: str, what: str, rest: str, form: dict[str, list[str]]) -> None:
        revision, _, path = rest.partition("/")
        repository = self._repository(kind, repo, unquote(revision) or "main")
        if what == "tree":
            self._send(repository.tree(unquote(path), form.get("recursive") == ["true"]))
        elif what == "paths-info":
            asked = form.get("paths", [])
            self._send([repository.entries[name] for name in asked if name in repository.entries])
        else:
            gated = "auto" if repo in self.server.hub.gated else False
            files = [{"rfilename": name} for name in repository.paths]
            info = {"id": repo, "sha": repository.sha, "private": False, "gated": gated}
            self._send({**info, "tags": [], "siblings": files})

    def _file(self, kind: str, repo: str, revision: str, name: str) -> None:
        repository = self._repository(kind, repo, revision)
        if repo in self.server.hub.gated:
            raise self._refuse(401, 403, "GatedRepo", f"Access to {repo} is restricted.")
        if name not in repository.paths:
            raise HubError(404, "EntryNotFound", "Entry not found", repository.sha)
        data, status = repository.paths[name].read_bytes(), 200
        headers = {"ETag": f'"{repository.entries[name]["oid"]}"', "Accept-Ranges": "bytes"}
        headers |= {"X-Repo-Commit": repository.sha, "Content-Type": "application/octet-stream"}
        if wanted := _RANGE.fullmatch(self.headers.get("Range", "")):
            first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            data, status = data[first : last + 1], 206
        self._send(data, status, headers)

    def _send(
        self, value: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        defaults = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        for name, text in (defaults | dict(headers or {})).items():
            if text:
                self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class Hub:
    """Serves a folder while the `with` lasts; `requests` lists what was asked, as "HEAD /path"."""

    endpoint: str

    def __init__(self, folder: Path, *, gated: Iterable[str] = ()) -> None:
        self.folder = folder
        self.gated = set(gated)
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def sha(self, repo: str, kind: str = "datasets") -> str:
        """The commit that `repo` is at now; it changes with the files."""
        return Repository(self.folder / kind / repo).sha

    def environment(self, home: Path) -> dict[str, str]:
        """The environment of a process that uses this hub and the cache `home`, and nothing else.

        These variables are read when huggingface_hub is imported, hence a process of its own.
        """
        foreign = ("HF_", "HUGGING", "TRANSFORMERS_OFFLINE")  # a user's token, caches, settings
        kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
        hub = {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
        return {**kept, **hub, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def _feature(kind: pa.DataType) -> dict[str, object]:
    """How the `datasets` library writes an Arrow type into a file's metadata."""
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


def _image(value: object) -> object:
    if isinstance(value, list):
        return [_image(item) for item in value]
    return None if value is None else {"bytes": value, "path": None}


def write_parquet(
    path: Path, rows: Sequence[Mapping[str, object]], *, images: Sequence[str] = ()
) -> None:
    """Write `rows` as a file of a data set on the hub; `images` names the columns of images.

    An image is its encoded bytes, or None, or a list of those; load_dataset gives back PIL images.
    """
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    columns: dict[str, pa.Array] = {}
    features: dict[str, object] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        if name not in images:
            columns[name] = pa.array(values)
            features[name] = _feature(columns[name].type)
            continue
        many = any(isinstance(value, list) for value in values)
        columns[name] = pa.array(map(_image, values), pa.list_(struct) if many else struct)
        one = {"_type": "Image"}
        features[name] = {"feature": one, "_type": "List"} if many else one
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
