"""The server's address is written down, the key is not."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import Asked, ChatServer, Reply, refusal
from tests.engines.asking import AGAIN, KEY, answers, start, words
from tests.test_cli import error_line, towereval
from towereval.errors import EngineError, UsageError
from towereval.store import Store
from towereval.subject import find_subject


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize(
    "models", [Reply(404), Reply(401), Reply(content=b"<html>"), Reply(content=b"")]
)
def test_a_server_without_a_list_of_models_is_a_server(models: Reply) -> None:
    with ChatServer(lambda _: "Haus", models) as server:
        [answer] = start(server).run([words()])
    assert answer.text == "Haus"
    assert {asked.path for asked in server.listed} == {"/v1/models"}


def test_no_server_is_told_at_the_start() -> None:
    with ChatServer(lambda _: "Haus") as server:
        pass
    with pytest.raises(EngineError, match=f"no server answers at {server.url}: .*refused"):
        start(server)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_and_the_question_follow_no_redirect(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServer(lambda _: "stolen") as other:
        elsewhere = refusal(status, Location=f"{other.url}/chat/completions")
        with ChatServer(lambda _: elsewhere, elsewhere) as server:
            [answer] = start(server).run([words()])
    assert answer.error.startswith(f"EngineError: HTTP {status}: ")
    assert other.asked == other.listed == []


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """One on loopback for everything; the requests that it saw, each of which it refuses."""
    seen: list[bytes] = []

    class Refusing(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            seen.append(b"".join(iter(self.rfile.readline, b"\r\n")))
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
        yield seen
        server.shutdown()


def test_a_proxy_sees_neither_the_key_nor_the_questions(
    monkeypatch: pytest.MonkeyPatch, proxy: list[bytes]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    [answer], [asked] = answers(lambda _: "Haus", [words()])
    assert (answer.text, asked.headers["Authorization"]) == ("Haus", f"Bearer {KEY}")
    assert proxy == []
    with pytest.raises(EngineError, match=r"no server answers at https://.*403"):
        find_subject("served", "openai", {"base_url": "https://models.invalid/v1"})
    [tunnel] = proxy
    assert tunnel.startswith(b"CONNECT models.invalid:443 HTTP/1.")
    assert KEY.encode() not in tunnel
    assert b"Authorization" not in tunnel


def test_the_key_goes_into_the_header_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    with ChatServer(lambda _: "Haus") as server:
        list(start(server, api_key_env="MY_KEY").run([words()]))
    [asked] = server.asked
    sent = {one.headers["Authorization"] for one in (asked, *server.listed)}
    assert sent == {f"Bearer {KEY}"}
    assert KEY not in json.dumps(asked.body) + asked.path
    assert {listed.path for listed in server.listed} == {"/v1/models"}


def test_a_named_key_that_is_not_set_is_told_at_the_start() -> None:
    with ChatServer(lambda _: "Haus") as server, pytest.raises(UsageError) as raised:
        start(server, api_key_env="AIzaSyKeyInTheWrongPlace")
    assert str(raised.value) == "the environment variable that api_key_env names is not set"


def test_without_a_key_there_is_no_header() -> None:
    _, [asked] = answers(lambda _: "Haus", [words()])
    assert "Authorization" not in asked.headers


def test_a_key_that_a_server_says_back_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    [answer], _ = answers(lambda _: refusal(401, f"Incorrect API key: {KEY}."), [words()])
    assert answer.error == "EngineError: HTTP 401: Incorrect API key: (the key)."


@pytest.mark.parametrize("key", [f"{KEY}\nX-Other: 1", f"{KEY}…"])
def test_a_key_that_no_header_holds_is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with ChatServer(lambda _: "Haus") as server, pytest.raises(UsageError) as raised:
        start(server)
    assert str(raised.value) == "OPENAI_API_KEY holds characters that no key has"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "wants base_url=http://HOST:PORT/v1"),
        ({"base_url": 8000}, "wants base_url="),
        ({"base_url": "localhost:8000/v1"}, "wants base_url="),
        ({"base_url": "file:///etc/passwd"}, "wants base_url="),
        ({"base_url": "http://"}, "wants base_url="),
        ({"base_url": "http://[::1"}, "wants base_url="),
        ({"base_url": "http://host:port/v1"}, "wants base_url="),
        ({"base_url": f"http://user:{KEY}@host/v1"}, "wants base_url="),
        ({"base_url": f"http://host/v1?key={KEY}"}, "wants base_url="),
        ({"base_url": "http://h/v1", "api_key": KEY}, "timeout, image_format, not api_key"),
        ({"base_url": "http://h/v1", "api_key_env": 1}, "name of an environment variable"),
        ({"base_url": "http://h/v1", "api_key_env": KEY}, "name of an environment variable"),
        ({"base_url": "http://h/v1", "image_format": "bmp"}, "is png or jpeg, not 'bmp'"),
        ({"base_url": "http://h/v1", "concurrency": 0}, "concurrency is from 1 to 1000, not 0"),
        ({"base_url": "http://h/v1", "concurrency": "8"}, "concurrency is from 1 to 1000, not '8'"),
        ({"base_url": "http://h/v1", "concurrency": True}, "concurrency is from 1 to 1000"),
        ({"base_url": "http://h/v1", "timeout": 0}, "timeout is a number of seconds, not 0"),
        ({"base_url": "http://h/v1", "timeout": "x"}, "timeout is a number of seconds"),
    ],
)
def test_wrong_settings_are_refused_before_anything_starts(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as raised:
        find_subject("served", "openai", settings)
    assert message in str(raised.value)
    assert KEY not in str(raised.value)


def test_a_model_is_known_by_its_name_and_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with ChatServer(lambda _: "Haus") as server, ChatServer(lambda _: "Haus") as other:
        first = {"base_url": server.url}
        same = {**first, "concurrency": 2, "timeout": 9, "api_key_env": "MY_KEY"}
        found = find_subject("served", "openai", first)
        assert found.respondent == find_subject("served", "openai", same).respondent
        slash = {"base_url": f"{server.url}/"}
        assert found.respondent == find_subject("served", "openai", slash).respondent
        assert found.respondent != find_subject("other", "openai", first).respondent
        elsewhere = {"base_url": other.url}
        assert found.respondent != find_subject("served", "openai", elsewhere).respondent
        assert "MY_KEY" not in json.dumps(found.description)
        jpeg = find_subject("served", "openai", {**first, "image_format": "jpeg"})
    assert found.respondent != jpeg.respondent
    shown = found.description["engine_args"], jpeg.description["engine_args"]
    assert shown[0]["base_url"] == server.url
    assert shown[1]["image_format"] == "jpeg"


def listing(**entry: object) -> Reply:
    cards = [{"id": "another", "root": "/b"}, {"id": "served", "object": "model", **entry}]
    return Reply(content=json.dumps({"object": "list", "data": cards}).encode())


def test_a_model_is_known_by_what_lies_behind_its_name() -> None:
    """A server that was started again with the next checkpoint has other answers."""
    with ChatServer(lambda _: "Haus") as server:

        def respondent(models: Reply) -> str:
            server.models = models
            return find_subject("served", "openai", {"base_url": server.url}).respondent

        first = respondent(listing(root="/a/step-100", owned_by="vllm", created=1))
        assert first == respondent(listing(root="/a/step-100", owned_by="vllm", created=2))
        assert first != respondent(listing(root="/a/step-200", owned_by="vllm", created=1))
        unlisted = respondent(Reply(404))
        for nothing in (listing(root=None), Reply(content=b"[]"), Reply(content=b'{"data": 3}')):
            assert respondent(nothing) == unlisted
        server.models = listing(root="/a/step-100", owned_by="vllm")
        found = find_subject("served", "openai", {"base_url": server.url})
    told = {"root": "/a/step-100", "owned_by": "vllm"}
    assert found.description["engine_args"]["served"] == told


def test_a_server_that_is_not_ready_is_no_other_model() -> None:
    """Else its answers would be asked for again under another key."""
    replies = iter([refusal(503, "starting", **AGAIN), listing(root="/a")])
    with ChatServer(lambda _: "Haus", lambda: next(replies)) as server:
        found = find_subject("served", "openai", {"base_url": server.url})
    assert found.description["engine_args"]["served"] == {"root": "/a"}


# --- the command ---


def run_words(url: str, *more: object) -> tuple[object, ...]:
    given = ("--model", "org/served", "--engine", "openai", "--engine-args", f"base_url={url}")
    return ("run", *given, "--split", "sample", *more)


def test_no_server_is_one_line_and_status_4(tmp_path: Path) -> None:
    with ChatServer(lambda _: "Haus") as server:
        pass
    done = towereval(*run_words(server.url, "--tasks", "ocrbench"), cwd=tmp_path)
    assert done.returncode == 4
    assert f"error: no server answers at {server.url}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    refused = towereval(*run_words("localhost", "--tasks", "ocrbench"), cwd=tmp_path)
    assert "wants base_url=http://HOST:PORT/v1" in error_line(refused, 2)


def test_a_run_keeps_the_answers_and_not_the_key(tmp_path: Path) -> None:
    def script(asked: Asked) -> str | Reply:
        if "number" in asked.text.lower():
            return refusal(400, f"refused to {KEY}")
        return "CENTRE"

    with ChatServer(script) as server:
        command = run_words(server.url, "--tasks", "ocrbench,vimul_bench", "--languages", "en")
        done = towereval(*command, cwd=tmp_path, OPENAI_API_KEY=KEY)
        assert done.returncode == 4, done.stderr
        first = len(server.asked)
        server.script = lambda _: "B"
        again = towereval(*command, cwd=tmp_path, OPENAI_API_KEY=KEY)
    refused = sum("number" in asked.text.lower() for asked in server.asked[:first])
    assert 0 < refused < first
    assert f"failed {refused}x: EngineError: HTTP 400: refused to (the key)\n" in done.stderr
    assert (again.returncode, len(server.asked) - first) == (0, refused)
    assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    [folder] = {path.parent for path in files if path.name == "manifest.json"}
    assert {"manifest.json", "run.sqlite", "results.json", "ocrbench.parquet"} <= {
        path.name for path in files
    }
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in done.stdout + done.stderr + again.stdout + again.stderr
    with Store(folder) as store:
        texts = {
            responses[0].text for _, _, responses in store.answered("ocrbench") if responses[0]
        }
    assert texts == {"CENTRE", "B"}
