"""Our tasks in lmms-eval: what the files call that `towereval export-task` writes.

Imported under lmms-eval's interpreter, where towereval is installed beside it; the core install is
enough. A document is a sample of ours, whose pictures are files beside the task's YAML. lmms-eval
hands over answers without the blanks around them, as every adapter of ours does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval import plugins
from towereval.data.media import decode_image
from towereval.errors import DataError, Unscorable, UsageError
from towereval.records import load_sample
from towereval.types import Image, Metric, Part, Response, Sample, Text


@dataclass(frozen=True, slots=True)
class Exported:
    """A task's hooks. `folder` holds the pictures, `metrics` are those that were exported."""

    folder: Path
    metrics: Mapping[str, Metric]

    def messages(self, document: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The prompt for their chat models."""
        return [
            {"role": message.role, "content": [self._content(part) for part in message.parts]}
            for message in _sample(document).prompt
        ]

    def pictures(self, document: Mapping[str, Any]) -> list[Any]:
        """For their simple models, which take pictures and text apart."""
        parts = [part for message in _sample(document).prompt for part in message.parts]
        return [self._picture(part) for part in parts if not isinstance(part, Text)]

    def text(self, document: Mapping[str, Any]) -> str:
        parts = [part for message in _sample(document).prompt for part in message.parts]
        return "".join(part.text for part in parts if isinstance(part, Text))

    def references(self, document: Mapping[str, Any]) -> list[str]:
        return list(_sample(document).references)

    def judged(self, document: Mapping[str, Any], answers: Sequence[str]) -> dict[str, Any]:
        """The sample's statistics by each metric that can judge it, as they are stored here.

        The one statistic of a mean is also its "score", of which lmms-eval makes standard errors.
        """
        sample = _sample(document)
        responses = [Response(sample.id, answers[0])]
        cluster = sample.cluster or f"{sample.language}/{sample.id}"
        found: dict[str, Any] = {}
        for name, metric in self.metrics.items():
            with suppress(Unscorable):  # such a sample is left out of the value, here and there
                if values := metric.sample(sample, responses):
                    score = {"score": values[0]} if metric.mean else {}
                    found[name] = {**score, "statistics": list(values), "cluster": cluster}
        return found

    def aggregated(self, name: str, judged: Sequence[Mapping[str, Any]]) -> float:
        """The metric's value of all samples that `judged` gave something for."""
        columns = zip(*(each["statistics"] for each in judged), strict=True)
        return self.metrics[name].corpus([math.fsum(column) for column in columns], len(judged))

    def _content(self, part: Part) -> dict[str, Any]:
        if isinstance(part, Text):
            return {"type": "text", "text": part.text}
        return {"type": "image", "url": self._picture(part)}

    def _picture(self, part: Part) -> Any:
        if not isinstance(part, Image):
            raise DataError(f"{self.folder}: a document shows what is no picture")
        return decode_image(Image(str(self.folder / part.source), part.sha256))


def open_exported(
    file: str, reference: str, *, version: int, signatures: Mapping[str, str]
) -> Exported:
    """The hooks for the YAML files beside `file`.

    Raises `UsageError` where this towereval would score otherwise than the one that exported.
    """
    task = plugins.load_task(reference)
    metrics = {metric.name: metric for metric in task.metrics if metric.name in signatures}
    here = {name: metric.signature for name, metric in metrics.items()}
    folder = Path(file).absolute().parent
    if (task.version, here) != (version, signatures):
        raise UsageError(
            f"{folder} was exported for {reference} in version {version} with {signatures}; the"
            f" towereval here has version {task.version} with {here}: export it again with this one"
        )
    return Exported(folder, metrics)


def _sample(document: Mapping[str, Any]) -> Sample:
    return load_sample(document["sample"])
