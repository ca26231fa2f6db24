"""Packed examples are what they were alone: tokens, loss, gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image

from towereval.errors import DataError
from towereval.train import drawn
from towereval.train.data import Record, Turn
from towereval.train.loader import Loader
from towereval.train.model import batch_nll
from towereval.train.packing import Encoder, Example, Rendering, collate
from towereval.train.recipe import Recipe
from towereval.train.rows import Room, pack
from towereval.train.stage_data import StageData

KINDS = ("caption", "words", "ambiguous", "text")


@pytest.fixture(scope="session")
def examples(encoder: Encoder) -> list[Example]:
    records = [drawn.record(kind, 0, index) for index in range(2) for kind in KINDS]
    return [encoder.example(record, Rendering("chat", 0.5)) for record in records]


def gradients(model: Any, encoder: Encoder, groups: list[list[Example]], packs: Any) -> Any:
    """The loss of all examples and its gradients, some examples at a time."""
    model.zero_grad()
    loss = torch.zeros(())
    for group in groups:
        batch = collate(group, packs or [[i] for i in range(len(group))], encoder)
        nll, _ = batch_nll(model, batch)
        nll.backward()
        loss += nll.detach()
    return loss, {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("stacked", [False, True])
def test_packed_is_unpacked(
    stacked: bool, model: Any, encoder: Encoder, examples: list[Example]
) -> None:
    alone, single = gradients(model, encoder, [[example] for example in examples], None)
    packs = pack(examples, Room(400, 16), stacked=stacked)
    assert len(packs) < len(examples) / 2
    packed, together = gradients(model, encoder, [examples], packs)
    assert float(packed) == pytest.approx(float(alone), rel=1e-6)
    assert together.keys() == single.keys()
    norm = torch.stack([grad.norm() for grad in single.values()]).norm()
    off = torch.stack([(together[name] - grad).norm() for name, grad in single.items()]).norm()
    assert float(off / norm) < 1e-6


def test_an_example_does_not_see_its_neighbour(
    model: Any, encoder: Encoder, examples: list[Example]
) -> None:
    """Another neighbour moves nothing; without restarting positions it would."""
    first, second, third = examples[0], examples[2], examples[6]
    losses = []
    for neighbour in (second, third):
        batch = collate([neighbour, first], [[0, 1]], encoder)
        _, each_N = batch_nll(model, batch)
        losses.append(each_N[batch.learned[0] :])
    assert torch.allclose(*losses, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_those_of_the_processor(built: Any, encoder: Encoder, kind: str) -> None:
    record = drawn.record(kind, 0, 1)
    processor = built[1]
    content: list[dict[str, str]] = [{"type": "image"} for _ in record.pictures]
    content.append({"type": "text", "text": record.turns[0].text})
    answer = [{"type": "text", "text": record.turns[1].text}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]
    text = processor.apply_chat_template(messages)
    pictures = [Image.fromarray(picture) for picture in record.pictures] or None
    ids = processor(images=pictures, text=text, add_special_tokens=False)["input_ids"][0]
    example = encoder.example(record, Rendering())
    assert list(example.ids) == list(ids)
    learned = [i for i, w in zip(example.ids, example.weights, strict=True) if w]
    assert processor.tokenizer.decode(learned) == record.turns[1].text + "<end_of_turn>"


def test_the_plain_prompt_is_picture_and_answer(encoder: Encoder) -> None:
    record = drawn.record("caption", 0, 1)
    example = encoder.example(record, Rendering("plain"))
    text = encoder.tokenizer.decode([i for i in example.ids if i != encoder.image_id])
    assert text == f"<bos>\n{record.turns[1].text}\n"


def test_a_placeholder_without_a_picture_is_refused(encoder: Encoder) -> None:
    record = Record("x", "en", (Turn("user", "<image> what?"), Turn("assistant", "No.")))
    with pytest.raises(DataError, match="0 pictures, but 1 <image>"):
        encoder.example(record, Rendering())


def test_what_no_pack_holds_is_left_out_and_counted(recipe: Recipe, encoder: Encoder) -> None:
    from dataclasses import replace

    narrow = replace(recipe, packing=replace(recipe.packing, tokens=70))
    every, none = StageData(recipe, "stage1", encoder).examples(0)
    kept, left_out = StageData(narrow, "stage1", encoder).examples(0)
    short = [example for example in every if len(example.ids) <= 70]
    assert 0 < len(short) < len(every)
    assert [example.ids for example in kept] == [example.ids for example in short]
    assert (none, left_out) == (0, len(every) - len(short))


def test_a_step_is_the_same_again(recipe: Recipe, encoder: Encoder) -> None:
    data = StageData(recipe, "stage2", encoder)
    (first,), (again,) = (Loader(data, workers).prepare(7).batches for workers in (0, 2))
    assert torch.equal(first.ids_BT, again.ids_BT)
    assert first.pixels_IKCHW is not None
    assert again.pixels_IKCHW is not None
    assert torch.equal(first.pixels_IKCHW, again.pixels_IKCHW)
