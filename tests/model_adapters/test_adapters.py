"""Each family states what a run needs, renders as it was trained, and costs nothing to list."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import ROOT, surroundings, towereval
from towereval import plugins
from towereval.types import Checkpoint, Image, Message, Prompt, Rendered, Text, Video

# Hub ids as TowerVision's Table 9, its result tables and the papers beside it name them.
MODELS = {
    "towervision-2b": "utter-project/TowerVision-2B",
    "towervision-9b": "utter-project/TowerVision-9B",
    "towervision-2b-pt": "utter-project/TowerVision-2B-pt",
    "towervision-9b-pt": "utter-project/TowerVision-9B-pt",
    "towervideo-2b": "utter-project/TowerVideo-2B",
    "towervideo-9b": "utter-project/TowerVideo-9B",
    "qwen2.5-vl-3b": "Qwen/Qwen2.5-VL-3B-Instruct",
    "qwen2.5-vl-7b": "Qwen/Qwen2.5-VL-7B-Instruct",
    "gemma3-4b": "google/gemma-3-4b-it",
    "gemma3-12b": "google/gemma-3-12b-it",
    "aya-vision-8b": "CohereForAI/aya-vision-8b",
    "llama3-llava-next-8b": "llava-hf/llama3-llava-next-8b-hf",
    "llava-v1.6-mistral-7b": "llava-hf/llava-v1.6-mistral-7b-hf",
    "pangea-7b": "neulab/Pangea-7B-hf",
    "culturalpangea-7b": "neulab/CulturalPangea-7B",
    "pixtral-12b": "mistral-community/pixtral-12b",  # mistralai/Pixtral-12B-2409 for transformers
    "phi4-multimodal": "microsoft/Phi-4-multimodal-instruct",
    "videollama3-7b": "DAMO-NLP-SG/VideoLLaMA3-7B",
    "llava-video-7b": "lmms-lab/LLaVA-Video-7B-Qwen2",
    "vimul-7b": "MBZUAI/ViMUL",
    "centurio-qwen": "WueNLP/centurio_qwen",
    "centurio-aya": "WueNLP/centurio_aya",
    "internvl3-2b": "OpenGVLab/InternVL3-2B-hf",
    "internvl3-8b": "OpenGVLab/InternVL3-8B-hf",
}
PICTURE, SECOND, CLIP = Image("a.png", "aa"), Image("b.png", "bb"), Video("c.mp4", "cc")
QUESTION = Text("Where is this?")


def rendered(model: str, *parts: Image | Video | Text) -> Rendered:
    adapter, checkpoint = plugins.find_model(model)
    return adapter.render((Message("user", parts),), checkpoint)


def content(model: str, *parts: Image | Video | Text) -> Any:
    return rendered(model, *parts).messages[-1]["content"]


def test_every_model_of_the_papers_has_a_name_and_its_hub_id() -> None:
    found = {
        name: checkpoint.repo
        for adapter in plugins.adapters()
        for name, checkpoint in adapter.checkpoints.items()
        if checkpoint.repo
    }
    assert found == MODELS


@pytest.mark.parametrize("model", MODELS)
def test_it_states_what_a_run_needs(model: str) -> None:
    _, checkpoint = plugins.find_model(model)
    assert plugins.find_model(checkpoint.repo)[1] is checkpoint
    assert checkpoint.licence or model == "vimul-7b"  # which states none
    assert 8192 <= checkpoint.context_length <= 131072
    assert checkpoint.images >= 1
    assert checkpoint.frames >= 1
    assert checkpoint.architectures or checkpoint.remote_code or checkpoint.unserved


def test_frames_are_the_papers() -> None:
    frames = {name: plugins.find_model(name)[1].frames for name in MODELS}
    assert frames["towervideo-2b"] == frames["towervideo-9b"] == 32
    assert frames["videollama3-7b"] == 180


@pytest.mark.parametrize("model", ["towervision-2b", "towervision-9b-pt", "towervideo-9b"])
def test_vllm_is_told_the_text_model_of_tower_models(model: str) -> None:
    arguments = plugins.find_model(model)[1].engine_args
    assert arguments["hf_overrides"] == {"text_config": {"architectures": ["Gemma2ForCausalLM"]}}


STRINGS = {
    "towervision-2b": "<image>\n",
    "towervideo-2b": "<image>\n",
    "pangea-7b": "<image>\n",
    "centurio-aya": "<image_placeholder>\n",
}


@pytest.mark.parametrize(("model", "placeholder"), STRINGS.items())
def test_a_template_that_wants_a_string_gets_one(model: str, placeholder: str) -> None:
    assert content(model, PICTURE, QUESTION) == f"{placeholder}Where is this?"
    # The picture comes first whatever the order in the prompt.
    assert content(model, QUESTION, PICTURE) == f"{placeholder}Where is this?"
    assert content(model, PICTURE, SECOND, QUESTION) == f"{placeholder * 2}Where is this?"
    assert content(model, QUESTION) == "Where is this?"


def test_clips_go_in_as_clips_or_as_frames() -> None:
    assert content("towervideo-2b", CLIP, QUESTION) == "<video>\nWhere is this?"
    assert rendered("towervideo-2b", CLIP, QUESTION).videos == (CLIP,)
    shown = rendered("towervision-2b", CLIP, QUESTION)
    assert shown.messages[0]["content"] == "<image>\n" * 6 + "Where is this?"
    assert ([f.index for f in shown.images], shown.videos) == ([0, 1, 2, 3, 4, 5], ())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "model",
    [
        *("qwen2.5-vl-3b", "gemma3-4b", "aya-vision-8b", "llava-v1.6-mistral-7b", "pixtral-12b"),
        *("internvl3-8b", "videollama3-7b", "someone/else"),
    ],
)
def test_a_template_that_wants_parts_gets_them(model: str) -> None:
    text = {"type": "text", "text": "Where is this?"}
    assert content(model, QUESTION, PICTURE) == [{"type": "image"}, text]
    assert content(model, PICTURE, SECOND, QUESTION) == [{"type": "image"}, {"type": "image"}, text]
    assert rendered(model, PICTURE, SECOND, QUESTION).images == (PICTURE, SECOND)


def test_phi_numbers_its_pictures_through_all_messages() -> None:
    adapter, checkpoint = plugins.find_model("phi4-multimodal")
    prompt: Prompt = (
        Message("user", (PICTURE, QUESTION)),
        Message("assistant", (Text("Here."),)),
        Message("user", (QUESTION, PICTURE, SECOND)),
    )
    found = adapter.render(prompt, checkpoint)
    assert [message["content"] for message in found.messages] == [
        "<|image_1|>Where is this?",
        "Here.",
        "<|image_2|><|image_3|>Where is this?",
    ]
    assert found.images == (PICTURE, PICTURE, SECOND)


def test_centurio_has_the_system_turn_of_its_training() -> None:
    adapter, checkpoint = plugins.find_model("centurio-qwen")
    asked = Message("user", (PICTURE, QUESTION))
    first, _ = adapter.render((asked,), checkpoint).messages
    assert first == {"role": "system", "content": "You are a helpful assistant."}
    own = Message("system", (Text("Answer briefly."),))
    first, _ = adapter.render((own, asked), checkpoint).messages
    assert first["content"] == "Answer briefly."


def test_a_family_costs_under_5_ms_and_imports_no_library(tmp_path: Path) -> None:
    script = """
