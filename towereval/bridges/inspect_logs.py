"""Logs of inspect_ai: each scorer's scores, by sample, the mean over its epochs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towereval.as_logged import NO_SCORE, LoggedTask, metric_of, plain_name, signature_of
from towereval.bridges.eval_archive import Member, Reader, opened
from towereval.bridges.inspect_samples import (
    answer_of,
    content_of,
    mean_of,
    prompt_of,
    references_of,
    scores_of,
)
from towereval.bridges.lm_eval_rows import own_of
from towereval.bridges.logged_languages import COLUMNS, Rule, find_rule, split_of
from towereval.bridges.logged_runs import About, Answer, Document
from towereval.errors import DataError
from towereval.types import digest

HARNESS = "inspect"


@dataclass(slots=True)
class Epochs:
    """One sample's epochs: where they are, and what was made of each."""

    members: dict[int, Member] = field(default_factory=dict)
    scores: dict[str, list[float | str]] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True, slots=True)
class InspectLog:
    about: About
    task: LoggedTask
    rule: Rule
    samples: Mapping[str, Epochs] = field(repr=False)

    def documents(self) -> Iterator[Document]:
        metrics = [metric.name for metric in self.task.metrics]
        with opened(self.about.file) as reader:
            for name, epochs in self.samples.items():
                found = [reader.sample(epochs.members[epoch]) for epoch in sorted(epochs.members)]
                yield _document(name, found, epochs, self.rule.language(epochs.columns), metrics)


def _document(
    name: str, found: list[dict[str, Any]], epochs: Epochs, language: str, metrics: list[str]
) -> Document:
    answers: tuple[Answer, ...] = tuple(map(answer_of, found))
    failed = next((one.error for one in answers if one.error), "")
    scores: dict[str, float | str] = {
        metric: failed or mean_of(epochs.scores.get(metric, [NO_SCORE])) for metric in metrics
    }
    choices = found[0].get("choices")
    metadata = found[0].get("metadata")
    own = own_of(metadata if isinstance(metadata, Mapping) else {})
    return Document(
        name,
        language,
        prompt_of(found[0]),
        references_of(found[0]),
        answers,
        scores,
        content_of(found[0]),
        tuple(map(str, choices)) if isinstance(choices, list) else (),
        **own,
    )


def open_log(file: Path, languages: Mapping[str, str]) -> InspectLog:
    """`languages`: what the user says, by task, "" for all. Raises `DataError`, `UsageError`."""
    with opened(file) as reader:
        try:
            return _read(reader, languages)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise DataError(f"{file}: not what inspect writes: {reason}") from error


def _read(reader: Reader, languages: Mapping[str, str]) -> InspectLog:
    header, spec = reader.header, reader.header["eval"]
    if header.get("status") != "success":
        raise DataError(
            f"{reader.file}: its run ended as {header.get('status')!r:.40}: finish it with inspect"
            " eval-retry"
        )
    name = str(spec["task"])
    metadata = header.get("metadata") or spec.get("metadata")
    told = metadata.get("towereval") if isinstance(metadata, Mapping) else None
    of_task = told.get("language_column", "") if isinstance(told, Mapping) else ""
    samples = _gather(reader, {*COLUMNS, str(of_task)})
    columns = [epochs.columns for epochs in samples.values()]
    rule = find_rule(name, languages.get(name) or languages.get("", ""), told, columns)
    scores: dict[str, list[float]] = {}
    for epochs in samples.values():
        for metric, given in epochs.scores.items():
            taken = scores.setdefault(metric, [])
            taken += [one for one in given if not isinstance(one, str)]
    found = {metric: values for metric, values in scores.items() if values}
    if not found:
        raise DataError(f"{reader.file}: no sample has a score: score it with inspect score")
    signatures = [
        signature_of(metric, _rule(spec, metric), values) for metric, values in found.items()
    ]
    codes = tuple(dict.fromkeys(map(rule.language, columns)))
    task = LoggedTask(
        f"{HARNESS}:{plain_name(name)}", _variant(header), tuple(map(metric_of, signatures)), codes
    )
    return InspectLog(_about(reader, samples, rule, split_of(told), [*found]), task, rule, samples)


def _gather(reader: Reader, wanted: set[str]) -> dict[str, Epochs]:
    """All samples' places and scores. Raises `DataError` where some are missing or twice there."""
    samples: dict[str, Epochs] = {}
    for member in reader.samples:
        sample = reader.sample(member)
        try:
            name, epoch = str(sample["id"]), int(sample["epoch"])
            references_of(sample), prompt_of(sample)
            scores = dict(scores_of(sample))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise DataError(
                f"{reader.file}: {member.name:.100} is no sample ({reason}): score it again"
            ) from error
        epochs = samples.setdefault(name, Epochs())
        if epoch in epochs.members:
            raise DataError(f"{reader.file}: sample {name!r:.80} is there twice in epoch {epoch}")
        epochs.members[epoch] = member
        for metric, score in scores.items():
            epochs.scores.setdefault(metric, []).append(score)
        metadata = sample.get("metadata")
        if isinstance(metadata, Mapping):
            epochs.columns = {key: metadata[key] for key in wanted.intersection(metadata)}
        epochs.failed |= bool(answer_of(sample).error)
    return samples


