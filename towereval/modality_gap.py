"""How far apart a model's projected picture features lie from its text embeddings.

After LRM-LLaVA's plot (t-SNE of mean-pooled features with contours of their densities) and W. Liang
et al., NeurIPS 2022, https://arxiv.org/abs/2203.02053, whose gap is the distance between the two
centroids. Needs scikit-learn and matplotlib (extra `plots`). Letters: N pairs, P = 2N points, the
pictures first; D features, R rows and K neighbours of them, Y and X the plane's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from towereval import __version__, engines, languages
from towereval.data.media import write_atomically
from towereval.diagnosis import media_of
from towereval.errors import DataError, MissingExtra, StoreError, UsageError
from towereval.picture_use import unasked
from towereval.plan import Plan, settle
from towereval.progress import Listener
from towereval.types import Decoding, Engine, Image, Request, Sample, Source, Task

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

NEIGHBOURS = 10
FOLDS = 5  # of the probe: fewer pairs have no numbers
AXES = 50  # t-SNE is given so many principal components
RED, BLUE = "#b2182b", "#2166ac"  # pictures and texts, as in the paper's plot


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers on features of length 1, so that neither modality's scale counts.

    `centroid_distance` is from 0 to 2. `neighbour_mixing` is the share of a point's nearest
    `neighbours` (cosine) that are of the other modality, `mixing_by_chance` that of two alike.
    `probe_accuracy` is of a logistic regression that tells the modality of points held out: 0.5 for
    two alike, 1 for two that a plane parts.
    """

    pairs: int
    dimensions: int
    centroid_distance: float
    neighbours: int
    neighbour_mixing: float
    mixing_by_chance: float
    probe_accuracy: float


def analyse(plan: Plan, limit: int, output: Path, listener: Listener) -> Gap:
    """Write modality-gap.json, .png and .svg of a plan's one task, at most `limit` pairs.

    Raises `TowerevalError`.
    """
    for package in ("sklearn", "matplotlib"):
        if find_spec(package) is None:
            raise MissingExtra({"sklearn": "scikit-learn"}.get(package, package), "plots")
    settled = settle(plan)
    (task,), subject = settled.tasks, settled.subject
    listener.stage("reading samples", None)
    chosen = pairs(task, settled.sources[task.name], plan.languages, limit)
    if len(chosen) < FOLDS:
        raise UsageError(
            f"{task.name}: {len(chosen)} samples have one picture each and a reference text, at"
            f" least {FOLDS} are needed"
        )
    listener.stage(f"starting {subject.kind.name}", None)
    engine = engines.start(subject.kind, subject.model, plan.engine_args, plan.seed)
    with closing(engine):
        image_ND, text_ND = _features(engine, chosen, listener)
    listener.stage("measuring", None)
    found = measure(image_ND, text_ND, plan.seed)
    about = {
        "schema": 1,
        "model": plan.model,
        "respondent": dict(subject.description),
        "task": f"{task.name}@{task.variant}",
        "split": plan.split,
        "languages": dict(Counter(sample.language for sample in chosen)),
        "text": "first reference",
        "seed": plan.seed,
        "towereval": __version__,
        **asdict(found),
    }
    _write(output / "modality-gap.json", about)
    title = f"{plan.model}, {task.name}: {found.pairs} pictures and texts"
    _save(draw(image_ND, text_ND, title, found, plan.seed), output)
    return found


def pairs(task: Task, source: Source, wanted: Sequence[str], limit: int) -> list[Sample]:
    """The first `limit` pictures, each once, with a reference of the languages in turn."""
    named = set(languages.expand(wanted))
    asked = [code for code in task.languages if code in named] or task.languages
    found: dict[str, dict[str, Sample]] = {}
    try:
        for sample in task.samples(source, asked):
            shown = media_of(sample.prompt)
            if len(shown) != 1 or not isinstance(shown[0], Image) or unasked(sample):
                continue
            if shown[0].sha256 in found or len(found) < limit:
                found.setdefault(shown[0].sha256, {}).setdefault(sample.language, sample)
    except KeyError as error:
        raise DataError(f"{task.name}: the data has no column or value {error}") from error
    taken: Counter[str] = Counter()
    chosen = []
    for texts in found.values():
        language = min(texts, key=lambda code: (taken[code], asked.index(code)))
        taken[language] += 1
        chosen.append(texts[language])
    return chosen


def measure(image_ND: Floats, text_ND: Floats, seed: int) -> Gap:
    """Equal features and seed give equal numbers."""
    import numpy as np

    points_PD = np.concatenate([_normalised(image_ND), _normalised(text_ND)])
    n = len(image_ND)
    centroids_2D = points_PD.reshape(2, n, -1).mean(1)
    neighbours = min(NEIGHBOURS, n - 1)
    return Gap(
        pairs=n,
        dimensions=points_PD.shape[1],
        centroid_distance=_rounded(float(np.linalg.norm(centroids_2D[0] - centroids_2D[1]))),
        neighbours=neighbours,
        neighbour_mixing=_rounded(_mixing(points_PD, neighbours)),
        mixing_by_chance=_rounded(n / (2 * n - 1)),
        probe_accuracy=_rounded(_probe(points_PD, seed)),
    )


