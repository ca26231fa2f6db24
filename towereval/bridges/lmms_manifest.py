"""What lmms-eval finds of towereval, where both are installed: a model of that name.

Its entry point in pyproject.toml names `manifest`; lmms-eval calls it whenever it lists models, so
nothing but the class's name is told.
"""

from __future__ import annotations

from typing import Any


def manifest() -> Any:
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(
        model_id="towereval", chat_class_path="towereval.bridges.lmms_model.TowerevalModel"
    )
