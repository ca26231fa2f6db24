"""CC-OCR: what is asked in seven languages, and which rows are left out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from towereval import plugins
from towereval.bridges.lmms_eval import LogSource, find_logs, read_log
from towereval.data.folder import FolderSource
from towereval.data.media import image_bytes
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("cc_ocr")

FILE = "multi_lan_ocr/test.jsonl"
PICTURE = b"a picture's bytes"
QUESTION = (
    "Please output only the text content from the image without any additional descriptions or"
    " formatting."
)
ROW: dict[str, object] = {
    "index": 300,
    "image": base64.b64encode(PICTURE).decode(),
    "image_name": "German_test_0.jpg",
    "question": QUESTION,
    "answer": "Straße 12\nGRÜN",
    "category": "multi_lan_ocr",
    "l2-category": "ocr",
    "split": "German",
}
ENDING = "\nAnswer by providing the text directly."


def test_a_split_that_is_no_text_is_named(local: Local) -> None:
    with pytest.raises(DataError, match="column split: wanted a text, found list"):
        list(TASK.samples(local({FILE: [{**ROW, "split": ["German"]}]}), TASK.languages))


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    (sample,) = TASK.samples(local({FILE: [ROW]}), TASK.languages)
    german = f"{QUESTION}\nAnswer by providing the text in the image directly."
    assert sample == Sample(
        id="German_test_0.jpg",
        language="de",
        prompt=(Message("user", (image_bytes(PICTURE), Text(german))),),
        references=("Straße 12\nGRÜN",),
        cluster=hashlib.sha256(PICTURE).hexdigest(),
        meta={"level": "word"},
    )
    assert list(TASK.requests(sample)) == [
        Request("German_test_0.jpg", sample.prompt, Decoding(max_tokens=1024, stop=()))
    ]


@pytest.mark.parametrize(
    ("split", "language", "ending", "level"),
    [
        ("German", "de", "\nAnswer by providing the text in the image directly.", "word"),
        ("French", "fr", ENDING, "word"),
        ("Italian", "it", ENDING, "word"),
        ("Russian", "ru", ENDING, "word"),
        ("Spanish", "es", ENDING, "word"),
        ("Korean", "ko", ENDING, "char"),
        ("Portuguese", "pt", ENDING, "word"),
    ],
)
def test_each_language_ends_its_prompt_and_is_compared_in_its_way(
    local: Local, split: str, language: str, ending: str, level: str
) -> None:
    row = {**ROW, "split": split, "image_name": f"{split}_test_0.jpg"}
    (sample,) = TASK.samples(local({FILE: [row]}), TASK.languages)
    assert (sample.language, sample.meta) == (language, {"level": level})
    assert sample.prompt[0].parts[1] == Text(QUESTION + ending)


def test_the_languages_are_those_of_the_paper() -> None:
    assert TASK.languages == ("de", "fr", "it", "ru", "es", "ko", "pt")


def test_other_languages_and_rows_without_an_answer_are_left_out(local: Local) -> None:
    others = [{**ROW, "split": split} for split in ("Arabic", "Japanese", "Vietnamese", "zh_dense")]
    null = {**ROW, "split": "Portuguese", "answer": None}
    empty = {**ROW, "split": "Portuguese", "answer": "", "image_name": "Portuguese_test_9.jpg"}
    source = local({FILE: [*others, null, empty, ROW]})
    found = [(sample.id, sample.references) for sample in TASK.samples(source, TASK.languages)]
    assert found == [
        ("Portuguese_test_9.jpg", ("",)),
        ("German_test_0.jpg", ("Straße 12\nGRÜN",)),
    ]


def test_only_the_languages_that_are_asked(local: Local) -> None:
    source = local({FILE: [ROW, {**ROW, "split": "Korean"}, {**ROW, "split": "French"}]})
    assert [sample.language for sample in TASK.samples(source, ["ko", "fr"])] == ["ko", "fr"]


def test_a_picture_that_is_no_base64_is_told(local: Local) -> None:
    source = local({FILE: [{**ROW, "image": "images/a.png"}]})
    with pytest.raises(DataError, match=r"cc_ocr: column image holds no base64: 'images/a\.png'"):
        list(TASK.samples(source, TASK.languages))


@pytest.mark.parametrize(
    "checkpoint", ["towerp_2b_base_english", "towerp_2b_instruct", "towerp_9b_instruct"]
)
def test_the_prompts_are_those_of_the_authors_logs(shared: Path, checkpoint: str) -> None:
    logs, _ = find_logs(shared / "data/towervision_logs" / checkpoint / "cc-ocr-multi-lan")
    counts = {}
    for log in logs:
        counts[log.language] = 0
        for index, row in read_log(log):
            for sample in TASK.samples(LogSource(log, index, row), [log.language]):
                assert sample.prompt[0].parts[1] == Text(row["input"])
                assert sample.references == (row["target"],)
                counts[log.language] += 1
    assert counts == {**dict.fromkeys(("de", "es", "fr", "it", "ko", "ru"), 150), "pt": 149}
