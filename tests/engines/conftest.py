"""Real engines on a tiny model with random weights, what they are shown, and how they are asked.

torch reads OMP_NUM_THREADS when it is imported; on shared cores more than one thread is slower by
an order of magnitude.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from tests.engines.tiny_models import tiny_model
from towereval import engines
from towereval.data.media import image_file, video_file
from towereval.types import Decoding, Engine, Image, Message, Model, Request, Response, Text, Video

os.environ.setdefault("OMP_NUM_THREADS", "1")

ANSWER = Decoding(max_tokens=16)
SIZES = ((56, 56), (100, 60), (60, 100), (200, 150), (97, 131))


@contextmanager
def quiet() -> Iterator[None]:
    """The libraries warn while they are imported and started; that is not for us to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def started(kind: str, model: Model, **engine_args: Any) -> Iterator[Engine]:
    with quiet(), unchanged_classes():
        engine = engines.start(engines.find(kind), model, engine_args, seed=0)
        with closing(engine):
            yield engine


@contextmanager
def unchanged_classes() -> Iterator[None]:
    """vLLM decorates the classes that it takes from transformers, which others then cannot use."""
    from transformers import PreTrainedModel

    def below(parent: type) -> Iterator[type]:
        for child in parent.__subclasses__():
            yield child
            yield from below(child)

    before = {each: (each.__bases__, dict(vars(each))) for each in below(PreTrainedModel)}
    try:
        yield
    finally:
        for each, (bases, content) in before.items():
            if each.__bases__ == bases:
                continue
            each.__bases__ = bases
            for name in set(vars(each)) - set(content):
                delattr(each, name)
            for name in ("__init__", "__call__"):
                if name in content:
                    setattr(each, name, content[name])


@pytest.fixture(scope="session")
def libraries() -> None:
    with quiet():
        for name in ("torch", "transformers", "vllm"):
            pytest.importorskip(name, reason=f"needs the cpu extra: {name} is not installed")


@pytest.fixture(scope="session")
def tiny(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return tiny_model(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def start(libraries: None) -> Callable[..., Any]:
    """Starts an engine by kind and model, for as long as a `with` lasts.

    One vLLM at a time: in one process, the first that is closed takes down the other.
    """
    return started


@pytest.fixture(scope="module")
def transformers_engine(tiny: Model) -> Iterator[Engine]:
    with started("transformers", tiny) as engine:
        yield engine


@pytest.fixture(scope="module")
def vllm_engine(tiny: Model) -> Iterator[Engine]:
    with started("vllm", tiny) as engine:
        yield engine


@pytest.fixture(params=["transformers", "vllm"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine that holds a model."""
    chosen: Engine = request.getfixturevalue(f"{request.param}_engine")
    return chosen


@pytest.fixture(scope="session")
def ask() -> Callable[[Engine, Iterable[Request]], list[Response]]:
    """Responses in the order of the requests, whose keys must differ."""

    def answers(engine: Engine, requests: Iterable[Request]) -> list[Response]:
        asked = list(requests)
        found = {response.key: response for response in engine.run(asked)}
        assert len(found) == len(asked)
        return [found[request.key] for request in asked]

    return answers


@pytest.fixture(scope="session")
def question(draw: Callable[[int], Image]) -> Callable[..., Request]:
    """A request by number, about the picture of that number unless told otherwise."""

    def request(
        number: int,
        text: str = "",
        *,
        shown: tuple[Image | Video, ...] | None = None,
        decoding: Decoding = ANSWER,
        continuation: str | None = None,
        respondent: str = "",
    ) -> Request:
        media = (draw(number),) if shown is None else shown
        words = Text(text or f"Translate to German: the old bank number {number}")
        prompt = (Message("user", (*media, words)),)
        return Request(str(number), prompt, decoding, continuation, respondent)

    return request


@pytest.fixture(scope="session")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Image]:
    """A picture by number: coarse noise, one of five sizes."""
    folder = tmp_path_factory.mktemp("pictures")

    def picture(number: int) -> Image:
        file = folder / f"{number}.png"
        if not file.exists():
            width, height = SIZES[number % len(SIZES)]
            noise = np.random.RandomState(number).randint(
                0, 255, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8
            )
            pil.fromarray(noise).resize((width, height), pil.Resampling.NEAREST).save(file)
        return image_file(file)

    return picture


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Video]:
    """A clip by number: `count` frames of coarse noise, `rate` of them a second."""
    av = pytest.importorskip("av", reason="needs the data extra: av is not installed")
    folder = tmp_path_factory.mktemp("clips")

    def clip(number: int, *, rate: int = 5, count: int = 7) -> Video:
        file = folder / f"{number}-{rate}-{count}.mkv"
        if file.exists():
            return video_file(file)
        random = np.random.RandomState(number)
        with av.open(str(file), "w") as container:
            stream = container.add_stream("mpeg4", rate=rate)
            stream.width, stream.height, stream.pix_fmt = 80, 64, "yuv420p"
            for _ in range(count):
                noise = random.randint(0, 255, (8, 10, 3), dtype=np.uint8)
                pixels = np.kron(noise, np.ones((8, 8, 1), np.uint8))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
        return video_file(file)

    return clip
