"""Real engines on tiny random-weight models, each started once a session, and what they are shown.

torch reads OMP_NUM_THREADS when it is imported; on two shared cores more than one thread is slower
by an order of magnitude.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil
from tiny_models import tiny_model

from towereval import engines
from towereval.data.media import image_file
from towereval.types import Engine, Image, Model

os.environ.setdefault("OMP_NUM_THREADS", "1")

Draw = Callable[[int], Image]
Start = Callable[..., Engine]

SIZES = ((56, 56), (100, 60), (60, 100), (200, 150), (97, 131))


@contextmanager
def quiet() -> Iterator[None]:
    """The libraries warn while they are imported and started; that is not for us to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="session")
def libraries() -> None:
    with quiet():
        for name in ("torch", "transformers", "vllm"):
            pytest.importorskip(name, reason=f"needs the cpu extra: {name} is not installed")


@pytest.fixture(scope="session")
def tiny(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return tiny_model(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def transformers_engine(tiny: Model) -> Iterator[Engine]:
    with closing(start("transformers", tiny)) as engine:
        yield engine


@pytest.fixture(scope="session")
def vllm_engine(tiny: Model) -> Iterator[Engine]:
    with closing(start("vllm", tiny)) as engine:
        yield engine


@pytest.fixture(params=["transformers", "vllm"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine that holds a model."""
    started: Engine = request.getfixturevalue(f"{request.param}_engine")
    return started


@pytest.fixture(scope="session")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Draw:
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


def start(kind: str, model: Model, engine_args: Mapping[str, Any] | None = None) -> Engine:
    with quiet():
        return engines.start(engines.find(kind), model, engine_args or {}, seed=0)
