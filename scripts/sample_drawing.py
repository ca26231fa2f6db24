"""Draws pictures and clips from lists of shapes, as in sample_scenes.toml and sample_signs.toml.

A shape is a list: its name, then the arguments of the function of that name below. Coordinates are
pixels of the finished picture; everything is drawn SCALE times larger and shrunk, for smooth edges.
"""

from __future__ import annotations

import functools
import io
import math
import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, features

SCALE = 3
FONT_FOLDER = Path("/usr/share/fonts")
CJK_FACES = {"ja": 0, "ko": 1, "zh-Hans": 2, "zh-Hant": 3}
CJK_SCRIPTS = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}
SCRIPT_FONTS = {
    "ARABIC": "NotoNaskhArabic",
    "BENGALI": "NotoSansBengali",
    "DEVANAGARI": "NotoSansDevanagari",
    "SINHALA": "NotoSansSinhala",
    "TAMIL": "NotoSansTamil",
}
LATIN_FONTS = {"plain": "NotoSans-Regular", "bold": "NotoSans-Bold", "serif": "NotoSerif-Bold"}
LATIN_FONTS |= {"hand": "NotoSerif-Italic"}

Shape = Sequence[Any]


@dataclass(frozen=True)
class Picture:
    """What to draw. `language` picks the font of Han and Urdu texts."""

    size: tuple[int, int]
    shapes: Sequence[Shape]
    ground: str = "white"
    language: str = ""
    symbols: dict[str, Sequence[Shape]] = field(default_factory=dict)

    def words(self) -> list[str]:
        """The words of its texts, in the order they are drawn."""
        return [word for shape in self.shapes if shape[0] in TEXTS for word in shape[5].split()]