def _about(
    reader: Reader, samples: Mapping[str, Epochs], rule: Rule, split: str, metrics: list[str]
) -> About:
    spec = reader.header["eval"]
    config = spec.get("config") or {}
    cut = config.get("limit") is not None or config.get("sample_id") is not None
    wanted = spec.get("dataset", {}).get("samples")
    if not cut and isinstance(wanted, int) and len(samples) != wanted:
        raise DataError(
            f"{reader.file}: {len(samples)} of {wanted} samples are in it: copy it whole"
        )
    asked = int(config.get("epochs") or 1)
    short = [name for name, epochs in samples.items() if len(epochs.members) != asked]
    if short:
        raise DataError(f"{reader.file}: sample {short[0]!r:.80} has not its {asked} epochs")
    packages = spec.get("packages") or {}
    settings = {
        "epochs": asked,
        "model_generate_config": spec.get("model_generate_config"),
        # May hold a token or an address that is nobody's business.
        "model_digest": digest([spec.get("model_args"), spec.get("model_base_url")])[:16],
    }
    return About(
        reader.file,
        HARNESS,
        str(packages.get("inspect_ai", "")),
        str(spec.get("model", "")),
        _moment(str(spec["created"])),
        len(samples) if cut else None,
        rule.by,
        split,
        settings,
        tuple(_notices(reader, samples, metrics)),
    )


def _notices(reader: Reader, samples: Mapping[str, Epochs], metrics: list[str]) -> Iterator[str]:
    """Where our numbers differ from those of the log, and what there is that is no number."""
    reducers = (reader.header["eval"].get("config") or {}).get("epochs_reducer")
    if reducers and reducers != ["mean"]:
        yield f"epochs are reduced by {', '.join(map(str, reducers))} there, by their mean here"
    if some := sum(epochs.failed for epochs in samples.values()):
        yield f"{some} samples have an error: they failed, and no score of theirs is taken"
    names = {metric for epochs in samples.values() for metric in epochs.scores}
    for metric in sorted(names.difference(metrics)):
        yield f"{metric} is not taken: none of its scores is a number"
    for metric in sorted({name for name, _ in _logged(reader.header)}.difference(names, metrics)):
        yield f"{metric} is not taken: no sample has a score of it"
    for metric, value in _logged(reader.header):
        if metric not in metrics or value is None:
            continue
        means = [
            mean
            for epochs in samples.values()
            if not epochs.failed
            and not isinstance(mean := mean_of(epochs.scores.get(metric, [NO_SCORE])), str)
        ]
        ours = math.fsum(means) / len(means) if means else math.nan
        if not math.isclose(ours, value, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{metric} is {value:.6g} there, the mean of its samples' scores here {ours:.6g}"


def _logged(header: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Their means and accuracies by our metrics' names, None where they have no such."""
    results = header.get("results")
    for score in results.get("scores", []) if isinstance(results, Mapping) else []:
        name, scorer = str(score.get("name")), str(score.get("scorer"))
        ours = plain_name(name if name == scorer else f"{scorer}.{name}")
        metrics = (score.get("metrics") or {}).values()
        told = [one.get("value") for one in metrics if one.get("name") in ("accuracy", "mean")]
        numbers = [one for one in told if isinstance(one, int | float)]
        yield ours, float(numbers[0]) if numbers else None


def _rule(spec: Mapping[str, Any], metric: str) -> list[str]:
    """The task's version, which its authors move, and a digest of the scorer's options."""
    for scorer in spec.get("scorers") or []:
        name = plain_name(str(scorer.get("name")))
        if metric == name or metric.startswith(f"{name}."):
            options = scorer.get("options")
            told = [f"options:{digest(options)[:8]}"] if options else []
            return [HARNESS, f"task:{spec.get('task_version', 0)}", *told]
    return [HARNESS, f"task:{spec.get('task_version', 0)}"]


def _variant(header: Mapping[str, Any]) -> str:
    """Version, and a digest of what the task was called with and what its solvers do."""
    spec = header["eval"]
    steps = (header.get("plan") or {}).get("steps") or []
    solvers = [[step.get("solver"), step.get("params")] for step in steps]
    asked = [spec.get("task_args"), spec.get("solver"), spec.get("solver_args"), solvers]
    version = plain_name(str(spec.get("task_version", 0)))
    return f"v{version}-{digest(asked)[:8]}"


def _moment(text: str) -> str:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat(timespec="seconds")
