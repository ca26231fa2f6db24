"""Logs by the real lm-evaluation-harness, under an interpreter that has it.

python make_lm_eval.py FOLDER writes FOLDER/short and FOLDER/long, the logs of two made models: one
prefers short options, the other long ones.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from lm_eval.__main__ import cli_evaluate
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

DOCUMENTS = (
    ("Wie viele Tage hat eine Woche?", ["drei", "sieben", "neun"], 1),
    ("Welche Farbe hat Schnee?", ["weiß", "rot", "blau"], 0),
    ("Wie heißt das Junge des Hundes?", ["Kalb", "Lamm", "Welpe"], 2),
    ("Wo geht die Sonne auf?", ["im Westen", "im Osten", "im Norden"], 1),
    ("Was trinkt ein Kalb?", ["Milch", "Tee", "Saft"], 0),
)
RANKED = """
task: weeks_de
dataset_path: json
dataset_kwargs: {data_files: {test: documents.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "Frage: {{question}} Antwort:"
doc_to_choice: "{{options}}"
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata: {version: 1.0}
"""
OPEN = """
task: weeks_open
dataset_path: json
dataset_kwargs: {data_files: {test: documents.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "Frage: {{question}} Antwort:"
doc_to_target: "{{options[answer]}}"
generation_kwargs: {until: ["."], do_sample: false}
filter_list:
  - {name: strict, filter: [{function: take_first}]}
  - {name: last, filter: [{function: regex, regex_pattern: "(\\\\w+)$"}, {function: take_first}]}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true}
  - {metric: bleu, aggregation: bleu, higher_is_better: true}
metadata: {version: 2.0, towereval: {language: de}}
"""


class Made(LM):
    sign = -1.0

    def __init__(self, **settings):
        super().__init__()

    def loglikelihood(self, requests):
        return [(self.sign * len(each.args[1]), True) for each in requests]

    def loglikelihood_rolling(self, requests):
        raise AssertionError("no task here asks for it")

    def generate_until(self, requests):
        return ["Es sind sieben" if "Tage" in each.args[0] else "Milch" for each in requests]


@register_model("short")
class Short(Made):
    pass


@register_model("long")
class Long(Made):
    sign = 1.0


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    rows = [dict(zip(("question", "options", "answer"), row, strict=True)) for row in DOCUMENTS]
    (folder / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "weeks_de.yaml").write_text(RANKED)
    (folder / "weeks_open.yaml").write_text(OPEN)
    os.chdir(folder)
    for name in ("short", "long"):
        words = ["--tasks", "weeks_de,weeks_open", "--include_path", ".", "--log_samples"]
        sys.argv = ["lm_eval", "--model", name, "--output_path", name, *words]
        cli_evaluate()
