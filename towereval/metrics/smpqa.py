"""What Centurio's accuracies do not tell of SMPQA: how near a label was."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample


@dataclass(frozen=True, slots=True)
class CharacterAccuracy:
    """One minus the character error rate of a label that was to be read, at least 0.

    Not Centurio's: it gives a label with one wrong letter its due. Code points are compared,
    composed and folded, without the white space and punctuation around the answer.
    """

    name: ClassVar[str] = "character_accuracy"
    signature: ClassVar[str] = "character_accuracy|rule:1-cer|fold:nfc,case,edges|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if sample.group != "reading":
            return ()
        if not sample.references:
            raise Unscorable("the sample has no label")
        return (character_accuracy(responses[0].text, sample.references[0]),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def character_accuracy(prediction: str, label: str) -> float:
    """1 for the label itself, 0 where as many characters are wrong as the label has."""
    prediction, label = _bared(prediction), _bared(label)
    if not label:
        return float(not prediction)
    if len(prediction) >= 2 * len(label):  # at least as many insertions as the label has letters
        return 0.0
    return max(0.0, 1 - _distance(prediction, label) / len(label))


def _distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for place, character in enumerate(one, start=1):
        diagonal, row[0] = row[0], place
        for column, wanted in enumerate(other, start=1):
            cost = min(row[column] + 1, row[column - 1] + 1, diagonal + (character != wanted))
            diagonal, row[column] = row[column], cost
    return row[-1]


def _bared(text: str) -> str:
    """Folded, without what is neither letter, mark nor digit at both ends."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    kept = [place for place, each in enumerate(text) if unicodedata.category(each)[0] in "LMN"]
    return text[kept[0] : kept[-1] + 1] if kept else ""
