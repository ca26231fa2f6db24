"""docs/models.md says what the tests show: its tables are of what tests/engines/families.py runs.

`python -m tests.model_adapters.test_models_document` prints them.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.families import FAMILIES, Family
from tests.test_cli import ROOT
from towereval import plugins
from towereval.types import ModelAdapter

COUNT = 16
UNCHECKED = {
    "centurio": "its classes are its repository's own code",
    "llava_video": "no engine reads its format",
    "phi4_multimodal": "its processor is its repository's own code",
    "vimul": "no engine reads its format",
}


def models() -> Iterator[str]:
    yield "| model | checkpoint | licence | context | pictures | clips | remote code |"
    yield "|---|---|---|--:|--:|---|---|"
    for adapter in plugins.adapters():
        for name, checkpoint in adapter.checkpoints.items():
            if not checkpoint.repo:
                continue
            read = "" if checkpoint.reads_video else " as pictures"
            cells = (
                name,
                f"[{checkpoint.repo}](https://huggingface.co/{checkpoint.repo})",
                checkpoint.licence or "not stated",
                f"{checkpoint.context_length:,}",
                str(checkpoint.images),
                f"{checkpoint.frames} frames{read}",
                "yes"
                if checkpoint.remote_code
                else "no engine" * bool(checkpoint.unserved) or "no",
            )
            yield f"| {' | '.join(cells)} |"


def checks() -> Iterator[str]:
    yield "| family | vLLM = transformers | one picture | several | clip |"
    yield "|---|---|---|---|---|"
    for adapter in plugins.adapters():
        if adapter.name in ("tiny", "generic"):
            continue
        if adapter.name in UNCHECKED:
            yield f"| {adapter.name} | not checked: {UNCHECKED[adapter.name]} | | | |"
        for name, family in FAMILIES.items():
            if name.partition("-")[0] == adapter.name:
                yield checked(name, family, adapter)


def checked(name: str, family: Family, adapter: ModelAdapter) -> str:
    equal = len(family.vllm) * COUNT
    both = f"{equal} of {equal}" if equal else "refused on a CPU"
    cells = [cell(family, kind) for kind in ("image", "images", "video")]
    if not adapter.checkpoints[family.model].reads_video:
        cells[2] = "as pictures"
    return f"| {name} | {both} | {' | '.join(cells)} |"


def cell(family: Family, kind: str) -> str:
    if kind in family.vllm:
        return f"{COUNT} of {COUNT}"
    return f"transformers {COUNT} of {COUNT}" if kind in family.kinds else "refused"


def test_the_tables_are_what_is_tested() -> None:
    text = (ROOT / "docs" / "models.md").read_text()
    for table in (models(), checks()):
        assert "\n".join(table) in text


def test_every_family_is_checked_or_said_to_be_unchecked() -> None:
    tested = {name.partition("-")[0] for name in FAMILIES}
    families = {adapter.name for adapter in plugins.adapters()} - {"tiny", "generic"}
    assert tested | set(UNCHECKED) == families
    assert not tested & set(UNCHECKED)


if __name__ == "__main__":
    print("\n".join([*models(), "", *checks()]))
