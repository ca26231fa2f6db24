"""What a served model is sent, what comes back, and what becomes of everything else."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from tests.chat_server import Asked, ChatServer, Reply, Script, completion, refusal
from tests.test_cli import error_line, towereval
from towereval.data.media import image_file
from towereval.data.video import decode_video
from towereval.engines import openai
from towereval.errors import EngineError, UsageError
from towereval.store import Store
from towereval.subject import find_subject
from towereval.types import Decoding, Image, Message, Request, Response, Text, Video

KEY = "sk-tower-0123456789"
AGAIN = {"Retry_After": "0"}
QUESTION = "Translate to German: the old bank"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def start(server: ChatServer, **settings: Any) -> openai.OpenAiEngine:
    engine_args = {"base_url": server.url, **settings}
    model = find_subject("org/served", "openai", engine_args).model
    assert model is not None
    return openai.start(model, engine_args=engine_args, seed=0)


def answers(
    script: Script, requests: Iterable[Request], **settings: Any
) -> tuple[list[Response], list[Asked]]:
    """Responses in the order of the requests, and what the server was asked."""
    asked = list(requests)
    with ChatServer(script) as server, closing(start(server, **settings)) as engine:
        found = {response.key: response for response in engine.run(asked)}
    assert len(found) == len(asked)
    return [found[request.key] for request in asked], server.asked


def words(number: int = 0, **decoding: Any) -> Request:
    prompt = (Message("user", (Text(f"{QUESTION} {number}"),)),)
    return Request(str(number), prompt, Decoding(**{"max_tokens": 16, **decoding}))


def showing(*media: Image | Video) -> Request:
    prompt = (Message("system", (Text("Be brief."),)), Message("user", (*media, Text(QUESTION))))
    return Request("0", prompt, Decoding(max_tokens=16))


def in_turn(*replies: str | Reply | None) -> Script:
    waiting = iter(replies)
    return lambda _: next(waiting)


def decoded(part: Any) -> tuple[str, bytes]:
    """The kind and the bytes of a picture in a message."""
    assert set(part) == {"type", "image_url"}
    head, _, data = part["image_url"]["url"].partition(";base64,")
    return head, base64.b64decode(data, validate=True)


# --- what is sent ---


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_arrives_with_the_files_own_bytes(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "picture"
    pil.linear_gradient("L").convert("RGB").save(file, kind)
    [answer], [asked] = answers(lambda _: "Haus", [showing(image_file(file))])
    system, user = asked.body["messages"]
    picture, text = user["content"]
    assert decoded(picture) == (f"data:image/{kind.lower()}", file.read_bytes())
    assert text == {"type": "text", "text": QUESTION}
    assert system == {"role": "system", "content": "Be brief."}
    assert (user["role"], answer.text) == ("user", "Haus")


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM"])
def test_a_format_that_servers_may_not_know_becomes_a_png(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "picture"
    drawn = pil.linear_gradient("L").convert("RGB")
    drawn.save(file, kind)
    _, [asked] = answers(lambda _: "Haus", [showing(image_file(file))])
    head, data = decoded(asked.content[0])
    assert head == "data:image/png"
    assert pil.open(io.BytesIO(data)).tobytes() == drawn.tobytes()


def test_a_turned_picture_is_turned_before_it_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    orientation = pil.Exif()
    orientation[0x0112] = 6  # seen with its right side up
    pil.linear_gradient("L").convert("RGB").resize((64, 32)).save(file, exif=orientation)
    _, [asked] = answers(lambda _: "Haus", [showing(image_file(file))])
    head, data = decoded(asked.content[0])
    assert head == "data:image/png"
    assert pil.open(io.BytesIO(data)).size == (32, 64)


def test_pictures_keep_their_order(draw: Callable[[int], Image]) -> None:
    shown = [draw(number) for number in (2, 0, 1)]
    _, [asked] = answers(lambda _: "Haus", [showing(*shown)])
    assert [decoded(part)[1] for part in asked.content[:-1]] == [
        Path(picture.source).read_bytes() for picture in shown
    ]


def test_a_clip_arrives_as_its_frames(film: Callable[..., Video]) -> None:
    clip = film(0, count=11)
    _, [asked] = answers(lambda _: "Haus", [showing(clip)])
    *frames, text = asked.content
    pictures = [pil.open(io.BytesIO(decoded(frame)[1])) for frame in frames]
    wanted = decode_video(clip, 8).frames_THWC
    assert [picture.tobytes() for picture in pictures] == [frame.tobytes() for frame in wanted]
    assert text["text"] == QUESTION


def test_words_alone_are_sent_as_one_text() -> None:
    _, [asked] = answers(lambda _: "Haus", [words()])
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "org/served",
        "messages": [{"role": "user", "content": f"{QUESTION} 0"}],
        "max_tokens": 16,
        "temperature": 0.0,
        "seed": 0,
    }


def test_what_the_task_asks_is_what_the_server_gets() -> None:
    request = words(max_tokens=7, temperature=0.5, seed=3, stop=("\n", "END"))
    _, [asked] = answers(lambda _: "Haus", [request])
    given = {name: asked.body[name] for name in ("max_tokens", "temperature", "seed", "stop")}
    assert given == {"max_tokens": 7, "temperature": 0.5, "seed": 3, "stop": ["\n", "END"]}


# --- what comes back ---


@pytest.mark.parametrize("text", ["Haus", "", " \n ", "家\u2028🏠", "null"])
def test_an_answer_is_kept_as_it_is(text: str) -> None:
    [answer], _ = answers(lambda _: text, [words()])
    assert (answer.text, answer.error) == (text, "")
    assert answer.token_count == len(text.split())
    assert answer.seconds > 0


@pytest.mark.parametrize(
    "usage", [None, [], "many", {}, {"completion_tokens": None}, {"completion_tokens": -1}]
)
def test_a_count_that_is_none_spoils_no_answer(usage: object) -> None:
    [answer], _ = answers(lambda _: completion("Haus", usage=usage), [words()])
    assert (answer.text, answer.token_count, answer.error) == ("Haus", 0, "")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (None, "EngineError: the server gave no answer (stop)"),
        (completion(None, "length"), "EngineError: the server gave no answer (length)"),
        (completion("Ha", "content_filter"), "the server gave no answer (content_filter)"),
        (completion(["Haus"]), "EngineError: the server gave no answer (stop)"),
        (completion(4), "EngineError: the server gave no answer (stop)"),
        (Reply(content=b""), "JSONDecodeError: "),
        (Reply(content=b"<html>Haus</html>"), "JSONDecodeError: "),
        (Reply(content=b'{"choices": [{"mess'), "JSONDecodeError: "),
        (Reply(content=b"\xff\xfe{}"), "Error: "),
        (Reply(content=b"[" * 100_000), "RecursionError: "),
        (Reply(content=b"{}"), "EngineError: not a chat completion: {}"),
        (Reply(content=b"[]"), "EngineError: not a chat completion: []"),
        (Reply(content=b"null"), "EngineError: not a chat completion: None"),
        (Reply(content=b'{"choices": []}'), "not a chat completion: {'choices': []}"),
        (Reply(content=b'{"choices": [{"text": "Haus"}]}'), "not a chat completion: {'choi"),
        (Reply(content=b'{"choices": ["Haus"]}'), "not a chat completion: {'choices': ['Haus"),
        (Reply(content=b'{"error": {"message": "no credit"}}'), "no credit"),
    ],
)
def test_what_is_no_answer_is_an_error_and_never_a_text(reply: Reply | None, reason: str) -> None:
    [answer], asked = answers(lambda _: reply, [words()])
    assert reason in answer.error
    assert (answer.text, answer.token_count) == ("", 0)
    assert len(asked) == 1  # it would say the same again


# --- refusals ---


@pytest.mark.parametrize(
    "first",
    [
        *(refusal(status, "later", **AGAIN) for status in (408, 409, 429, 500, 502, 503, 504)),
        Reply(0),
        Reply(content=b'{"choices"', headers={"Content-Length": "99"}),
    ],
)
def test_a_server_that_asks_for_patience_is_asked_again(first: Reply) -> None:
    [answer], asked = answers(in_turn(first, "Haus"), [words()])
    assert (answer.text, answer.error) == ("Haus", "")
    assert asked[0].body == asked[1].body


def test_patience_ends_after_five_tries() -> None:
    [answer], asked = answers(lambda _: refusal(429, "slow\n down", **AGAIN), [words()])
    assert answer.error == "EngineError: HTTP 429: slow down"
    assert len(asked) == 5


@pytest.mark.parametrize(
    ("wanted", "attempt", "seconds"),
    [
        ("0", 1, 0.0),
        ("2", 1, 2.0),
        ("1.5", 4, 1.5),
        ("3600", 1, 60.0),
        (None, 1, 0.5),
        (None, 4, 4.0),
        ("", 1, 0.5),
        ("-1", 1, 0.5),
        ("²", 1, 0.5),
        ("1.2.3", 2, 1.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 3, 2.0),
    ],
)
def test_the_server_says_how_long_to_wait(wanted: str | None, attempt: int, seconds: float) -> None:
    assert openai._patience(wanted, attempt) == seconds


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
def test_a_refusal_is_that_requests_error_with_the_servers_words(status: int) -> None:
    def script(asked: Asked) -> str | Reply:
        return refusal(status, "too  long:\n 9 tokens") if asked.text.endswith(" 1") else "Haus"

    found, asked = answers(script, [words(number) for number in range(3)])
    assert [answer.text for answer in found] == ["Haus", "", "Haus"]
    assert [answer.error for answer in found] == [
        "",
        f"EngineError: HTTP {status}: too long: 9 tokens",
        "",
    ]
    assert len(asked) == 3


def test_a_refusal_without_words_is_named_by_its_status() -> None:
    [answer], _ = answers(lambda _: refusal(404), [words()])
    assert answer.error == "EngineError: HTTP 404: Not Found"


def test_a_server_that_hangs_is_left_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "TRIES", 2)
    began = time.monotonic()
    [answer], asked = answers(lambda _: Reply(seconds=30.0), [words()], timeout=0.2)
    assert answer.error == "TimeoutError: timed out"
    assert len(asked) == 2
    assert time.monotonic() - began < 5


def test_a_torn_picture_is_its_own_requests_error(
    tmp_path: Path, draw: Callable[[int], Image]
) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(Path(draw(0).source).read_bytes()[:99])
    found, asked = answers(lambda _: "Haus", [showing(image_file(torn)), showing(draw(0))])
    assert found[0].error.startswith(f"DataError: {torn}: cannot be decoded")
    assert (found[1].text, len(asked)) == ("Haus", 1)


@pytest.mark.parametrize("change", ["continuation", "choices"])
def test_what_a_server_cannot_do_is_an_error(change: str) -> None:
    request = words(choices=("A", "B")) if change == "choices" else words()
    if change == "continuation":
        request = Request("0", request.prompt, request.decoding, continuation="Haus")
    [answer], asked = answers(lambda _: "Haus", [request])
    assert "a served model only generates" in answer.error
    assert asked == []


# --- many at once ---


def test_no_more_requests_run_at_once_than_were_asked_for() -> None:
    with ChatServer(lambda asked: Reply(seconds=0.02, content=completion(asked.text).content)) as (
        server
    ):
        engine = start(server, concurrency=3)
        found = list(engine.run(words(number) for number in range(20)))
    assert server.most == 3
    texts = {words(number).key: f"{QUESTION} {number}" for number in range(20)}
    assert {answer.key: answer.text for answer in found} == texts


def test_it_looks_ahead_a_bounded_number_of_requests() -> None:
    pulled = 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for number in range(1000):
            pulled += 1
            yield words(number)

    with (
        ChatServer(lambda _: "Haus") as server,
        closing(start(server, concurrency=2).run(requests())) as found,
    ):
        for count, _ in enumerate(found, start=1):
            assert pulled <= count + 2 * 2
            if count == 50:
                break
    assert len(server.asked) <= 50 + 2 * 2


def test_what_is_broken_off_is_not_asked_again() -> None:
    refused = threading.Event()

    def script(asked: Asked) -> str | Reply:
        if asked.text.endswith(" 0"):
            return "Haus"
        refused.set()
        return refusal(503, Retry_After="60")

    began = time.monotonic()
    with ChatServer(script) as server:
        found = start(server, concurrency=1).run(words(number) for number in range(9))
        assert next(found).text == "Haus"
        assert refused.wait(10)
        found.close()
    assert len(server.asked) == 2
    assert time.monotonic() - began < 10


def test_an_engine_answers_more_than_once() -> None:
    with ChatServer(in_turn("one", refusal(500, **AGAIN), "two")) as server:
        engine = start(server)
        texts = [[answer.text for answer in engine.run([words(number)])] for number in range(2)]
    assert texts == [["one"], ["two"]]


# --- the address and the key ---


@pytest.mark.parametrize(
    "models", [Reply(404), Reply(401), Reply(content=b"<html>"), Reply(content=b"")]
)
def test_a_server_without_a_list_of_models_is_a_server(models: Reply) -> None:
    with ChatServer(lambda _: "Haus", models) as server:
        [answer] = start(server).run([words()])
    assert answer.text == "Haus"
    assert [asked.path for asked in server.listed] == ["/v1/models"]


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


def test_the_key_goes_into_the_header_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    with ChatServer(lambda _: "Haus") as server:
        list(start(server, api_key_env="MY_KEY").run([words()]))
    [asked], [listed] = server.asked, server.listed
    assert asked.headers["Authorization"] == listed.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(asked.body) + asked.path + listed.path


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
        ({"base_url": "http://h/v1", "api_key": KEY}, "api_key_env, concurrency, timeout, not api"),
        ({"base_url": "http://h/v1", "api_key_env": 1}, "name of an environment variable"),
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


def test_a_model_is_known_by_its_name_and_its_server() -> None:
    first = {"base_url": "http://host/v1"}
    same = {**first, "concurrency": 2, "timeout": 9, "api_key_env": "MY_KEY"}
    found = find_subject("served", "openai", first)
    assert found.respondent == find_subject("served", "openai", same).respondent
    slash = {"base_url": "http://host/v1/"}
    assert found.respondent == find_subject("served", "openai", slash).respondent
    assert found.respondent != find_subject("other", "openai", first).respondent
    other = {"base_url": "http://host:8000/v1"}
    assert found.respondent != find_subject("served", "openai", other).respondent
    assert "MY_KEY" not in json.dumps(found.description)


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
    refused = towereval(*run_words("localhost", "--tasks", "ocrbench"), cwd=tmp_path / "results")
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
