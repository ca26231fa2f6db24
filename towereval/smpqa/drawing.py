"""Draws plots with Pillow: bars with a value axis, pies with lines to their labels.

Everything is drawn twice as large and shrunk, for smooth edges; positions are pixels of the
finished picture.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from towereval.smpqa.fonts import Face, Faces
from towereval.smpqa.plots import COLOURS, Plot

if TYPE_CHECKING:
    from PIL.Image import Image

_SCALE = 2
_SIZE = 24  # of the letters
_MARGIN = 16
_LENGTH, _BREADTH = 340, 460  # a bar of value 100, and the axis along which bars stand
_TICKS = range(0, 101, 20)
_RADIUS = 150
_INK, _LINE = "#111111", "#666666"


@dataclass(frozen=True, slots=True)
class _Canvas:
    """A white picture on which positions count from `left`, `top`."""

    image: Image
    left: float
    top: float
    faces: Faces

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: str) -> None:
        from PIL import ImageDraw

        corners = (*self._at(min(x0, x1), min(y0, y1)), *self._at(max(x0, x1), max(y0, y1)))
        ImageDraw.Draw(self.image).rectangle(corners, fill, _INK, _SCALE)

    def line(self, *points: tuple[float, float]) -> None:
        from PIL import ImageDraw

        ImageDraw.Draw(self.image).line([self._at(*each) for each in points], _LINE, _SCALE)

    def slice(self, radius: float, start: float, end: float, fill: str) -> None:
        """Around the origin; degrees clockwise from the right."""
        from PIL import ImageDraw

        corners = (*self._at(-radius, -radius), *self._at(radius, radius))
        ImageDraw.Draw(self.image).pieslice(corners, start, end, fill, "white", _SCALE)

    def text(self, x: float, y: float, text: str, anchor: str) -> None:
        self._write(x, y, text, anchor, self.faces.labels)

    def number(self, x: float, y: float, number: int, anchor: str) -> None:
        self._write(x, y, f"{number}", anchor, self.faces.numbers)

    def _write(self, x: float, y: float, text: str, anchor: str, face: Face) -> None:
        from PIL import ImageDraw

        place, font = self._at(x, y), face.at(_SIZE * _SCALE)
        ImageDraw.Draw(self.image).text(place, text, _INK, font, anchor, language=face.language)

    def slanted(self, x: float, y: float, text: str) -> None:
        """Text that rises to the right and ends below x, y."""
        from PIL import Image, ImageDraw

        face = self.faces.labels
        width, height = (math.ceil(side * _SCALE) for side in extent(face, text))
        pad = 4 * _SCALE
        mask = Image.new("L", (width + 2 * pad, height + 2 * pad))
        ImageDraw.Draw(mask).text(
            (width + pad, pad + height / 2),
            text,
            255,
            face.at(_SIZE * _SCALE),
            "rm",
            language=face.language,
        )
        turned = mask.rotate(45, Image.Resampling.BICUBIC, expand=True)
        right, top = self._at(x, y)
        # Where the middle of the text's end comes to lie.
        end = (height / 2 + pad) * math.sqrt(0.5)
        place = (round(right - turned.width + end), round(top - end + height / 3))
        self.image.paste(_INK, place, turned)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (self.left + x) * _SCALE, (self.top + y) * _SCALE


def draw(plot: Plot, labels: Sequence[str], faces: Faces) -> Image:
    if plot.kind == "pie":
        return _pie(plot, labels, faces)
    return _upright(plot, labels, faces) if plot.vertical else _lying(plot, labels, faces)


def png(image: Image) -> bytes:
    """Flat shapes need few colours: a plot takes some kilobytes."""
    from PIL import Image as pil

    stream = io.BytesIO()
    few = image.quantize(64, pil.Quantize.MAXCOVERAGE, dither=pil.Dither.NONE)
    few.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def extent(face: Face, text: str) -> tuple[float, float]:
    """Width and height of a label, in pixels of the finished picture."""
    font = face.at(_SIZE * _SCALE)
    left, _, right, _ = font.getbbox(text, anchor="ls", language=face.language)
    ascent, descent = font.getmetrics()
    return (right - left) / _SCALE, (ascent + descent) / _SCALE


def _upright(plot: Plot, labels: Sequence[str], faces: Faces) -> Image:
    step = _BREADTH / len(labels)
    widths, heights = zip(*(extent(faces.labels, label) for label in labels), strict=True)
    flat = max(widths) < step - 8
    deep = max(heights) + 12 if flat else (max(widths) + max(heights)) * math.sqrt(0.5) + 16
    axis = extent(faces.numbers, "100")[0] + 14
    # A long slanted label of the first bar reaches further left than the axis.
    reach = (
        0
        if flat
        else max(
            width * math.sqrt(0.5) - (place + 0.3) * step for place, width in enumerate(widths)
        )
    )
    canvas = _canvas(max(axis, reach), _BREADTH, _SIZE / 2, _LENGTH + deep, faces)
    for tick in _TICKS:
        y = _LENGTH * (1 - tick / 100)
        canvas.line((-6, y), (0, y))
        canvas.number(-10, y, tick, "rm")
    for place, (part, label) in enumerate(zip(plot.parts, labels, strict=True)):
        middle = (place + 0.5) * step
        top = _LENGTH * (1 - part.value / 100)
        canvas.box(middle - step / 3, top, middle + step / 3, _LENGTH, COLOURS[part.colour])
        if flat:
            canvas.text(middle, _LENGTH + 8 + max(heights) / 2, label, "mm")
        else:
            canvas.slanted(middle, _LENGTH + 8, label)
    canvas.line((0, 0), (0, _LENGTH), (_BREADTH, _LENGTH))
    return _finished(canvas)


def _lying(plot: Plot, labels: Sequence[str], faces: Faces) -> Image:
    step = _LENGTH / len(labels)
    widths, heights = zip(*(extent(faces.labels, label) for label in labels), strict=True)
    room = _LENGTH + max(heights) + 12
    canvas = _canvas(max(widths) + 14, _BREADTH + 24, 0, room, faces)
    for tick in _TICKS:
        x = _BREADTH * tick / 100
        canvas.line((x, _LENGTH), (x, _LENGTH + 6))
        canvas.number(x, _LENGTH + 8 + max(heights) / 2, tick, "mm")
    for place, (part, label) in enumerate(zip(plot.parts, labels, strict=True)):
        middle = (place + 0.5) * step
        end = _BREADTH * part.value / 100
        canvas.box(0, middle - step / 3, end, middle + step / 3, COLOURS[part.colour])
        canvas.text(-10, middle, label, "rm")
    canvas.line((0, 0), (0, _LENGTH), (_BREADTH, _LENGTH))
    return _finished(canvas)


def _pie(plot: Plot, labels: Sequence[str], faces: Faces) -> Image:
    widths, heights = zip(*(extent(faces.labels, label) for label in labels), strict=True)
    side = _RADIUS + 40 + max(widths)
    line = max(heights)
    tall = max(_RADIUS + 20.0, line * len(labels) / 2 + 10)
    canvas = _canvas(side, side, tall, tall, faces)
    total = sum(part.value for part in plot.parts)
    start, middles = -90.0, []
    for part in plot.parts:
        end = start + 360 * part.value / total
        canvas.slice(_RADIUS, start, end, COLOURS[part.colour])
        middles.append(math.radians((start + end) / 2))
        start = end
    for right in (True, False):
        places = [place for place, angle in enumerate(middles) if (math.cos(angle) > 0) == right]
        places.sort(key=lambda place: math.sin(middles[place]))
        wanted = [math.sin(middles[place]) * (_RADIUS + 18) for place in places]
        for place, y in zip(places, spread(wanted, line), strict=True):
            sign = 1 if right else -1
            angle = middles[place]
            edge = (math.cos(angle) * (_RADIUS - 8), math.sin(angle) * (_RADIUS - 8))
            near = (math.cos(angle) * (_RADIUS + 10), math.sin(angle) * (_RADIUS + 10))
            x = sign * (_RADIUS + 30)
            canvas.line(edge, near, (x, y))
            canvas.text(x + sign * 5, y, labels[place], "lm" if right else "rm")
    return _finished(canvas)


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Ascending places at least `gap` apart, around the middle of those that are too close."""
    groups: list[list[float]] = []  # sum of the wanted places of the group's first, and its size
    for place in wanted:
        groups.append([place, 1])
        while len(groups) > 1:
            (before, many), (after, more) = groups[-2:]
            if before / many + many * gap <= after / more:
                break
            # The later group's first place, as wanted by each of its members.
            groups[-2:] = [[before + after - more * many * gap, many + more]]
    return [first / size + gap * step for first, size in groups for step in range(int(size))]


def _canvas(left: float, right: float, above: float, below: float, faces: Faces) -> _Canvas:
    """Room for so much on each side of the origin, and a margin."""
    from PIL import Image

    width, height = math.ceil(left + right) + 2 * _MARGIN, math.ceil(above + below) + 2 * _MARGIN
    picture = Image.new("RGB", (width * _SCALE, height * _SCALE), "white")
    return _Canvas(picture, left + _MARGIN, above + _MARGIN, faces)


def _finished(canvas: _Canvas) -> Image:
    from PIL import Image

    width, height = canvas.image.size
    return canvas.image.resize((width // _SCALE, height // _SCALE), Image.Resampling.LANCZOS)