@dataclass(frozen=True)
class Pen:
    """Where a shape is drawn: a symbol's shapes are moved by x, y and stretched by `stretch`."""

    picture: Picture
    canvas: Image.Image
    draw: ImageDraw.ImageDraw
    x: float = 0
    y: float = 0
    stretch: float = SCALE
    colour: str = "black"

    def at(self, x: float, y: float) -> tuple[float, float]:
        return (self.x + x * self.stretch, self.y + y * self.stretch)

    def points(self, numbers: Sequence[float]) -> list[tuple[float, float]]:
        return [self.at(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]

    def ink(self, colour: str) -> str:
        """ "@" is the colour a symbol is put with."""
        return self.colour if colour == "@" else colour


def check_text_layout() -> None:
    """Stop where Pillow cannot shape Arabic, Devanagari or Tamil."""
    if not features.check("raqm"):
        raise SystemExit("Pillow cannot load RAQM: apt-get install libraqm0 libfribidi0")


def draw_picture(picture: Picture) -> Image.Image:
    width, height = picture.size
    canvas = Image.new("RGB", (width * SCALE, height * SCALE), picture.ground)
    draw_shapes(Pen(picture, canvas, ImageDraw.Draw(canvas)), picture.shapes)
    return canvas.resize(picture.size, Image.Resampling.LANCZOS)


def draw_shapes(pen: Pen, shapes: Sequence[Shape]) -> None:
    for name, *arguments in shapes:
        SHAPES[name](pen, *arguments)


# --- plain shapes ------------------------------------------------------------------------------


def rect(pen: Pen, x0: float, y0: float, x1: float, y1: float, fill: str) -> None:
    pen.draw.rectangle(pen.points((x0, y0, x1, y1)), pen.ink(fill))


def rounded(pen: Pen, x0: float, y0: float, x1: float, y1: float, r: float, fill: str) -> None:
    pen.draw.rounded_rectangle(pen.points((x0, y0, x1, y1)), r * pen.stretch, pen.ink(fill))


def oval(pen: Pen, x0: float, y0: float, x1: float, y1: float, fill: str) -> None:
    pen.draw.ellipse(pen.points((x0, y0, x1, y1)), pen.ink(fill))


def poly(pen: Pen, numbers: Sequence[float], fill: str) -> None:
    pen.draw.polygon(pen.points(numbers), pen.ink(fill))


def line(pen: Pen, numbers: Sequence[float], width: float, colour: str) -> None:
    pen.draw.line(pen.points(numbers), pen.ink(colour), round(width * pen.stretch), "curve")


def arc(pen: Pen, box: Sequence[float], angles: Sequence[float], width: float, ink: str) -> None:
    pen.draw.arc(pen.points(box), angles[0], angles[1], pen.ink(ink), round(width * pen.stretch))


def put(pen: Pen, name: str, x: float, y: float, stretch: float = 1, colour: str = "") -> None:
    """A symbol, drawn with its origin at x, y."""
    left, top = pen.at(x, y)
    moved = replace(pen, x=left, y=top, stretch=pen.stretch * stretch, colour=colour)
    draw_shapes(moved, pen.picture.symbols[name])


# --- texts: always x, y (the middle), size, colour, text, then what is special ------------------


def text(
    pen: Pen, x: float, y: float, size: float, colour: str, words: str, style: str = "bold"
) -> None:
    stamp(pen, pen.at(x, y), words, size, colour, style=style)


def left(
    pen: Pen, x: float, y: float, size: float, colour: str, words: str, style: str = "plain"
) -> None:
    stamp(pen, pen.at(x, y), words, size, colour, style=style, anchor="lm")


def right(
    pen: Pen, x: float, y: float, size: float, colour: str, words: str, style: str = "plain"
) -> None:
    stamp(pen, pen.at(x, y), words, size, colour, style=style, anchor="rm")


def turned(
    pen: Pen, x: float, y: float, size: float, colour: str, words: str, angle: float
) -> None:
    """Text turned counter-clockwise by `angle` degrees."""
    stamp(pen, pen.at(x, y), words, size, colour, angle=angle)


def curved(
    pen: Pen, x: float, y: float, size: float, colour: str, words: str, radius: float
) -> None:
    """Text over the top of a circle around x, y."""
    font = load_font(words, "bold", pen.picture.language, size * pen.stretch)
    gaps = [font.getlength(character) + 2 * pen.stretch for character in words]
    angle = -sum(gaps) / 2 / (radius * pen.stretch)
    for character, gap in zip(words, gaps, strict=True):
        middle = angle + gap / 2 / (radius * pen.stretch)
        place = pen.at(x + radius * math.sin(middle), y - radius * math.cos(middle))
        stamp(pen, place, character, size, colour, angle=-math.degrees(middle))
        angle += gap / (radius * pen.stretch)


def wavy(pen: Pen, x: float, y: float, size: float, colour: str, words: str) -> None:
    """Text whose letters go up and down and lean, as if the board were bent."""
    font = load_font(words, "bold", pen.picture.language, size * pen.stretch)
    start = x - font.getlength(words) / pen.stretch / 2
    for place, character in enumerate(words):
        middle = start + font.getlength(words[: place + 1]) / pen.stretch
        middle -= font.getlength(character) / pen.stretch / 2
        height = math.sin(place * 1.1) * size / 3
        stamp(pen, pen.at(middle, y + height), character, size, colour, angle=12 * math.cos(place))


def hand(pen: Pen, x: float, y: float, size: float, colour: str, words: str) -> None:
    """Text whose letters differ a little in height, slope and size, as written by hand."""
    chance = random.Random(words)
    font = load_font(words, "hand", pen.picture.language, size * pen.stretch)
    start = x - font.getlength(words) / pen.stretch / 2
    for place, character in enumerate(words):
        if not character.isspace():
            middle = start + font.getlength(words[:place] + character) / pen.stretch
            middle -= font.getlength(character) / pen.stretch / 2
            height = y + chance.uniform(-0.05, 0.05) * size
            grown, angle = size * chance.uniform(0.93, 1.1), chance.uniform(-7, 5)
            stamp(pen, pen.at(middle, height), character, grown, colour, angle=angle, style="hand")


def artistic(pen: Pen, x: float, y: float, size: float, colour: str, words: str, edge: str) -> None:
    """Text with a shadow and a thick edge."""
    shift = size / 12
    stamp(pen, pen.at(x + shift, y + shift), words, size, "#000000", edge=edge, style="serif")
    stamp(pen, pen.at(x, y), words, size, colour, edge=edge, style="serif")


def stamp(
    pen: Pen,
    place: tuple[float, float],
    words: str,
    size: float,
    colour: str,
    angle: float = 0,
    style: str = "bold",
    anchor: str = "mm",
    edge: str = "",
) -> None:
    """Write `words` at a place of the canvas, and stop where they would not fit into it."""
    font = load_font(words, style, pen.picture.language, size * pen.stretch)
    stroke = round(size * pen.stretch / 14) if edge else 0
    mask = Image.new("L", pen.canvas.size)
    look: dict[str, Any] = {"font": font, "anchor": anchor, "stroke_width": stroke}
    look["language"] = pen.picture.language or None
    box = ImageDraw.Draw(mask).textbbox(place, words, **look)
    if box[0] < 0 or box[1] < 0 or box[2] > mask.width or box[3] > mask.height:
        raise ValueError(f"The text {words!r} does not fit: {[round(n / SCALE) for n in box]}")
    if edge:
        ImageDraw.Draw(mask).text(place, words, fill=255, **look)
        pen.canvas.paste(edge, (0, 0), mask)
        mask = Image.new("L", pen.canvas.size)
    ImageDraw.Draw(mask).text(place, words, fill=255, **(look | {"stroke_width": 0}))
    if angle:
        mask = mask.rotate(angle, Image.Resampling.BICUBIC, center=place)
    pen.canvas.paste(pen.ink(colour), (0, 0), mask)


# --- fonts -------------------------------------------------------------------------------------


@functools.cache
def load_font(words: str, style: str, language: str, size: float) -> ImageFont.FreeTypeFont:
    """The Noto font of the script of `words`; stops where it lacks one of their characters."""
    name, face = font_name(words, style, language)
    path = next(iter(sorted(FONT_FOLDER.rglob(name))), None)
    if path is None:
        raise SystemExit(
            f"The font {name} is not under {FONT_FOLDER}: "
            "apt-get install fonts-noto-core fonts-noto-cjk"
        )
    font = ImageFont.truetype(path, size, face, layout_engine=ImageFont.Layout.RAQM)
    missing = bytes(font.getmask("\U0010ffff"))
    for character in sorted(set(words)):
        if not character.isspace() and bytes(font.getmask(character)) == missing:
            raise SystemExit(f"The font {name} has no {character!r} (of {words!r})")
    return font


def font_name(words: str, style: str, language: str) -> tuple[str, int]:
    scripts = {unicodedata.name(character, "?").split()[0] for character in words}
    weight = "Regular" if style in ("plain", "hand") else "Bold"
    if scripts & CJK_SCRIPTS:
        family = "NotoSerifCJK" if style in ("serif", "hand") else "NotoSansCJK"
        return f"{family}-{weight}.ttc", CJK_FACES[language]
    for script in sorted(scripts & SCRIPT_FONTS.keys()):
        family = "NotoNastaliqUrdu" if language == "ur" else SCRIPT_FONTS[script]
        return f"{family}-{weight}.ttf", 0
    return f"{LATIN_FONTS[style]}.ttf", 0


TEXTS: dict[str, Callable[..., None]] = {
    "text": text,
    "left": left,
    "right": right,
    "turned": turned,
    "curved": curved,
    "wavy": wavy,
    "hand": hand,
    "artistic": artistic,
}
SHAPES: dict[str, Callable[..., None]] = TEXTS | {
    "rect": rect,
    "rounded": rounded,
    "oval": oval,
    "poly": poly,
    "line": line,
    "arc": arc,
    "put": put,
}


# --- files -------------------------------------------------------------------------------------


def png(image: Image.Image) -> bytes:
    """A small PNG: flat shapes need few colours."""
    file = io.BytesIO()
    image.quantize(96, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        file, "PNG", optimize=True
    )
    return file.getvalue()


def jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, optimize=True)
    return file.getvalue()


def clip_frames(clip: dict[str, Any], count: int) -> list[Image.Image]:
    """The frames of a clip: `still` shapes, under `steps` shown in turn or `moving` ones.

    A moving shape is given as it is in the first and in the last frame.
    """
    frames = []
    for index in range(count):
        shapes = list(clip["still"])
        if steps := clip.get("steps"):
            shapes += steps[index * len(steps) // count]
        for first, last in clip.get("moving", ()):
            share = index / (count - 1)
            shapes.append([between(a, b, share) for a, b in zip(first, last, strict=True)])
        frames.append(draw_picture(Picture(tuple(clip["size"]), shapes, clip["ground"])))
    return frames


def between(first: Any, last: Any, share: float) -> Any:
    if isinstance(first, str):
        return first
    return first + (last - first) * share


def mp4(frames: Sequence[Image.Image], rate: int) -> bytes:
    """An H.264 clip; one thread, so that the bytes are the same each time."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "24", "threads": "1", "flags": "+bitexact"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_image(frame)))
        container.mux(stream.encode())
    return file.getvalue()
