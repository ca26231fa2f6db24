"""The harness against lmms-eval's own vLLM models: same pictures, tiny model and engine settings.

    python benchmarks/against_lmms_eval.py [--pictures 600] [--shared 128] [--chat 32]
                                           [--repetitions 3]

`benchmarks/lmms_eval_vllm.sh FOLDER` makes the environment, which TOWEREVAL_LMMS_EVAL_PYTHON names.
Three cases, in each of which the two sides take turns, each in a process of its own:

    vllm           their default, a chat of base64 PNGs, about `--chat` pictures
    vllm_generate  their fastest, about `--pictures` pictures
    vllm_generate  about `--shared` pictures in seven languages

Both of their models get all requests as one batch, which suits them best. The clock runs from the
first request to the end of the run, on both sides. Exits with 1 where an answer differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from asking import Setup, asked
from made_pictures import QUESTIONS, write_pictures
from measure import Clock, publish, table

from towereval.environments import LMMS_EVAL, python_of
from towereval.subject import find_subject

TASK = "made_up_pictures"
YAML = f"""\
task: {TASK}
dataset_path: json
dataset_kwargs:
  data_files:
    test: test.jsonl
test_split: test
output_type: generate_until
doc_to_visual: !function made_up.doc_to_visual
doc_to_text: question
doc_to_target: question
process_results: !function made_up.process_results
generation_kwargs:
  max_new_tokens: 16
  temperature: 0
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""
CODE = """\
from pathlib import Path

from PIL import Image


def doc_to_visual(doc):
    with Image.open(Path(__file__).parent / doc["picture"]) as picture:
        return [picture.convert("RGB")]


def process_results(doc, results):
    return {"exact_match": float(results[0] == "a picture")}
"""
# The tiny model's own takes a message as a string, for which lmms-eval has no place.
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] | trim }}{% endif %}"
    "{% endfor %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
ENGINE = {"max_model_len": 512, "max_num_seqs": 64, "dtype": "float32"}
# What the harness sets of its own on a CPU, and its limits of one picture and no clip.
THEIRS = {
    **ENGINE,
    "enforce_eager": True,
    "enable_chunked_prefill": False,
    "distributed_executor_backend": "uni",
    "max_new_tokens": 16,
}
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
}


@dataclass(frozen=True, slots=True)
class Side:
    """`whole` is the command from its start to its end."""

    requests: int
    wall: float
    cpu: float
    peak_gb: float
    answers: str
    whole: Clock


