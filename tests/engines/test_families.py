"""Right to the token: each family's tiny model, asked by its adapter, answers as its classes do.

What both engines answer is held against plain transformers: one prompt at a time, made by the
processor's own chat template from pictures and text, and greedy `generate`. The table of these in
docs/models.md is held against families.py by tests/model_adapters/test_models_document.py.

One engine after the other: vLLM changes classes that it takes from transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.engines.families import FAMILIES, Family, family_model
from towereval.engines.prompts import Decoded, decode_ahead, video_metadata
from towereval.engines.vllm_prompts import prompt_of
from towereval.types import Image, Model, Request, Response, Video

pytestmark = pytest.mark.engine

Ask = Callable[..., list[Response]]
Start = Callable[..., Any]
COUNT = 16
NEW_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Reference:
    """What plain transformers reads and answers."""

    prompt: list[int]
    answer: list[int]


@dataclass(frozen=True, slots=True)
class Case:
    family: Family
    model: Model
    requests: dict[str, list[Request]]
    references: dict[str, list[Reference]]


@pytest.fixture(scope="module", params=FAMILIES)
def case(
    request: pytest.FixtureRequest,
    libraries: None,
    question: Callable[..., Request],
    draw: Callable[[int], Image],
    film: Callable[..., Video],
    tmp_path_factory: pytest.TempPathFactory,
) -> Case:
    family = FAMILIES[request.param]
    model = family_model(family, tmp_path_factory.mktemp("family"))
    shown: dict[str, Callable[[int], tuple[Image | Video, ...]]] = {
        "image": lambda n: (draw(n),),
        "images": lambda n: (draw(n), draw(n + 1)),
        "video": lambda n: (film(n, rate=4 + n % 5, count=5 + n % 7),),
    }
    requests = {
        kind: [question(n, f"What is number {n}?", shown=shown[kind](n)) for n in range(COUNT)]
        for kind in family.kinds
    }
    network, processor = plain(model)
    references = {
        kind: [reference(network, processor, decoded) for decoded in decode_ahead(model, asked)]
        for kind, asked in requests.items()
    }
    return Case(family, model, requests, references)


def plain(model: Model) -> tuple[Any, Any]:
    from transformers import AutoModelForMultimodalLM, AutoProcessor

    network = AutoModelForMultimodalLM.from_pretrained(
        model.folder, dtype="float32", attn_implementation="eager"
    )
    return network.eval(), AutoProcessor.from_pretrained(model.folder)


def reference(network: Any, processor: Any, decoded: Decoded) -> Reference:
    """As its authors show it: pictures before the text, in the template's own way."""
    import torch

    (message,) = decoded.request.prompt
    text = message.parts[-1].text  # type: ignore[union-attr]
    shown: list[tuple[str, Any]] = [("image", picture) for picture in decoded.images]
    shown += [("video", clip.frames_THWC) for clip in decoded.videos]
    media: dict[str, Any] = {"return_tensors": "pt"}
    for kind in {kind for kind, _ in shown}:
        media[f"{kind}s"] = [[pixels for _, pixels in shown]]
    if decoded.videos:
        media["video_metadata"] = [[video_metadata(clip) for clip in decoded.videos]]
        media["do_sample_frames"] = False
    content: Any = "".join(f"<{kind}>\n" for kind, _ in shown) + text
    template = processor.chat_template or processor.tokenizer.chat_template
    if "part['type']" in template:
        content = [*({"type": kind} for kind, _ in shown), {"type": "text", "text": text}]
    prompt = processor.apply_chat_template(
        [{"role": message.role, "content": content}],
        chat_template=template,
        add_generation_prompt=True,
        tokenize=False,
    )
    inputs = processor(text=[prompt], add_special_tokens=False, **media)
    with torch.inference_mode():
        tokens_S = network.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)[0]
    prompt_S = inputs["input_ids"][0].tolist()
    return Reference(prompt_S, tokens_S[len(prompt_S) :].tolist())


def equal(case: Case, kind: str, texts: list[str], decode: Callable[..., str]) -> int:
    return sum(
        text == decode(wanted.answer, ())
        for text, wanted in zip(texts, case.references[kind], strict=True)
    )


def test_answers_differ(case: Case) -> None:
    """A model that always says the same would prove nothing."""
    for kind, references in case.references.items():
        assert len({tuple(each.answer) for each in references}) > COUNT // 2, kind


def test_transformers_in_batches_is_equal(case: Case, start: Start, ask: Ask) -> None:
    with start("transformers", case.model) as engine:
        for kind, asked in case.requests.items():
            responses = ask(engine, asked)
            assert not [response.error for response in responses if response.error]
            texts = [response.text for response in responses]
            assert equal(case, kind, texts, engine.encoder.decode) == COUNT, kind
            for decoded, wanted in zip(
                decode_ahead(case.model, asked[:4]), case.references[kind], strict=False
            ):
                inputs = engine.inputs([decoded], [engine.encoder.encode(decoded)])
                assert inputs["input_ids"][0].tolist() == wanted.prompt, kind


def test_vllm_is_equal(case: Case, start: Start, ask: Ask) -> None:
    if not case.family.vllm:
        pytest.skip("refused: test_what_vllm_would_do_wrongly_is_refused")
    with start("vllm", case.model) as engine:
        for kind in case.family.vllm:
            responses = ask(engine, case.requests[kind])
            assert not [response.error for response in responses if response.error]
            texts = [response.text for response in responses]
            assert equal(case, kind, texts, engine.encoder.decode) == COUNT, kind
            for decoded, wanted in zip(
                decode_ahead(case.model, case.requests[kind][:4]),
                case.references[kind],
                strict=False,
            ):
                assert vllm_prompt(case, engine, decoded) == wanted.prompt, kind


def vllm_prompt(case: Case, engine: Any, decoded: Decoded) -> list[int]:
    """The expanded prompt; embeddings go where placeholders are, whichever stands there."""
    from vllm import SamplingParams

    one = SamplingParams(max_tokens=1, temperature=0.0)
    encoded = engine.encoder.encode(decoded)
    (output,) = engine.llm.generate([prompt_of(decoded, encoded, "test")], one, use_tqdm=False)
    names = engine.encoder.tokenizer.convert_tokens_to_ids
    alias = {names(one): names(other) for one, other in case.family.alias.items()}
    return [alias.get(token, token) for token in output.prompt_token_ids]


def test_one_bos(case: Case) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(case.model.folder)
    writes_it = "bos_token" in tokenizer.chat_template
    for references in case.references.values():
        for each in references:
            assert each.prompt.count(tokenizer.bos_token_id) == writes_it
