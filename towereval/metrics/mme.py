"""MME: two questions a picture, one of yes and one of no; acc, acc+, and their sum over subtasks.

https://github.com/BradyFU/Awesome-Multimodal-Large-Language-Models/tree/Evaluation (calculation.py,
as lmms-eval has it). A sample is a picture with both its questions, in `sample.group` the subtask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from towereval.errors import Unscorable
from towereval.metrics.yes_no import VERDICTS, YesNoRule, wanted
from towereval.types import Better, Response, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERCEPTION = (
    *("existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark"),
    *("artwork", "OCR"),
)
COGNITION = (
    *("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning"),
)


@dataclass(frozen=True, slots=True)
class PairAccuracy:
    """acc: the share of questions that are answered right; `plus`, acc+: of pictures on which both
    are.
    """

    rule: YesNoRule
    plus: bool = False

    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    @property
    def name(self) -> str:
        return "accuracy_plus" if self.plus else "accuracy"

    @property
    def signature(self) -> str:
        return f"{self.name}|rule:mme_pairs,yes_no_{self.rule}|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        accuracy, plus = pair(self.rule, sample, responses)
        return (plus if self.plus else accuracy,)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


@dataclass(frozen=True, slots=True)
class MmeScore:
    """acc and acc+ in percent, summed over ten subtasks of perception or four of cognition.

    A subtask of which a run has no samples adds nothing, as officially: a limited run's sum is
    lower. Of one subtask the value is its own sum, of 200.
    """

    kind: Literal["perception", "cognition"]
    rule: YesNoRule

    mean: ClassVar[bool] = False
    better: ClassVar[Better] = "larger"

    @property
    def name(self) -> str:
        return f"{self.kind}_score"

    @property
    def scale(self) -> float:
        return 200.0 * len(self.subtasks)

    @property
    def subtasks(self) -> tuple[str, ...]:
        return PERCEPTION if self.kind == "perception" else COGNITION

    @property
    def signature(self) -> str:
        return f"{self.name}|rule:mme,yes_no_{self.rule}|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        """By subtask acc + acc+, then by subtask one for the picture."""
        if sample.group not in self.subtasks:
            return ()
        points = sum(pair(self.rule, sample, responses))
        mine = [float(subtask == sample.group) for subtask in self.subtasks]
        return (*(points * one for one in mine), *mine)

    def corpus(self, total: Sequence[float], count: int) -> float:
        half = len(self.subtasks)
        pairs = zip(total[:half], total[half:], strict=True)
        return sum(100 * points / pictures for points, pictures in pairs if pictures)

    def corpora(self, total_GK: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        points_GS, pictures_GS = np.split(total_GK, 2, axis=1)
        shares_GS = np.divide(
            100 * points_GS, pictures_GS, out=np.zeros(points_GS.shape), where=pictures_GS > 0
        )
        total_G: NDArray[np.float64] = shares_GS.sum(axis=1)
        return total_G


def pair(rule: YesNoRule, sample: Sample, responses: Sequence[Response]) -> tuple[float, float]:
    """acc and acc+ of one picture: 0, a half or 1, and 0 or 1. Raises `Unscorable`."""
    if len(sample.references) != 2 or len(responses) != 2:
        raise Unscorable(f"wanted a picture's two questions, found {len(sample.references)}")
    says = VERDICTS[rule]
    right = [
        says(response.text, sample.language) is wanted(label)
        for response, label in zip(responses, sample.references, strict=True)
    ]
    return sum(right) / 2, float(all(right))
