"""Whatever is done to a file, it is shown as a picture or refused as `DataError`.

`damage.damaged` by more seeds is how the faults that are now caught were found.
"""

from __future__ import annotations

import random
import resource
from pathlib import Path

import pytest

from tests.data.damage import clips, damaged, pictures
from towereval.data import media, video
from towereval.errors import DataError

PICTURES, CLIPS = 1200, 250
# Pillow warns of what it goes on in spite of.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_damaged_pictures_are_shown_or_refused(tmp_path: Path) -> None:
    whole, file = pictures(), tmp_path / "picture"
    names = sorted(whole)
    shown = refused = 0
    # 7995 is a TIFF whose tag holds a fraction where Pillow wants a whole number.
    for seed in (*range(PICTURES), 7995):
        chance = random.Random(seed)
        file.write_bytes(damaged(whole[chance.choice(names)], chance))
        try:
            picture = media.decode_image(media.image_file(file))
        except DataError as error:
            refused += 1
            assert str(error).startswith(f"{file}: "), seed
            continue
        shown += 1
        assert picture.mode == "RGB", seed
        assert 0 < picture.width * picture.height <= media.MAX_PIXELS, seed
    assert shown > PICTURES // 10
    assert refused > PICTURES // 10


def test_damaged_clips_are_shown_or_refused(tmp_path: Path) -> None:
    whole = clips(tmp_path)
    names = sorted(whole)
    shown = refused = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(CLIPS):
        chance = random.Random(seed)
        name = chance.choice(names)
        file = tmp_path / f"hurt{Path(name).suffix}"
        file.write_bytes(damaged(whole[name], chance))
        try:
            clip = video.decode_video(media.video_file(file), 4)
        except DataError as error:
            refused += 1
            assert str(error).startswith(f"{file}: "), seed
            continue
        shown += 1
        count, height, width, colours = clip.frames_THWC.shape
        assert (count, colours) == (4, 3), seed
        assert height * width <= video.FRAME_PIXELS, seed
        assert len(clip.indices) == len(clip.timestamps) == 4, seed
        assert clip.indices[-1] == clip.total - 1, seed
    assert shown > CLIPS // 10
    assert refused > CLIPS // 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB
