"""Rows from the hub through `datasets`: by id, at a commit that the run's manifest records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towereval.data.folder import row_image, row_video, undecoded
from towereval.errors import DataError, MissingExtra
from towereval.types import Dataset, Image, Video


@dataclass(frozen=True, slots=True)
class HubSource:
    """`commits` fills as data sets are opened: repository -> commit that was read."""

    task: str
    commits: dict[str, str] = field(default_factory=dict)

    def rows(self, dataset: Dataset) -> Iterator[tuple[int, Mapping[str, Any]]]:
        try:
            import datasets
        except ImportError as error:
            raise MissingExtra("datasets", "data") from error
        asked = self._commit(dataset)
        try:
            found = datasets.load_dataset(
                dataset.repo, name=dataset.config or None, split=dataset.split, revision=asked
            )
        except Exception as error:  # each of the libraries below has errors of its own
            raise self._unavailable(dataset, error) from error
        self._check_commit(dataset, asked, found.cache_files)
        for index, row in enumerate(undecoded(found)):
            yield index, self._with_clips(dataset, row)

    def image(self, value: object) -> Image:
        if isinstance(value, Mapping) and value.get("path") and not value.get("bytes"):
            _check_downloaded(value["path"])
        return row_image(value)

    def video(self, value: object) -> Video:
        return row_video(value)

    def _commit(self, dataset: Dataset) -> str:
        """The commit behind the revision; the revision itself where there is no network."""
        if dataset.repo not in self.commits:
            import huggingface_hub
            from huggingface_hub.errors import OfflineModeIsEnabled

            try:
                info = huggingface_hub.HfApi().dataset_info(dataset.repo, revision=dataset.revision)
                self.commits[dataset.repo] = str(info.sha)
            except OfflineModeIsEnabled:
                self.commits[dataset.repo] = dataset.revision
            except Exception as error:  # the client lets errors of its HTTP library through
                raise self._unavailable(dataset, error) from error
        return self.commits[dataset.repo]

    def _check_commit(
        self, dataset: Dataset, asked: str, cached: Sequence[Mapping[str, str]]
    ) -> None:
        """`load_dataset` silently takes whatever commit is cached (huggingface/datasets#7928)."""
        found = {Path(file["filename"]).parent.name for file in cached}
        if re.fullmatch("[0-9a-f]{40}", asked) and found - {asked}:
            raise DataError(
                f"data set {dataset.repo}: wanted commit {asked}, the cache gave"
                f" {', '.join(found)}; try again when the hub can be reached, or give a local copy:"
                f" --data {self.task}=PATH"
            )
        if len(found) == 1:
            self.commits[dataset.repo] = found.pop()

    def _with_clips(self, dataset: Dataset, row: dict[str, Any]) -> dict[str, Any]:
        """A row names its clips by their path in the repository: download them."""
        from huggingface_hub import hf_hub_download

        for column in dataset.media:
            if isinstance(row.get(column), str):
                revision = self.commits[dataset.repo]
                try:
                    file = hf_hub_download(
                        dataset.repo, row[column], repo_type="dataset", revision=revision
                    )
                except Exception as error:  # as above
                    raise self._unavailable(dataset, error) from error
                row[column] = Path(file)
        return row

    def _unavailable(self, dataset: Dataset, error: Exception) -> DataError:
        reason = " ".join(str(error).split())[:160]
        return DataError(
            f"data set {dataset.repo} cannot be read from the hub ({type(error).__name__}:"
            f" {reason}); connect to the hub (HF_TOKEN for a gated one), or give a local copy:"
            f" --data {self.task}=PATH"
        )


def _check_downloaded(path: str) -> None:
    """A row from the hub must not name the user's own files: a served model would be sent them."""
    import datasets
    from huggingface_hub import constants

    caches = (constants.HF_HUB_CACHE, datasets.config.HF_DATASETS_CACHE)
    if not any(Path(path).resolve().is_relative_to(Path(cache).resolve()) for cache in caches):
        raise DataError(f"a row names {path}, which was not downloaded with the data set")
