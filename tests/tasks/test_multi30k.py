"""Multi30K: one caption asked in three languages, which count as one item."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from towereval import plugins
from towereval.bridges.lmms_eval import LogSource, find_logs, read_log
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.types import Decoding, Message, Request, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("multi30k")

ENGLISH = "A man in an orange hat starring at something."
ROW: dict[str, object] = {
    "image": "red.png",
    "en": ENGLISH,
    "de": "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.",
    "fr": "Un homme avec un chapeau orange regardant quelque chose.",
    "cs": "Muž v oranžovém klobouku na něco zírá.",
}


def test_a_row_becomes_a_sample_in_each_language(local: Local) -> None:
    source = local({"test.jsonl": [{**ROW, "en": "Another."}, ROW]})
    picture = image_file(source.folder / "red.png")
    samples = list(TASK.samples(source, TASK.languages))
    assert samples[3:] == [
        Sample(
            id="1",
            language=language,
            prompt=(
                Message(
                    "user",
                    (
                        picture,
                        Text(
                            "Translate the following source text from English to"
                            f" {english}:\n{ENGLISH}"
                        ),
                    ),
                ),
            ),
            references=(str(ROW[language]),),
            cluster="1",
            meta={"source": ENGLISH},
        )
        for language, english in (("cs", "Czech"), ("de", "German"), ("fr", "French"))
    ]
    assert list(TASK.requests(samples[3])) == [
        Request("1", samples[3].prompt, Decoding(max_tokens=128, stop=()))
    ]


def test_one_caption_in_all_languages_is_one_cluster(local: Local) -> None:
    samples = list(TASK.samples(local({"test.jsonl": [ROW, ROW]}), TASK.languages))
    found = [(sample.language, sample.id, sample.cluster) for sample in samples]
    assert found == [(code, row, row) for row in ("0", "1") for code in ("cs", "de", "fr")]


def test_only_the_languages_that_are_asked(local: Local) -> None:
    source = local({"test.jsonl": [{"image": "red.png", "en": "A dog.", "fr": "Un chien."}]})
    assert [sample.references for sample in TASK.samples(source, ["fr"])] == [("Un chien.",)]


@pytest.mark.parametrize(
    "checkpoint", ["towerp_2b_base_english", "towerp_2b_instruct", "towerp_9b_instruct"]
)
def test_the_prompts_are_those_of_the_authors_logs(shared: Path, checkpoint: str) -> None:
    logs, _ = find_logs(shared / "data/towervision_logs" / checkpoint / "multi30k-all")
    counts = {}
    for log in logs:
        counts[log.language] = 0
        for index, row in read_log(log):
            (sample,) = TASK.samples(LogSource(log, index, row), [log.language])
            assert sample.prompt[0].parts[1] == Text(row["input"])
            assert sample.references == (row["target"],)
            assert sample.id == str(row["doc_id"])
            counts[log.language] += 1
    assert counts == {"cs": 1000, "de": 1000, "fr": 1000}
