"""Gemma2 LLaVAs that transformers 4 saved: wrong today as they are, right when they are prepared.

Held against logits of transformers 4.57.6 (golden_models.py says how they came about).
Legend: P prompts, S tokens (prompt's last, continuation), V vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from tests.engines import golden_models
from tests.engines.tiny_models import onevision_processor
from towereval.checkpoints import check
from towereval.data.media import image_file, video_file
from towereval.engines.prompts import decode_ahead
from towereval.engines.vllm_prompts import prompt_of
from towereval.mending import mended
from towereval.model_adapters import tiny, towervideo, towervision
from towereval.types import (
    Decoding,
    Image,
    Message,
    Model,
    Prepared,
    Request,
    Response,
    Text,
    Video,
)

pytestmark = pytest.mark.engine

CAP = 30.0  # Gemma2's final softcap, which the LLaVA classes leave out and both engines apply
VOCABULARY = 320
Ask = Callable[..., list[Response]]
SCORE = Decoding(max_tokens=1)
ADAPTERS = {"llava_next": towervision.adapter, "llava_onevision": towervideo.adapter}


@dataclass(frozen=True, slots=True)
class Case:
    """One old checkpoint, as it is and prepared, and what is asked of it."""

    folder: Path
    prepared: Prepared
    model: Callable[[Path], Model]
    requests: Mapping[str, list[Request]]


@pytest.fixture(scope="module", params=["llava_next", "llava_onevision"])
def case(
    request: pytest.FixtureRequest, libraries: None, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    name = request.param
    folder = old_checkpoint(name, tmp_path_factory.mktemp("old"))
    # vLLM is told of the text model's class as for the published checkpoints.
    like = next(iter(ADAPTERS[name].checkpoints.values()))
    checkpoint = replace(like, repo="", dtype="float32", context_length=1024, frames=4)
    return Case(
        folder,
        mended(folder, tmp_path_factory.mktemp("cache")),
        lambda folder: Model(name, ADAPTERS[name], checkpoint, folder, digest=""),
        requests(name, tmp_path_factory.mktemp("media")),
    )


def old_checkpoint(name: str, parent: Path) -> Path:
    """As transformers 4.57.6 saved it."""
    from safetensors.numpy import save_file

    folder = parent / name
    model = golden_models.golden()["models"][name]
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(model["config"]))
    tensors = golden_models.weights(model["shapes"])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    if name == "llava_next":
        tiny._processor(tiny._tokenizer()).save_pretrained(folder)
    else:
        onevision_processor(tiny.CHAT_TEMPLATE).save_pretrained(folder)
    check(folder)
    return folder


def requests(name: str, folder: Path) -> dict[str, list[Request]]:
    """The golden prompts by kind, with pictures and clips that lose nothing."""
    import av

    shown: dict[str, list[Image | Video]] = {"image": []}
    if name == "llava_onevision":
        shown["video"] = []
    for number in range(len(golden_models.PROMPTS)):
        frames_THWC = golden_models.frames_THWC(number)
        pil.fromarray(frames_THWC[0]).save(folder / f"{number}.png")
        shown["image"].append(image_file(folder / f"{number}.png"))
        if "video" not in shown:
            continue
        with av.open(str(folder / f"{number}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=2)
            stream.width, stream.height, stream.pix_fmt = *frames_THWC.shape[2:0:-1], "bgr0"
            for frame_HWC in frames_THWC:
                frame = av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        shown["video"].append(video_file(folder / f"{number}.mkv"))
    return {
        f"{name}-{kind}": [
            Request(
                str(number),
                (Message("user", (media, Text(golden_models.PROMPTS[number]))),),
                SCORE,
                golden_models.CONTINUATION,
            )
            for number, media in enumerate(media_of_kind)
        ]
        for kind, media_of_kind in shown.items()
    }


def centred(logits_PSV: Any) -> Any:
    """With the softcap, and without what log-probabilities do not know: a row's sum."""
    capped_PSV = CAP * np.tanh(logits_PSV / CAP)
    return capped_PSV - capped_PSV.mean(-1, keepdims=True)


def transformers_logits(engine: Any, asked: list[Request]) -> Any:
    import torch

    rows_PSV = []
    for decoded in decode_ahead(engine.model, asked):
        encoded = engine.encoder.encode(decoded)
        with torch.inference_mode():
            logits_SV = engine.network(**engine.inputs([decoded], [encoded])).logits[0]
        rows_PSV.append(logits_SV[-encoded.continuation_tokens - 1 :].numpy())
    capped_PSV = np.stack(rows_PSV)
    return capped_PSV - capped_PSV.mean(-1, keepdims=True)


def vllm_logits(engine: Any, asked: list[Request]) -> Any:
    from vllm import SamplingParams

    everything = SamplingParams(max_tokens=1, temperature=0.0, logprobs=-1, prompt_logprobs=-1)
    rows_PSV = []
    for decoded in decode_ahead(engine.model, asked):
        encoded = engine.encoder.encode(decoded)
        prompts = [prompt_of(decoded, encoded, "test")]
        (output,) = engine.llm.generate(prompts, everything, use_tqdm=False)
        rows = [
            *output.prompt_logprobs[-encoded.continuation_tokens :],
            *output.outputs[0].logprobs,
        ]
        rows_PSV.append([[row[token].logprob for token in range(VOCABULARY)] for row in rows])
    logprobs_PSV = np.array(rows_PSV)
    return logprobs_PSV - logprobs_PSV.mean(-1, keepdims=True)


@pytest.mark.parametrize("prepared", [False, True], ids=["as it is", "prepared"])
@pytest.mark.parametrize("engine_name", ["transformers", "vllm"])
def test_pictures_are_seen_as_then_when_prepared(
    case: Case, engine_name: str, prepared: bool, start: Callable[..., Any]
) -> None:
    model = case.model(case.prepared.folder if prepared else case.folder)
    logits = {"transformers": transformers_logits, "vllm": vllm_logits}[engine_name]
    wanted = golden_models.golden_logits()
    with start(
        engine_name, model, **({"max_logprobs": -1} if engine_name == "vllm" else {})
    ) as engine:
        for kind, asked in case.requests.items():
            wanted_PSV = centred(wanted[kind])
            found_PSV = logits(engine, asked)
            difference = np.linalg.norm(found_PSV - wanted_PSV) / np.linalg.norm(wanted_PSV)
            if prepared:
                assert difference < 1e-4, kind
            else:
                assert difference > 0.1, kind


def test_text_alone_needs_no_mend(case: Case, start: Callable[..., Any], ask: Ask) -> None:
    request = Request("0", (Message("user", (Text("Wo?"),)),), SCORE, "Hund")
    found = []
    for folder in (case.folder, case.prepared.folder):
        with start("transformers", case.model(folder)) as engine:
            found.append(ask(engine, [request])[0].logprob)
    assert found[0] == found[1]
