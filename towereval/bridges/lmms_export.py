"""Our tasks as folders that lmms-eval runs: `towereval export-task`.

A folder has a YAML file a language and one of the group of them, `hooks.py`, which calls
`lmms_exported.py`, the documents as parquet and the pictures as files:

    towereval_multi30k_towervision/{group.yaml, de.yaml, de.parquet, ..., hooks.py, pictures/}

What lmms-eval cannot say or would score otherwise is refused.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from towereval import __version__
from towereval.bridges.lmms_export_files import group_yaml, hooks, task_yaml
from towereval.errors import DataError, UsageError
from towereval.plan import Plan, chosen_tasks, source_of
from towereval.progress import Silence
from towereval.records import dump
from towereval.run import collect
from towereval.store import Store
from towereval.types import (
    CorpusMetric,
    Decoding,
    Image,
    JudgedMetric,
    LearnedMetric,
    Metric,
    Part,
    Request,
    Sample,
    Task,
)

# Their own tasks win over others of the same name, without a word.
PREFIX = "towereval"


@dataclass(frozen=True, slots=True)
class Written:
    """`name` is the group's; `counts` has the documents by language, `left_out` why a metric of
    the task is not among those exported.
    """

    folder: Path
    name: str
    counts: Mapping[str, int]
    left_out: Mapping[str, str]


def export_task(plan: Plan, output: Path) -> Written:
    """Write the plan's one task into a folder of its own below `output`.

    Raises `UsageError` for what lmms-eval cannot run as we do, `DataError` where data are missing.
    """
    (task,) = chosen_tasks(plan)
    metrics, left_out = _exportable(task)
    name = f"{PREFIX}_{task.name}_{task.variant}"
    folder = output / name
    if folder.exists():
        raise UsageError(f"{folder} is there already: remove it, or name another --output")
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".export-") as scratch:
            made = Path(scratch) / "task"
            (made / "pictures").mkdir(parents=True)
            counts = _write(plan, task, metrics, name, made, Path(scratch) / "store")
            made.rename(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error}") from error
    return Written(folder, name, counts, left_out)


def _exportable(task: Task) -> tuple[list[Metric], dict[str, str]]:
    """The metrics that score an answer by itself, and why the others are left out."""
    if ":" in task.name:
        raise UsageError(f"{task.name} is lmms-eval's own: it runs there as it is")
    if "+" in task.variant:
        _refuse(task, "it is a diagnosis of a benchmark and none itself")
    if "score" in task.needs:
        _refuse(task, "it compares log-likelihoods, which lmms-eval 0.7 hands to a task as text")
    left_out = {metric.name: reason for metric in task.metrics if (reason := _why_not(metric))}
    if len(left_out) == len(task.metrics):
        told = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        _refuse(task, f"none of its metrics scores an answer by itself ({told})")
    return [metric for metric in task.metrics if metric.name not in left_out], left_out


def _why_not(metric: Metric) -> str:
    if isinstance(metric, JudgedMetric):
        return "another model judges"
    if isinstance(metric, LearnedMetric):
        return "a learned model scores"
    return "it reads all answers together" if isinstance(metric, CorpusMetric) else ""


def _refuse(task: Task, reason: str) -> NoReturn:
    raise UsageError(f"{task.name}@{task.variant} cannot be exported to lmms-eval: {reason}")


def _write(
    plan: Plan, task: Task, metrics: Sequence[Metric], name: str, folder: Path, scratch: Path
) -> dict[str, int]:
    """All files of the task; how many documents each language has."""
    with Store(scratch) as store:  # as a run collects them: same samples, same digests
        sources = {task.name: source_of(plan, task)}
        digests = collect(store, plan, [task], sources, "", Silence())[task.name]
        documents: dict[str, list[dict[str, str]]] = {code: [] for code in digests}
        decodings: dict[str, Decoding] = {}
        for sample, request in _asked(task, store):
            decoding = decodings.setdefault(sample.language, request.decoding)
            if decoding != request.decoding:
                _refuse(task, "it asks for different decoding within a language, their format not")
            told = replace(sample, prompt=request.prompt)
            documents[sample.language].append(_document(told, folder))
    for code, rows in documents.items():
        _write_documents(rows, folder / f"{code}.parquet")
        about = _about(plan, task, metrics) | {"language": code, "data": digests[code]}
        content = task_yaml(name, code, task.version, decodings[code], metrics, about)
        (folder / f"{code}.yaml").write_text(content, encoding="utf-8")
    content = group_yaml(name, list(documents), task.version, metrics, _about(plan, task, metrics))
    (folder / "group.yaml").write_text(content, encoding="utf-8")
    (folder / "hooks.py").write_text(hooks(task, metrics), encoding="utf-8")
    return {code: len(rows) for code, rows in documents.items()}


def _asked(task: Task, store: Store) -> Iterator[tuple[Sample, Request]]:
    """Each sample with its one question."""
    for _, sample, _ in store.answered(task.name):
        requests = list(task.requests(sample))
        if len(requests) != 1:
            _refuse(task, f"it asks {len(requests)} questions about a sample, their format one")
        (request,) = requests
        if request.decoding.choices:
            _refuse(task, "it constrains the answer to choices, which their format cannot say")
        if any(not isinstance(part, Image) for part in request.media):
            _refuse(task, "it shows clips, of which their models take frames each in its own way")
        yield sample, request


def _document(sample: Sample, folder: Path) -> dict[str, str]:
    """The sample as JSON, its pictures copied and named by where they lie in the folder."""

    def kept(part: Part) -> Part:
        if not isinstance(part, Image):
            return part
        place = f"pictures/{part.sha256}"
        if not part.sha256:
            raise DataError(f"sample {sample.id}: the picture {part.source} cannot be read")
        if not (folder / place).exists():
            shutil.copyfile(part.source, folder / place)
        return Image(place, part.sha256)

    prompt = tuple(replace(each, parts=tuple(map(kept, each.parts))) for each in sample.prompt)
    text = dump(replace(sample, prompt=prompt))
    return {"id": sample.id, "language": sample.language, "sample": text}


def _write_documents(rows: Sequence[Mapping[str, str]], file: Path) -> None:
    """Columns of text whatever they hold: readers of JSON lines take some texts for dates."""
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema([(name, pyarrow.string()) for name in ("id", "language", "sample")])
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), file)


def _about(plan: Plan, task: Task, metrics: Sequence[Metric]) -> dict[str, Any]:
    return {
        "task": f"{task.name}@{task.variant}",
        "split": plan.split,
        "signatures": {metric.name: metric.signature for metric in metrics},
        "towereval": __version__,
    }
