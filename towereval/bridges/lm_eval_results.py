"""What results files of lm-evaluation-harness and lmms-eval say of one task."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towereval.bridges.lmms_results import About, read_results
from towereval.errors import DataError
from towereval.types import Better, digest

# What of a task's configuration decides what is asked and how an answer is judged.
_PROTOCOL = (
    *("doc_to_text", "doc_to_target", "doc_to_choice", "description", "target_delimiter"),
    *("fewshot_delimiter", "generation_kwargs", "filter_list", "metric_list", "output_type"),
    *("repeats", "process_results", "process_docs", "gen_prefix", "lmms_eval_specific_kwargs"),
)
# By what is said of whether higher is better.
_BETTER: Mapping[object, Better] = {True: "larger", False: "smaller", None: "neither"}
# On the model's side, beside its name.
_SETTINGS = ("model", "gen_kwargs", "random_seed", "fewshot_seed")


@dataclass(frozen=True, slots=True)
class LoggedMetric:
    """One number of the results: a metric under a filter, "none" where there is none."""

    name: str
    filter: str
    value: float
    better: Better

    @property
    def ours(self) -> str:
        return self.name if self.filter == "none" else f"{self.name}.{self.filter}"


@dataclass(frozen=True, slots=True)
class Told:
    """A results file's words about one of its tasks."""

    about: About
    task: str

    @property
    def config(self) -> Mapping[str, Any]:
        return self._of_task("configs")

    @property
    def metadata(self) -> Mapping[str, Any]:
        """A list of objects in lmms-eval, one object in lm-eval."""
        found = self.config.get("metadata")
        parts = found if isinstance(found, list) else [found]
        return {key: one[key] for one in parts if isinstance(one, Mapping) for key in one}

    @property
    def harness_version(self) -> str:
        content = self.about.content
        return str(content.get("lm_eval_version") or content.get("lmms_eval_version") or "")

    @property
    def version(self) -> str:
        """The task's own, which its authors move when its scores could move."""
        found = self.about.content.get("versions")
        return str(found.get(self.task, "")) if isinstance(found, Mapping) else ""

    @property
    def variant(self) -> str:
        """Examples in the prompt, and a digest of the configuration that a prompt follows from."""
        shots = self.config.get("num_fewshot") or 0
        asked = {name: self.config.get(name) for name in _PROTOCOL}
        # A function is told by its name and by where it lay in memory.
        told = re.sub(r" at 0x[0-9a-f]+", "", str(sorted(asked.items(), key=str)))
        return f"{shots}-shot-{digest([self.version, told])[:8]}"

    @property
    def settings(self) -> dict[str, Any]:
        config = self.about.content.get("config")
        config = config if isinstance(config, Mapping) else {}
        shas = ("chat_template_sha", "system_instruction_sha")
        return {
            **{name: config.get(name) for name in _SETTINGS},
            # May hold a token.
            "model_digest": digest(config.get("model_args"))[:16],
            **{name: self.about.content.get(name) for name in shas},
        }

    def metrics(self) -> Iterator[LoggedMetric]:
        """All numbers but standard errors."""
        higher = self._of_task("higher_is_better")
        for key, value in self._of_task("results").items():
            name, comma, applied = key.partition(",")
            if not comma or name.endswith("_stderr") or isinstance(value, bool):
                continue
            if isinstance(value, int | float):
                yield LoggedMetric(name, applied, float(value), _BETTER[higher.get(name, True)])

    def started(self, stamp: str) -> str:
        """ISO 8601; a harness names its files by the local time at which it wrote them.

        Raises `DataError`.
        """
        date = self.about.content.get("date")
        try:
            if isinstance(date, int | float):
                return datetime.fromtimestamp(date, UTC).isoformat(timespec="seconds")
            if re.fullmatch(r"\d{8}_\d{6}", stamp):
                return datetime.strptime(stamp, "%Y%m%d_%H%M%S").replace(tzinfo=UTC).isoformat()
            day, _, time = stamp.partition("T")
            found = datetime.fromisoformat(f"{day}T{time.replace('-', ':')}")
        except (ValueError, OverflowError, OSError) as error:
            raise DataError(
                f"{self.about.file}: neither date nor name is a time: {error}"
            ) from error
        return found.replace(tzinfo=UTC).isoformat(timespec="seconds")

    def limit(self, found: int) -> int | None:
        """How many documents the run was cut to. Raises `DataError` where the log is not whole."""
        wanted = self.about.rows.get(self.task)
        where = f"{self.about.file}: its log of {self.task!r:.100}"
        if wanted is None:
            raise DataError(f"{self.about.file}: n-samples has no {self.task!r:.100}")
        if found != wanted:
            raise DataError(f"{where} has {found} of {wanted} documents: copy it whole")
        return found if self.about.limit is not None or found < self._original() else None

    def _original(self) -> int:
        """Without `--limit` and `--samples`."""
        counts = self.about.content["n-samples"][self.task]
        original = counts.get("original", 0)
        return original if isinstance(original, int) else 0

    def _of_task(self, part: str) -> Mapping[str, Any]:
        """Raises `DataError`."""
        parts = self.about.content.get(part)
        found = parts.get(self.task) if isinstance(parts, Mapping) else None
        if not isinstance(found, Mapping):
            if part == "higher_is_better":
                return {}
            raise DataError(f"{self.about.file}: {part} has no {self.task!r:.100}")
        return found


def read_told(file: Path, task: str) -> Told:
    """Raises `DataError`."""
    return Told(read_results(file), task)
