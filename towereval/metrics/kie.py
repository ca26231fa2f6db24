"""CC-OCR's key information track: fields with their texts by F1, whole answers by tree distance.

Rules: https://github.com/AlibabaResearch/AdvancedLiterateMachinery, Benchmarks/CC-OCR, after Donut
(G. Kim et al., OCR-free document understanding transformer, ECCV 2022).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from towereval.errors import Unscorable
from towereval.metrics.trees import Node, levenshtein, tree_edit_distance
from towereval.types import Better, Response, Sample

_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class KieF1:
    """Pairs right, wrong and missed, summed over all pictures: CC-OCR's headline."""

    name: ClassVar[str] = "kie_f1"
    signature: ClassVar[str] = "kie_f1|rule:cc_ocr|average:micro|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = False
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        counts = field_counts(*_answers(sample, responses)).values()
        return tuple(float(sum(column)) for column in zip((0, 0, 0), *counts, strict=True))

    def corpus(self, total: Sequence[float], count: int) -> float:
        return f1(*total)


@dataclass(frozen=True, slots=True)
class KieAccuracy:
    """One minus the tree distance over that of an empty answer, never below 0."""

    name: ClassVar[str] = "kie_accuracy"
    signature: ClassVar[str] = "kie_accuracy|rule:cc_ocr|eps:1e-6|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return (tree_accuracy(*_answers(sample, responses)),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / (count + _EPSILON)


def parse_answer(text: str) -> Any:
    """The JSON in an answer, None where there is none: a fence that never closes holds none.

    Line breaks go first, so one within a string disappears.
    """
    if "```json" in text:
        found = re.search("```json(.*?)```", text, re.DOTALL)
        if not found:
            return None
        text = found[1]
    try:
        return json.loads(text.strip().replace("\n", ""))
    except (ValueError, RecursionError):
        return None


def normalize_answer(answer: Any) -> Any:
    """Donut's form: each field a list of texts or answers, short names first, empty ones gone.

    Texts that stand in a list are not cleaned, those in a field are: the official rule.
    """
    return _listed(_cleaned(answer))


def field_counts(prediction: Any, reference: Any) -> Mapping[str, tuple[int, int, int]]:
    """By field: how many texts both answers have, the prediction alone, the reference alone."""
    predicted, wanted = Counter(_pairs(prediction)), Counter(_pairs(reference))
    both = predicted & wanted
    counts = [both, predicted - both, wanted - both]
    by_field = [Counter[str]() for _ in counts]
    for fields, pairs in zip(by_field, counts, strict=True):
        for (field, _), number in pairs.items():
            fields[field] += number
    right, wrong, missed = by_field
    names = [*right, *wrong, *missed]
    return {name: (right[name], wrong[name], missed[name]) for name in names}


def f1(right: float, wrong: float, missed: float) -> float:
    return right / (right + (wrong + missed) / 2 + _EPSILON)


def tree_accuracy(prediction: Any, reference: Any) -> float:
    """Of normalised answers. With an empty reference the official 0/0 and x/0 both end as 0."""
    predicted, wanted = _tree("<root>", prediction), _tree("<root>", reference)
    whole = _weights(wanted.children)
    if not whole or prediction == reference:
        return float(whole > 0)
    distance = tree_edit_distance(predicted, wanted, lambda label: label.weight, _renaming)
    return max(0.0, 1 - distance / whole)


_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord("\u3000"): " ",
    ord("、"): ",",
}
_HAN, _LATIN = "[\u4e00-\u9fff]", "[a-zA-Z0-9]"
_NO_BLANK = re.compile(
    rf"(?<={_HAN})\s+(?={_HAN})|(?<={_HAN})\s+(?={_LATIN})|(?<={_LATIN})\s+(?={_HAN})"
)
_MARKS = re.compile(r"(?<!\s)(\s*)([,.!?:;])\s*((?:[,.!?:;]\s*)*)")
_DIGIT_LETTER = re.compile("(?<=[0-9])(?=[a-zA-Z])|(?<=[a-zA-Z])(?=[0-9])")


def normalize_text(text: str) -> str:
    """Half-width, no blanks between Chinese, one after each mark that does not follow a digit."""
    text = _NO_BLANK.sub("", text.translate(_HALF_WIDTH))
    text = _DIGIT_LETTER.sub(" ", _MARKS.sub(_spaced, text))
    return re.sub(r"\s+", " ", text)


def _spaced(found: re.Match[str]) -> str:
    r"""What replacing `(?<![0-9])\s*([,.!?:;])\s*` by `\1 ` does, in linear time.

    A mark right after a digit is left alone; of blanks between digit and mark the first stays.
    """
    blanks, mark, marks = found.groups()
    others = "".join(f"{other} " for other in re.sub(r"\s+", "", marks))
    before = found.string[found.start() - 1 : found.start()]
    if not re.match("[0-9]", before):
        return f"{mark} {others}"
    if blanks:
        return f"{blanks[0]}{mark} {others}"
    return f"{mark}{others}" if others else found[0]


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cleaned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) if isinstance(item, dict) else item for item in value]
    return normalize_text(value) if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        named = {}
        for name in sorted(value, key=lambda name: (len(name), name)):
            items = _listed(value[name])
            if items:
                named[name] = items if isinstance(items, list) else [items]
        return named
    if not isinstance(value, list):
        return [str(value).strip()]
    if all(isinstance(item, dict) for item in value):
        return [answer for item in value if (answer := _listed(item))]
    texts = (str(item).strip() for item in value if type(item) in (str, int, float))
    return [text for text in texts if text]


def _pairs(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _pairs(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from _pairs(item, path)
    else:
        yield path, value


class _Label(NamedTuple):
    """A field's name or, in a leaf, a text, which weighs its length."""

    text: str
    leaf: bool = False

    @property
    def weight(self) -> int:
        return len(self.text) if self.leaf else 1


_LEAF = "<leaf>"


def _label(text: str) -> _Label:
    """The official trees know a leaf by this mark, wherever it stands, and compare without it."""
    return _Label(text.replace(_LEAF, ""), leaf=True) if _LEAF in text else _Label(text)


def _tree(name: str, value: Any) -> Node[_Label]:
    if isinstance(value, dict):
        return Node(_label(name), [_tree(field, item) for field, item in value.items()])
    return Node(
        _label(name),
        [
            _tree("<subtree>", item) if isinstance(item, dict) else Node(_label(_LEAF + item))
            for item in value
        ],
    )


def _weights(trees: Sequence[Node[_Label]]) -> int:
    return sum(tree.label.weight + _weights(tree.children) for tree in trees)


def _renaming(first: _Label, second: _Label) -> int:
    if first == second:
        return 0
    if first.leaf and second.leaf:
        return levenshtein()(first.text, second.text)
    if first.leaf or second.leaf:
        return 1 + len(first.text if first.leaf else second.text)
    return 1


def _answers(sample: Sample, responses: Sequence[Response]) -> tuple[Any, Any]:
    """The normalised answers; one that cannot be read counts as an empty one."""
    try:
        wanted = json.loads(sample.references[0])
    except (IndexError, ValueError) as error:
        raise Unscorable(f"the picture has no reference in JSON: {error}") from error
    predicted = parse_answer(responses[0].text)
    if _is_deeper(predicted, _MOST_LEVELS):
        raise Unscorable(f"the answer is nested in more than {_MOST_LEVELS} levels")
    return normalize_answer({} if predicted is None else predicted), normalize_answer(wanted)


_MOST_LEVELS = 100


def _is_deeper(value: Any, levels: int) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not levels or any(_is_deeper(item, levels - 1) for item in items)
