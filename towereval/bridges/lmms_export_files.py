"""The texts of a task's files for lmms-eval: a YAML a language, their group's, and the hooks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from towereval import __version__
from towereval.types import Decoding, Metric, Task

HIGHER = {"larger": True, "smaller": False, "neither": None}
YAML = """\
task: {name}
dataset_path: parquet
dataset_kwargs:
  data_files:
    test: {documents}
test_split: test
output_type: generate_until
doc_to_messages: !function hooks.messages
doc_to_visual: !function hooks.pictures
doc_to_text: !function hooks.text
doc_to_target: !function hooks.references
process_results: !function hooks.judged
generation_kwargs: {decoding}
reasoning_tags: none  # answers are scored whole, as by towereval
cluster_key: cluster
metric_list:
{metrics}
metadata: {metadata}
"""
METRIC = """\
  - metric: {name}
    aggregation: !function hooks.{function}
    higher_is_better: {higher}
"""
GROUP = """\
group: {name}
task: {tasks}
aggregate_metric_list:
{metrics}
metadata: {metadata}
"""
MEAN = """\
  - metric: {name}
    aggregation: mean
    weight_by_size: false
"""
HOOKS = '''\
"""{reference} for lmms-eval, written by `towereval export-task` of towereval {towereval}.

Needs towereval installed beside lmms-eval: prompts and scores are its own.
"""

from towereval.bridges.lmms_exported import open_exported

task = open_exported(
    __file__,
    {reference!r},
    version={version},
    signatures={signatures!r},
)


def messages(document):
    return task.messages(document)


def pictures(document):
    return task.pictures(document)


def text(document):
    return task.text(document)


def references(document):
    return task.references(document)


def judged(document, answers):
    return task.judged(document, answers)
'''
AGGREGATE = """

def {function}(judged):
    return task.aggregated({name!r}, judged)
"""


def task_yaml(
    name: str,
    language: str,
    version: int,
    decoding: Decoding,
    metrics: Sequence[Metric],
    about: Mapping[str, Any],
) -> str:
    """One language of the task; `about` is for its metadata."""
    return YAML.format(
        name=f"{name}_{language}",
        documents=_json(f"{language}.parquet"),
        decoding=_json(_settings(decoding)),
        metrics="".join(_metric(metric) for metric in metrics).rstrip(),
        metadata=_json({"version": version, "towereval": about}),
    )


def group_yaml(
    name: str,
    languages: Sequence[str],
    version: int,
    metrics: Sequence[Metric],
    about: Mapping[str, Any],
) -> str:
    """All languages, whose unweighted mean is the group's value."""
    return GROUP.format(
        name=name,
        tasks=_json([f"{name}_{language}" for language in languages]),
        metrics="".join(MEAN.format(name=_json(metric.name)) for metric in metrics).rstrip(),
        metadata=_json({"version": version, "towereval": about}),
    )


def hooks(task: Task, metrics: Sequence[Metric]) -> str:
    """The Python file that the YAML files name."""
    head = HOOKS.format(
        reference=f"{task.name}@{task.variant}",
        towereval=__version__,
        version=task.version,
        signatures={metric.name: metric.signature for metric in metrics},
    )
    return head + "".join(
        AGGREGATE.format(function=_function(metric), name=metric.name) for metric in metrics
    )


def _settings(decoding: Decoding) -> dict[str, Any]:
    """Their names. `until` is said where it is empty, too: they would add a blank line."""
    return {
        "max_new_tokens": decoding.max_tokens,
        "temperature": decoding.temperature,
        "do_sample": decoding.temperature > 0,
        "until": list(decoding.stop),
    }


def _metric(metric: Metric) -> str:
    return METRIC.format(
        name=_json(metric.name), function=_function(metric), higher=_json(HIGHER[metric.better])
    )


def _function(metric: Metric) -> str:
    return "aggregated_" + re.sub(r"\W", "_", metric.name)


def _json(value: object) -> str:
    """JSON is YAML, as long as characters beyond 16 bits are not written as two escapes."""
    return json.dumps(value, ensure_ascii=False)
