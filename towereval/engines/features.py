"""What a model's first layer is given of a picture and of a text, pooled over tokens.

Needs a transformers class with `get_image_features`: its projected features, as the language model
gets them. Letters: T tokens, D the width of the language model.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from towereval.engines.prompts import decode_ahead
from towereval.engines.transformers import TransformersEngine
from towereval.errors import DataError, EngineError, UsageError
from towereval.types import Request

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pooled:
    """Means over the tokens of a request's pictures, and over those of its continuation."""

    image_D: Floats
    text_D: Floats


def pooled(engine: TransformersEngine, requests: Iterable[Request]) -> Iterator[Pooled]:
    """In the order of the requests, each with a picture and a continuation.

    Raises `UsageError` for a class that has no picture features to tell, `EngineError` for one
    that fails to, `DataError` for a picture that cannot be read.
    """
    network = engine.network
    if not hasattr(network, "get_image_features"):
        raise UsageError(
            f"{engine.model.name}: {type(network).__name__} has no get_image_features, so its"
            " picture features cannot be had"
        )
    taken = _taken(network)
    for decoded in decode_ahead(engine.model, requests):
        if decoded.error:
            raise DataError(f"sample {decoded.request.sample_id}: {decoded.error}")
        encoded = engine.encoder.encode(decoded)
        inputs = engine.inputs([decoded], [encoded])
        text_T = inputs["input_ids"][0, -encoded.continuation_tokens :]
        shown = {name: value for name, value in inputs.items() if name in taken}
        try:
            with torch.inference_mode():
                text_TD = network.get_input_embeddings()(text_T)
                image_TD = _tokens(network.get_image_features(**shown), text_TD.shape[-1])
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            raise EngineError(
                f"{type(network).__name__} does not give its picture features: {reason}"
            ) from error
        yield Pooled(_mean(image_TD), _mean(text_TD))


def _taken(network: Any) -> set[str]:
    """Which of the processor's outputs the class wants; some hand them on to an inner model."""
    layers = [each for each in (network, getattr(network, "model", None)) if each is not None]
    found = [getattr(each, "get_image_features", None) for each in layers]
    return {name for each in found if each for name in inspect.signature(each).parameters}


def _tokens(features: Any, width: int) -> torch.Tensor:
    """All of a prompt's picture tokens (T, D); classes give them as one tensor or one a picture."""
    found = getattr(features, "pooler_output", features)
    parts = found if isinstance(found, (list, tuple)) else [found]
    return torch.cat([part.reshape(-1, width) for part in parts])


def _mean(tokens_TD: torch.Tensor) -> Floats:
    return np.asarray(tokens_TD.double().mean(0).cpu().numpy(), np.float64)
