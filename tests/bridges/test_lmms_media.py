"""Which files a document's pictures came from is seen in the thread that makes the document."""

from __future__ import annotations

import threading
from pathlib import Path

from PIL import Image

from towereval.bridges.lmms_media import MediaCache, Opened


def test_a_picture_that_an_engine_decodes_meanwhile_is_not_the_documents(tmp_path: Path) -> None:
    file = tmp_path / "red.png"
    Image.new("RGB", (4, 3), "red").save(file)
    opened, elsewhere = Opened(), []
    media = MediaCache(tmp_path / "kept", opened)
    with opened.watched():
        engine = threading.Thread(target=lambda: elsewhere.append(Image.open(file)))
        engine.start()
        engine.join()
        assert opened.pictures == []
        place, _ = media.picture(Image.open(file))
        assert [source for source, _ in opened.pictures] == [file]
    assert place == str(file)
    elsewhere[0].load()  # which nobody else has done