@dataclass(frozen=True, slots=True)
class Case:
    """One of lmms-eval's models and the harness, about the same pictures."""

    theirs: str
    pictures: int
    languages: tuple[str, ...]
    runs: dict[str, list[Side]] = field(default_factory=lambda: {"lmms-eval": [], "towereval": []})

    def turn(self, place: Path, model: Path, python: Path, number: int) -> None:
        data = place / f"{self.pictures}-{len(self.languages)}"
        if not data.exists():
            write_task(data, self.pictures, self.languages)
        for side in sorted(self.runs, reverse=number % 2 == 1):
            began = Clock.now()
            if side == "towereval":
                setup = Setup("harness", str(data), str(model), self.languages, "vllm", ENGINE)
                ran = asked(setup)
                found = (ran.requests, ran.wall, ran.cpu, ran.peak_gb, ran.answers)
            else:
                found = self._lmms_eval(data, model, python)
            self.runs[side].append(Side(*found, Clock.now() - began))

    def _lmms_eval(
        self, data: Path, model: Path, python: Path
    ) -> tuple[int, float, float, float, str]:
        settings = ",".join(f"{key}={value}" for key, value in {"model": model, **THEIRS}.items())
        settings += ',limit_mm_per_prompt={"image": 1}'
        done = subprocess.run(
            [
                *(python, Path(__file__).with_name("lmms_eval_side.py"), data / "test.jsonl"),
                *("--model", self.theirs, "--model_args", settings),
                *("--tasks", TASK, "--include_path", data, "--output_path", data / "logs"),
                *("--batch_size", str(self.pictures * len(self.languages)), "--log_samples"),
            ],
            env={
                **os.environ,
                **ENVIRONMENT,
                "PYTHONPATH": str(Path(__file__).parents[1]),
                "HF_HOME": str(data / "hub"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"lmms-eval {self.theirs}: failed\n{done.stderr[-3000:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        return tuple(told[key] for key in ("requests", "wall", "cpu", "peak_gb", "answers"))

    @property
    def equal(self) -> bool:
        return len({run.answers for runs in self.runs.values() for run in runs}) == 1

    def lines(self) -> list[list[str]]:
        names = {"lmms-eval": f"lmms-eval `{self.theirs}`", "towereval": "towereval"}
        what = f"{self.pictures} pictures, {_languages(self.languages)}"
        return [[what, names[side], *_figures(runs)] for side, runs in self.runs.items()]

    def told(self) -> str:
        pairs = list(zip(self.runs["lmms-eval"], self.runs["towereval"], strict=True))
        cpu = median(theirs.cpu / ours.cpu for theirs, ours in pairs)
        wall = median(theirs.wall / ours.wall for theirs, ours in pairs)
        whole = median(theirs.whole.wall / ours.whole.wall for theirs, ours in pairs)
        return (
            f"Against `{self.theirs}`, {_languages(self.languages)}, median of {len(pairs)} pairs:"
            f" {cpu:.2f}x less CPU, {wall:.2f}x the speed by wall ({whole:.2f}x with both commands'"
            f" start); answers {'equal' if self.equal else 'DIFFER'}."
        )


def write_task(folder: Path, pictures: int, languages: Sequence[str]) -> None:
    """A folder for lmms-eval's `--include_path`, with the pictures in it."""
    write_pictures(folder, pictures, languages)
    (folder / "made_up.yaml").write_text(YAML, encoding="utf-8")
    (folder / "made_up.py").write_text(CODE, encoding="utf-8")


def _languages(codes: Sequence[str]) -> str:
    return "1 language" if len(codes) == 1 else f"{len(codes)} languages"


def _figures(runs: Sequence[Side]) -> list[str]:
    cpu = median(run.cpu for run in runs)
    return [
        f"{median(run.wall for run in runs):.2f} ({' '.join(f'{run.wall:.2f}' for run in runs)})",
        f"{cpu:.2f} ({' '.join(f'{run.cpu:.2f}' for run in runs)})",
        f"{1e3 * cpu / runs[0].requests:.1f}",
        f"{max(run.peak_gb for run in runs):.2f}",
        f"{median(run.whole.wall for run in runs):.1f}",
        f"{median(run.whole.cpu for run in runs):.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--shared", type=int, default=128)
    parser.add_argument("--chat", type=int, default=32)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    python = python_of(LMMS_EVAL)
    if python is None:
        sys.exit("no lmms-eval: benchmarks/lmms_eval_vllm.sh FOLDER makes its environment")
    cases = [
        Case("vllm", options.chat, ("en",)),
        Case("vllm_generate", options.pictures, ("en",)),
        Case("vllm_generate", options.shared, tuple(QUESTIONS)),
    ]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        model = find_subject("tiny", "vllm", {}).model
        assert model is not None
        shutil.copytree(model.folder, place / "model")
        (place / "model" / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
        for number in range(options.repetitions):
            for case in cases:
                case.turn(place, place / "model", python, number)
    header = ["case", "side", "wall s, median (all)", "CPU s", "CPU ms a request", "peak GB"]
    header += ["whole command s", "its CPU s"]
    told = [
        table(header, [line for case in cases for line in case.lines()]),
        "lmms-eval 0.7.3. " + "\n".join(case.told() for case in cases),
    ]
    publish("against-lmms-eval", "\n\n".join(told))
    sys.exit(not all(case.equal for case in cases))


if __name__ == "__main__":
    main()