def draw(image_ND: Floats, text_ND: Floats, title: str, found: Gap, seed: int) -> Figure:
    """t-SNE of the points with contours of each modality's density."""
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from scipy import stats

    from towereval.figure_files import fit

    place_P2 = _placed(np.concatenate([_normalised(image_ND), _normalised(text_ND)]), seed)
    figure = Figure(figsize=(4.8, 4.7), layout="constrained")
    axes = figure.subplots()
    margin = 0.2 * float(np.ptp(place_P2, axis=0).max())
    low_2, high_2 = place_P2.min(0) - margin, place_P2.max(0) + margin
    x_YX, y_YX = np.meshgrid(*np.linspace(low_2, high_2, 200).T)
    halves = place_P2.reshape(2, len(image_ND), 2)
    for place_N2, colour, name in zip(halves, (RED, BLUE), ("pictures", "texts"), strict=True):
        density_YX = stats.gaussian_kde(place_N2.T)(np.stack([x_YX.ravel(), y_YX.ravel()]))
        levels = density_YX.max() * np.linspace(0.1, 0.9, 5)
        shape = {"levels": levels, "colors": colour, "linewidths": 0.8, "alpha": 0.6}
        axes.contour(x_YX, y_YX, density_YX.reshape(x_YX.shape), **shape)
        dots = axes.scatter(place_N2[:, 0], place_N2[:, 1], s=9, color=colour, linewidths=0)
        dots.set_gid(name)
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.set_title(fit(title, 52), fontsize=9, loc="left")
    axes.set_xlabel(
        f"centroids {found.centroid_distance:.2f} apart, neighbours mixed"
        f" {found.neighbour_mixing:.2f} (alike {found.mixing_by_chance:.2f}), probe"
        f" {found.probe_accuracy:.2f} (alike 0.50)",
        fontsize=7,
    )
    marks = [Line2D([], [], marker="o", ls="", color=colour, ms=5) for colour in (RED, BLUE)]
    axes.legend(marks, ["pictures", "texts"], frameon=False, fontsize=8, loc="best")
    return figure


def _features(
    engine: Engine, chosen: Sequence[Sample], listener: Listener
) -> tuple[Floats, Floats]:
    import numpy as np

    from towereval.engines.features import pooled
    from towereval.engines.transformers import TransformersEngine

    assert isinstance(engine, TransformersEngine)  # the plan names no other
    listener.stage("pooling", len(chosen))
    requests = (
        Request(each.id, each.prompt, Decoding(max_tokens=1), each.references[0]) for each in chosen
    )
    image_ND, text_ND = [], []
    for features in pooled(engine, requests):
        image_ND.append(features.image_D)
        text_ND.append(features.text_D)
        listener.advance()
    return np.stack(image_ND), np.stack(text_ND)


def _normalised(points_ND: Floats) -> Floats:
    import numpy as np

    length_N1 = np.linalg.norm(points_ND, axis=1, keepdims=True)
    if not (np.isfinite(length_N1).all() and length_N1.all()):
        raise DataError("a picture's or text's pooled features are zero or no numbers")
    found: Floats = points_ND / length_N1
    return found


def _mixing(points_PD: Floats, neighbours: int) -> float:
    import numpy as np

    half, mixed = len(points_PD) // 2, 0
    for first in range(0, len(points_PD), 512):  # all similarities at once would not fit
        rows = np.arange(first, min(first + 512, len(points_PD)))
        similar_RP = points_PD[rows] @ points_PD.T
        similar_RP[np.arange(len(rows)), rows] = -np.inf  # a point is no neighbour of its own
        nearest_RK = np.argsort(-similar_RP, axis=1, kind="stable")[:, :neighbours]
        mixed += int(((nearest_RK < half) != (rows < half)[:, None]).sum())
    return mixed / (len(points_PD) * neighbours)


def _probe(points_PD: Floats, seed: int) -> float:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000))
    text_P = np.repeat([0, 1], len(points_PD) // 2)
    return float(cross_val_score(probe, points_PD, text_P, cv=folds).mean())


def _placed(points_PD: Floats, seed: int) -> Floats:
    """In the plane: principal components first, then t-SNE, which keeps neighbours together."""
    import numpy as np
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    axes = min(AXES, *points_PD.shape)
    reduced_PA = PCA(axes, svd_solver="full").fit_transform(points_PD)
    perplexity = min(30.0, (len(points_PD) - 1) / 3)
    place = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    return np.asarray(place.fit_transform(reduced_PA), np.float64)


def _rounded(number: float) -> float:
    return round(number, 6)


def _write(file: Path, content: dict[str, object]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text.encode() + b"\n")
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error


def _save(figure: Figure, output: Path) -> None:
    from towereval.figure_files import save

    for ending in ("svg", "png"):  # a PNG's texts are cut to what fits
        save(figure, output / f"modality-gap.{ending}")
