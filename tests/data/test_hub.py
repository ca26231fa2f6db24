"""The seven tasks read their data sets through the real `datasets`, from a hub on loopback.

huggingface_hub reads its environment when it is imported, so the libraries run in processes of
their own: this file, run as a script, is the client. It reads what to do as JSON and prints what
became of it.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil
from towereval.tasks.alm_bench import SPLITS as ALM_BENCH_SPLITS

from tests.hub_server import Hub, write_parquet
from towereval import plugins
from towereval.data import media
from towereval.data.hub import HubSource
from towereval.errors import DataError
from towereval.types import Dataset, Sample, Text, Video

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None or importlib.util.find_spec("av") is None,
    reason="needs the data extra: datasets, huggingface-hub and av",
)

REPOS = {
    "alm_bench": "sonalsannigrahi/alm-bench-lang-split",
    "alm_bench@official": "MBZUAI/ALM-Bench",
    "cc_ocr": "wulipc/CC-OCR",
    "commute": "Unbabel/commute_multimodal_mt",
    "multi30k": "romrawinjp/multi30k",
    "ocrbench": "echo840/OCRBench",
    "textvqa": "lmms-lab/textvqa",
    "vimul_bench": "MBZUAI/ViMUL-Bench",
}
SPOKEN = {"ar": "arabic", "bn": "bengali", "de": "german", "en": "english", "es": "spanish"}
SPOKEN |= {"fr": "french", "hi": "hindi", "ja": "japanese", "ru": "russian", "si": "sinhala"}
SPOKEN |= {"sv": "swedish", "ta": "tamil", "ur": "urdu", "zh": "chinese"}
CLIP_GREYS = (0, 64, 128, 192)


# --- the data sets, in the columns of the real ones ---


def png(*colour: int) -> bytes:
    stream = io.BytesIO()
    pil.new("RGB", (4, 4), colour).save(stream, "PNG")
    return stream.getvalue()


def write_readme(repository: Path, configs: dict[str, dict[str, str]]) -> None:
    """Configuration -> split -> pattern of its files, as on the hub."""
    lines = ["---", "configs:"]
    for name, splits in configs.items():
        lines += [f"- config_name: {name}", "  data_files:"]
        for split, pattern in splits.items():
            lines += [f"  - split: {split}", f"    path: {pattern}"]
    (repository / "README.md").write_text("\n".join([*lines, "---", ""]))


def alm_bench_row(language: str, shade: int) -> dict[str, object]:
    return {
        "file_name": png(shade, 0, 0),
        "ID": "001_1_01_001",
        "Language": language,
        "Category": "Food",
        "Question_Type": "Multiple Choice Questions",
        "English_Question": "What is it?",
        "English_Answer": "Tea (Options: Tea, Rice)",
        "Translated_Question": f"{language}: 何?",
        "Translated_Answer": "Tea (Options: Tea, Rice)",
        "Image_Url": "",
    }


def write_official_alm_bench(repository: Path) -> None:
    languages = ("Amharic", "German", "Chinese (Traditional)")
    rows = [alm_bench_row(language, shade) for shade, language in enumerate(languages)]
    write_parquet(repository / "data/test-00000-of-00001.parquet", rows, images=["file_name"])


def write_alm_bench(repository: Path) -> None:
    for place, (split, _) in enumerate(ALM_BENCH_SPLITS.values()):
        file = repository / f"data/{split}-00000-of-00001.parquet"
        write_parquet(file, [alm_bench_row(split, place)], images=["file_name"])
    splits = {split: f"data/{split}-*" for split, _ in ALM_BENCH_SPLITS.values()}
    write_readme(repository, {"default": splits})


def write_cc_ocr(repository: Path) -> None:
    row = {
        "index": 0,
        "image": base64.b64encode(png(0, 5, 0)).decode(),
        "question": "Read.",
        "answer": "Straße",
        "image_name": "German_test_0.jpg",
        "category": "multi_lan_ocr",
        "l2-category": "ocr",
        "split": "German",
    }
    other = row | {"question": "not of this configuration"}
    rows = {
        "multi_lan_ocr": [row, row | {"image_name": "Arabic_test_0.jpg", "split": "Arabic"}],
        "kie": [other],
    }
    for config in rows:
        write_parquet(repository / f"{config}/test-00000-of-00001.parquet", rows[config])
    write_readme(repository, {config: {"test": f"{config}/test-*"} for config in rows})


def write_commute(repository: Path) -> None:
    splits = ("de", "fr", "ru", "zh", "cs", "ar", "es")
    for place, split in enumerate(splits):
        row = {
            "idx": 0,
            "source": "Look at this nail!",
            "correct_translation": f"{split}: Nagel",
            "incorrect_translation": f"{split}: Fingernagel",
            "image": png(0, 0, place),
            "image_name": "a.jpeg",
        }
        file = repository / f"data/{split}-00000-of-00001.parquet"
        write_parquet(file, [row], images=["image"])
    write_readme(repository, {"default": {split: f"data/{split}-*" for split in splits}})


def write_multi30k(repository: Path) -> None:
    row = {
        "image": png(7, 7, 7),
        "en": "A dog.",
        "de": "Ein Hund.",
        "fr": "Un chien.",
        "cs": "Pes.",
    }
    for split in ("train", "test"):
        rows = [row | {"en": f"{split} {place}"} for place in range(2)]
        file = repository / f"data/{split}-00000-of-00001.parquet"
        write_parquet(file, rows, images=["image"])


def write_ocrbench(repository: Path) -> None:
    row = {
        "dataset": "IIIT5K",
        "question": "what is written in the image?",
        "question_type": "Regular Text Recognition",
        "answer": ["CENTRE", "CENTER"],
        "image": png(9, 0, 0),
    }
    write_parquet(repository / "data/test-00000-of-00001.parquet", [row], images=["image"])


def write_textvqa(repository: Path) -> None:
    row = {
        "image_id": "0054c91397f2fe05",
        "question_id": 34602,
        "question": "what is the brand of this camera?",
        "question_tokens": ["what", "is"],
        "image": png(0, 9, 0),
        "image_width": 1024,
        "image_height": 730,
        "flickr_original_url": "https://example.invalid/o.jpg",
        "flickr_300k_url": "https://example.invalid/z.jpg",
        "answers": ["dakota"] * 10,
        "image_classes": ["Cassette deck"],
        "set_name": "val",
        "ocr_tokens": ["DAKOTA"],
    }
    for shard in range(2):  # as large splits are
        file = repository / f"data/validation-{shard:05}-of-00002.parquet"
        write_parquet(file, [row | {"question_id": 34602 + shard}], images=["image"])


def write_vimul_bench(repository: Path) -> None:
    for language in SPOKEN.values():
        row = {
            "mint_video_id": "videos/a b.mp4",
            "question": f"{language}?",
            "option": ["A. one", "B. two"],
            "answer": "B",
        }
        write_parquet(repository / f"mcq/{language}/test-00000-of-00001.parquet", [row])
        row = {**row, "answer": "two"}
        del row["option"]
        write_parquet(repository / f"oe/{language}/test-00000-of-00001.parquet", [row])
    parts = [(kind, language) for kind in ("mcq", "oe") for language in SPOKEN.values()]
    names = {f"vimul{kind}_{language}": f"{kind}/{language}" for kind, language in parts}
    write_readme(repository, {name: {"test": f"{names[name]}/test-*"} for name in names})
    (repository / "videos").mkdir()
    write_clip(repository / "videos/a b.mp4")


def write_clip(file: Path) -> None:
    import av
    import numpy

    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for grey in CLIP_GREYS:
            pixels = numpy.full((48, 64, 3), grey, numpy.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


WRITERS: dict[str, Callable[[Path], None]] = {
    "alm_bench": write_alm_bench,
    "alm_bench@official": write_official_alm_bench,
    "cc_ocr": write_cc_ocr,
    "commute": write_commute,
    "multi30k": write_multi30k,
    "ocrbench": write_ocrbench,
    "textvqa": write_textvqa,
    "vimul_bench": write_vimul_bench,
}


def write_site(folder: Path) -> None:
    """All data sets, and repositories of the owner `team` where something is amiss."""
    for task, repo in REPOS.items():
        repository = folder / "datasets" / repo
        repository.mkdir(parents=True)
        WRITERS[task](repository)
    team = folder / "datasets/team"
    write_parquet(team / "secret/data/test-00000-of-00001.parquet", [{"q": "?"}])
    write_parquet(team / "clips/data/test-00000-of-00001.parquet", [{"clip": "videos/no.mp4"}])
    write_parquet(team / "torn/data/test-00000-of-00001.parquet", [{"q": "?"}])
    torn = team / "torn/data/test-00000-of-00001.parquet"
    torn.write_bytes(torn.read_bytes()[:-40])


# --- one cache through several processes ---


@dataclass(frozen=True)
class Visit:
    said: Any
    asked: list[str]


@dataclass(frozen=True)
class Story:
    shas: dict[str, str]
    first: Visit
    offline: Visit
    stranger: Visit
    moved: Visit
    gone: Visit


def visit(hub: Hub, home: Path, jobs: list[Any], **environment: str) -> Visit:
    before = len(hub.requests)
    own = {"TOWEREVAL_CACHE": str(home / "towereval"), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(jobs)],
        env=hub.environment(home) | own | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return Visit(json.loads(done.stdout.splitlines()[-1]), hub.requests[before:])


OCRBENCH = {"repo": REPOS["ocrbench"], "split": "test"}
# What cannot be read, and what the message must say of it.
FAILING: dict[str, tuple[dict[str, Any], str]] = {
    "unknown repository": ({"repo": "team/nobody"}, "Repository Not Found"),
    "gated repository": ({"repo": "team/secret"}, "gated"),
    "no such split": ({"repo": REPOS["ocrbench"], "split": "train"}, 'Unknown split "train"'),
    "no such configuration": (
        {"repo": REPOS["vimul_bench"], "config": "vimulmcq_klingon"},
        "'vimulmcq_klingon' not found",
    ),
    "no such revision": ({"repo": REPOS["multi30k"], "revision": "0" * 40}, "Revision Not Found"),
    "no such clip": ({"repo": "team/clips", "media": ["clip"]}, "videos/no.mp4"),
    "torn file": ({"repo": "team/torn"}, "Parquet"),
}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder, home = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("home")
    empty = tmp_path_factory.mktemp("empty")
    write_site(folder)
    everything = [["samples", task] for task in REPOS]
    unreadable = [["failure", {"split": "test", **dataset}] for dataset, _ in FAILING.values()]
    with Hub(folder, gated=["team/secret"]) as hub:
        shas = {task: hub.sha(repo) for task, repo in REPOS.items()}
        first = visit(hub, home, everything + unreadable)
        offline = visit(hub, home, everything, HF_HUB_OFFLINE="1")
        stranger = visit(hub, empty, [["failure", OCRBENCH]], HF_HUB_OFFLINE="1")
        # The cached data set gets another commit, whose files may not be read any more.
        file = folder / "datasets" / REPOS["ocrbench"] / "data/test-00000-of-00001.parquet"
        write_parquet(file, [{"question": "new"}])
        hub.gated.add(REPOS["ocrbench"])
        shas["ocrbench, moved"] = hub.sha(REPOS["ocrbench"])
        moved = visit(hub, home, [["failure", OCRBENCH]])
    gone = visit(hub, empty, [["failure", OCRBENCH]])
    return Story(shas, first, offline, stranger, moved, gone)


# --- what is proved ---

GOLD = ["dakota"] * 10
BLUE = {
    language: [0, 0, place] for place, language in enumerate(("de", "fr", "ru", "zh", "cs", "ar"))
}
# Id, language, what the prompt says among other things, references, what is seen of the media.
SAMPLES: dict[str, list[tuple[str, str, str, list[str], list[int]]]] = {
    "alm_bench": [
        ("0", language, f"{split}: 何?\nA) Tea\nB) Rice", ["A"], [place, 0, 0])
        for place, (language, (split, _)) in enumerate(ALM_BENCH_SPLITS.items())
    ],
    "alm_bench@official": [
        (number, language, "何?\nOptions: Tea, Rice", ["Tea (Options: Tea, Rice)"], [seen, 0, 0])
        for number, language, seen in (("1", "de", 1), ("2", "zh-Hant", 2))
    ],
    "cc_ocr": [("German_test_0.jpg", "de", "Read.\n", ["Straße"], [0, 5, 0])],
    "commute": [
        ("0", language, "Look at this nail!", [f"{language}: Nagel"], seen)
        for language, seen in BLUE.items()
    ],
    "multi30k": [
        (f"{place}", language, f"test {place}", [caption], [7, 7, 7])
        for place in range(2)
        for language, caption in (("cs", "Pes."), ("de", "Ein Hund."), ("fr", "Un chien."))
    ],
    "ocrbench": [
        ("0", "en", "what is written in the image?", ["CENTRE", "CENTER"], [9, 0, 0]),
    ],
    "textvqa": [
        (number, "en", "What is the brand of this camera?", GOLD, [0, 9, 0])
        for number in ("34602", "34603")
    ],
    "vimul_bench": [
        (name, language, f"{SPOKEN[language]}?\n{rest}", [answer], [0, 192])
        for language in plugins.load_task("vimul_bench").languages
        for name, rest, answer in (("mcq-0", "A. one\nB. two", "B"), ("open-0", "Answer", "two"))
    ],
}


@pytest.mark.parametrize("task", REPOS)
def test_every_task_reads_its_data_set_from_the_hub(story: Story, task: str) -> None:
    said = dict(zip(REPOS, story.first.said, strict=False))[task]
    for expected, found in zip(SAMPLES[task], said["samples"], strict=True):
        assert (*expected[:2], *expected[3:]) == (*found[:2], *found[3:])
        assert expected[2] in found[2]


@pytest.mark.parametrize("task", REPOS)
def test_the_commit_that_was_read_is_recorded(story: Story, task: str) -> None:
    said = dict(zip(REPOS, story.first.said, strict=False))[task]
    assert said["commits"] == {REPOS[task]: story.shas[task]}


def test_off_line_the_cache_gives_the_same_samples_and_commits(story: Story) -> None:
    assert story.offline.asked == []
    assert story.offline.said == story.first.said[: len(REPOS)]


def test_a_clip_is_downloaded_once(story: Story) -> None:
    clip = (
        f"GET /datasets/{REPOS['vimul_bench']}/resolve/{story.shas['vimul_bench']}/videos/a b.mp4"
    )
    assert [line for line in story.first.asked if line.endswith(".mp4") and line[0] == "G"] == [
        clip
    ]


@pytest.mark.parametrize("name", FAILING)
def test_what_cannot_be_read_is_named_with_the_way_out(story: Story, name: str) -> None:
    dataset, reason = FAILING[name]
    message = dict(zip(FAILING, story.first.said[len(REPOS) :], strict=True))[name]
    assert message.startswith(f"data set {dataset['repo']} ")
    assert reason in message
    assert message.endswith("--data ocrbench=PATH")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("who", "reason"), [("stranger", "OfflineModeIsEnabled"), ("gone", "Connection refused")]
)
def test_a_hub_out_of_reach_is_told_with_the_way_out(story: Story, who: str, reason: str) -> None:
    (message,) = getattr(story, who).said
    assert message.startswith(f"data set {REPOS['ocrbench']} ")
    assert reason in message
    assert message.endswith("--data ocrbench=PATH")
    assert "\n" not in message


def test_another_commit_from_the_cache_is_refused(story: Story) -> None:
    """Where the library cannot load the commit that is asked it gives what it has, and no word."""
    (message,) = story.moved.said
    asked, cached = story.shas["ocrbench, moved"], story.shas["ocrbench"]
    assert message.startswith(
        f"data set {REPOS['ocrbench']}: wanted commit {asked}, the cache gave {cached}"
    )
    assert message.endswith("--data ocrbench=PATH")
    assert "\n" not in message


# --- what the client does ---


def samples(task: str) -> dict[str, Any]:
    benchmark = plugins.load_task(task)
    source = HubSource(benchmark.name)
    found = [describe(sample) for sample in benchmark.samples(source, benchmark.languages)]
    return {"samples": found, "commits": source.commits}


def describe(sample: Sample) -> list[Any]:
    shown, text = sample.prompt[0].parts
    assert isinstance(text, Text)
    if isinstance(shown, Video):
        frames = media.decode_video(shown, 2).frames_THWC
        seen = [int(frame[0, 0, 0]) for frame in frames]
    else:
        assert not isinstance(shown, Text)
        seen = list(media.decode_image(shown).getpixel((0, 0)))
    return [sample.id, sample.language, text.text, list(sample.references), seen]


def failure(dataset: dict[str, Any]) -> str:
    """What is said of a data set that cannot be read."""
    wanted = Dataset(**dataset | {"media": tuple(dataset.get("media", ()))})
    try:
        return f"no error: {len(list(HubSource('ocrbench').rows(wanted)))} rows"
    except DataError as error:
        return str(error)


if __name__ == "__main__":
    actions = {"samples": samples, "failure": failure}
    print(json.dumps([actions[name](*rest) for name, *rest in json.loads(sys.argv[1])]))
