"""What a served model is sent, and what is taken for its answer."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from tests.chat_server import Reply, completion
from tests.engines.asking import QUESTION, answers, showing, words
from towereval.data.media import decode_image, image_file
from towereval.data.video import decode_video
from towereval.engines import data_urls
from towereval.types import Image, Video


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def decoded(part: Any) -> tuple[str, bytes]:
    """The kind and the bytes of a picture in a message."""
    assert set(part) == {"type", "image_url"}
    head, _, data = part["image_url"]["url"].partition(";base64,")
    return head, base64.b64decode(data, validate=True)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
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


GREYS = pil.linear_gradient("L")
SHORT = GREYS.resize((8, 8))


@pytest.mark.parametrize(
    ("kind", "drawn", "options"),
    [
        ("BMP", GREYS.convert("RGB"), {}),
        ("TIFF", GREYS.convert("RGB"), {}),
        ("PPM", GREYS.convert("RGB"), {}),
        ("JPEG", GREYS.convert("CMYK"), {}),
        ("PNG", GREYS.convert("P"), {}),
        ("PNG", GREYS.convert("RGBA"), {}),
        ("PNG", GREYS.convert("I;16"), {}),
        ("PNG", GREYS, {"transparency": 7}),
        ("GIF", SHORT, {"save_all": True, "append_images": [SHORT.rotate(90)]}),
        ("PNG", SHORT, {"save_all": True, "append_images": [SHORT.rotate(90)]}),
    ],
)
def test_what_servers_may_read_otherwise_becomes_a_png_of_what_engines_see(
    tmp_path: Path, kind: str, drawn: pil.Image, options: dict[str, Any]
) -> None:
    file = tmp_path / "picture"
    drawn.save(file, kind, **options)
    _, [asked] = answers(lambda _: "Haus", [showing(image_file(file))])
    head, data = decoded(asked.content[0])
    assert head == "data:image/png"
    with pil.open(io.BytesIO(data)) as sent:
        assert (sent.mode, getattr(sent, "n_frames", 1)) == ("RGB", 1)
        assert sent.tobytes() == decode_image(image_file(file)).tobytes()


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_one_format_for_all_pictures_can_be_asked_for(
    tmp_path: Path, film: Callable[..., Video], kind: str
) -> None:
    file = tmp_path / "picture"
    GREYS.convert("RGB").save(file, "WEBP")
    shown = [showing(image_file(file)), showing(film(0))]
    _, asked = answers(lambda _: "Haus", shown, image_format=kind)
    for one in asked:
        for part in one.content[:-1]:
            head, data = decoded(part)
            with pil.open(io.BytesIO(data)) as sent:
                assert (head, sent.format) == (f"data:image/{kind}", kind.upper())


def test_a_picture_of_many_questions_is_encoded_once(
    draw: Callable[[int], Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    decode = data_urls.decode_image
    monkeypatch.setattr(
        data_urls, "decode_image", lambda image: encoded.append(image) or decode(image)
    )
    requests = [
        replace(showing(draw(number)), respondent=str(language))
        for number in range(3)
        for language in range(36)
    ]
    found, asked = answers(lambda _: "Haus", requests)
    assert [answer.text for answer in found] == ["Haus"] * 108
    assert sorted(encoded, key=lambda image: image.source) == [draw(number) for number in range(3)]
    assert len({one.content[0]["image_url"]["url"] for one in asked}) == 3


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
        (completion("", "length"), "(length): all tokens that it may have were used up before its"),
        (completion("", "tool_calls"), "EngineError: the server gave no answer (tool_calls)"),
        (completion("Ha", "abort"), "EngineError: the server gave no answer (abort)"),
        (completion("Ha", "content_filter"), "the server gave no answer (content_filter)"),
        (
            completion(None, choices=[{"message": {"content": None, "refusal": "I can't."}}]),
            "EngineError: the server gave no answer (I can't.)",
        ),
        (completion(["Haus"]), "EngineError: the server gave no answer (stop)"),
        (completion(4), "EngineError: the server gave no answer (stop)"),
        (Reply(content=b""), "EngineError: the answer is not JSON: ''"),
        (Reply(content=b"<html>Haus</html>"), "the answer is not JSON: '<html>Haus"),
        (Reply(content=b'{"choices": [{"mess'), "EngineError: the answer is not JSON: "),
        (Reply(content=b"\xff\xfe{}"), "Error: "),
        (Reply(content=b"[" * 100_000), "EngineError: the answer is not JSON: '[[["),
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


def test_an_answer_cut_by_its_limit_is_an_answer() -> None:
    """As in the other engines: how much may be said is the task's choice."""
    [answer], _ = answers(lambda _: completion("Ha", "length"), [words()])
    assert (answer.text, answer.error) == ("Ha", "")
