"""Tokens of prompts and continuations: one bos, and merges across the prompt's end."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towereval.chat import as_parts
from towereval.engines.prompts import Decoded, Encoded, PromptEncoder
from towereval.errors import DataError
from towereval.types import Decoding, Image, Message, Model, Request, Response, Text

pytestmark = pytest.mark.engine

BOS = 2
# As the tokenizer writes bytes: Ċ is a line break, the prompt's last sign; Ã Ł together are ß.
MERGES = [["Ċ", "d"], ["a", "s"], ["Ċd", "as"], ["Ã", "Ł"], ["l", "Ċ"]]


@pytest.fixture(scope="module")
def merging(tiny: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The tiny model with a tokenizer that merges, also the prompt's end with what follows."""
    folder = tmp_path_factory.mktemp("merging") / "tiny"
    shutil.copytree(tiny.folder, folder)
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    for merge in MERGES:
        vocabulary["".join(merge)] = len(vocabulary)
    content["model"]["merges"] = MERGES
    file.write_text(json.dumps(content))
    return dataclasses.replace(tiny, folder=folder)


@pytest.fixture(scope="module")
def encoder(merging: Model) -> PromptEncoder:
    return PromptEncoder(merging)


@pytest.fixture(scope="module")
def encode(encoder: PromptEncoder, merging: Model) -> Callable[[str | None], Encoded]:
    def encoded(continuation: str | None) -> Encoded:
        prompt = (Message("user", (Text("Grüß mich"),)),)
        request = Request("0", prompt, Decoding(max_tokens=1), continuation)
        rendered = merging.adapter.render(prompt, merging.checkpoint)
        return encoder.encode(Decoded(request, rendered))

    return encoded


def test_the_prompt_has_one_bos_and_is_the_template(
    encode: Callable[[str | None], Encoded],
) -> None:
    encoded = encode(None)
    assert encoded.token_ids.count(BOS) == 1
    assert encoded.token_ids[0] == BOS
    wanted = "<bos><start_of_turn>user\nGrüß mich<end_of_turn>\n<start_of_turn>model\n"
    assert encoded.text == wanted
    assert encoded.continuation_tokens == 0


@pytest.mark.parametrize(
    ("continuation", "tokens"),
    [
        ("x", ["x"]),
        ("die", ["Ċd", "i", "e"]),  # the line break is the prompt's, the token is not
        ("das", ["Ċdas"]),
        ("Straße", ["S", "t", "r", "a", "ÃŁ", "e"]),
        ("Spaß", ["S", "p", "a", "ÃŁ"]),
        ("Ж", ["Ð", "ĸ"]),
        ("银行", ["é", "ĵ", "¶", "è", "¡", "Į"]),
        (" ", ["Ġ"]),
        ("\n", ["Ċ"]),
        ("d ", ["Ċd", "Ġ"]),
        ("", []),
    ],
)
def test_a_token_across_the_end_of_the_prompt_is_the_continuations(
    encode: Callable[[str | None], Encoded],
    encoder: PromptEncoder,
    continuation: str,
    tokens: list[str],
) -> None:
    encoded = encode(continuation)
    count = encoded.continuation_tokens
    found = encoder.tokenizer.convert_ids_to_tokens(
        encoded.token_ids[len(encoded.token_ids) - count :]
    )
    assert found == tokens
    # The last tokens of all that is said, not of the continuation said alone.
    assert encoded.token_ids.count(BOS) == 1
    assert encoder.tokenizer.decode(encoded.token_ids).endswith(f"model\n{continuation}")


def test_engines_score_merged_tokens_alike(
    merging: Model,
    start: Callable[..., Any],
    question: Callable[..., Request],
    draw: Callable[[int], Image],
    ask: Callable[..., list[Response]],
) -> None:
    requests = [
        question(number, decoding=Decoding(max_tokens=1), continuation=continuation)
        for number in range(4)
        for continuation in ("das Ufer", "die Straße", "Ж", "银行", "Spaß")
    ]
    counts = [6, 10, 2, 6, 4]
    with start("transformers", merging) as transformers:
        one = ask(transformers, requests)
    with start("vllm", merging) as vllm:
        other = ask(vllm, requests)
    assert [r.token_count for r in one] == [r.token_count for r in other] == counts * 4
    wanted = pytest.approx([response.logprob for response in one], abs=1e-3)
    assert [response.logprob for response in other] == wanted


def test_a_template_of_texts_is_given_a_text(merging: Model, encoder: PromptEncoder) -> None:
    """As a text model's by its hub id: a translator's or a judge's."""
    prompt = (Message("user", (Text("Grüß "), Text("mich"))),)
    request = Request("0", prompt, Decoding(max_tokens=1))
    text = encoder.encode(Decoded(request, as_parts(prompt, merging.checkpoint))).text
    assert text == "<bos><start_of_turn>user\nGrüß mich<end_of_turn>\n<start_of_turn>model\n"


def test_a_picture_has_no_place_in_a_template_of_texts(
    merging: Model, encoder: PromptEncoder
) -> None:
    prompt = (Message("user", (Image("a.png", "0"), Text("What?"))),)
    rendered = as_parts(prompt, merging.checkpoint)
    with pytest.raises(DataError, match="takes a text alone, no picture; name the model's family"):
        encoder.encode(Decoded(Request("0", prompt, Decoding(max_tokens=1)), rendered))


def test_a_template_of_parts_is_given_parts(merging: Model, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    shutil.copytree(merging.folder, folder)
    (folder / "chat_template.jinja").write_text(
        "{% for message in messages %}{% for part in message['content'] %}"
        "[{{ part['type'] }} {{ part['text'] }}]{% endfor %}{% endfor %}"
    )
    prompt = (Message("user", (Text("Hi"),)),)
    request = Request("0", prompt, Decoding(max_tokens=1))
    encoder = PromptEncoder(dataclasses.replace(merging, folder=folder))
    assert (
        encoder.encode(Decoded(request, as_parts(prompt, merging.checkpoint))).text == "[text Hi]"
    )