import importlib, json, sys, time
from towereval import plugins
import towereval.chat, towereval.mending
seconds = {}
for name in plugins.names("model_adapters"):
    began = time.perf_counter()
    importlib.import_module(f"towereval.model_adapters.{name}")
    seconds[name] = time.perf_counter() - began
print(json.dumps([seconds, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
    best: dict[str, float] = {}
    for _ in range(3):  # the first may have to compile, and the machine may be busy
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**surroundings(), "PYTHONPATH": str(ROOT)},
        )
        seconds, modules = json.loads(done.stdout)
        best = {name: min(seconds[name], best.get(name, 1.0)) for name in seconds}
    assert not {"torch", "transformers", "vllm", "numpy", "PIL", "huggingface_hub"} & set(modules)
    assert {name: taken for name, taken in best.items() if taken >= 0.005} == {}


@pytest.mark.parametrize("name", plugins.names("model_adapters"))
def test_a_family_is_short_and_says_where_it_comes_from(name: str) -> None:
    file = plugins.names("model_adapters")[name]
    text = file.read_text()
    if name != "tiny":  # which builds its model
        assert len(text.splitlines()) <= 60
        code = text.partition('"""\n')[2]
        assert "engine" not in re.sub(r"engine_args=|engines=|no engine", "", code)
    if name not in ("tiny", "generic"):
        assert "https://huggingface.co/" in text
        assert re.search(r"arXiv \d{4}\.\d{5}", text)


@pytest.mark.parametrize("model", [*MODELS, "tiny"])
def test_models_shows_each(model: str, tmp_path: Path) -> None:
    shown = towereval("models", model, cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    checkpoint: Checkpoint = plugins.find_model(model)[1]
    assert f"checkpoint: {checkpoint.repo or 'built on this machine'}\n" in shown.stdout
    assert f"pictures a prompt: {checkpoint.images}\n" in shown.stdout
    assert ("needed: --trust-remote-code" in shown.stdout) == checkpoint.remote_code
    assert ("no engine: " in shown.stdout) == bool(checkpoint.unserved)
    assert "prepare: " in shown.stdout
