"""JSON documents that are nearly right: bytes of a fuzzer choose what is wrong with them."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**64, 10**400, 0.5, 1e308, -0.0),
    *(float("nan"), float("inf"), "", " ", "\x00", "\ud800", "\u2028\r\n", "de", "*", "9" * 5000),
    *("\x1b[2J", "<script>", "%s", "../../etc/passwd", "x" * 70_000, [], {}, [[]], [None], [{}]),
    *({"": None}, [0] * 300, ["de", "fr"]),
)


def mutated(draw: random.Random, document: Any) -> Any:
    """A copy with one to four places changed: removed, doubled, made odd, put elsewhere."""
    changed = copy.deepcopy(document)
    for _ in range(draw.randint(1, 4)):
        place, key = _place(draw, changed)
        if place is None:
            return _odd(draw)
        how = draw.randrange(5)
        if how == 0:
            del place[key]
        elif how == 1 and isinstance(place, list):
            place.insert(draw.randint(0, len(place)), copy.deepcopy(draw.choice([*ODD, *place])))
        elif how == 1:
            place[draw.choice(["", "schema", "extra", "value", "n", "doc"])] = _odd(draw)
        elif how == 2 and isinstance(place[key], str):
            place[key] = _torn(draw, place[key])
        elif how == 3:
            other, name = _place(draw, changed)
            place[key] = copy.deepcopy(other[name]) if other is not None else None
        else:
            place[key] = _odd(draw)
    return changed


def encoded(draw: random.Random, document: Any, raw: bytes) -> bytes:
    """A mutated document as a file's bytes, now and then torn or with the fuzzer's own in it."""
    text = json.dumps(mutated(draw, document), ensure_ascii=draw.random() < 0.5)
    content = text.encode(errors="surrogatepass")
    if draw.random() < 0.1:
        at = draw.randint(0, len(content))
        content = content[:at] + raw + content[at + len(raw) :]
    if draw.random() < 0.05:
        content = content[: draw.randint(0, len(content))]
    return content


def _odd(draw: random.Random) -> Any:
    return copy.deepcopy(draw.choice(ODD))


def _torn(draw: random.Random, text: str) -> str:
    at = draw.randint(0, len(text))
    return text[:at] + draw.choice([*(odd for odd in ODD if isinstance(odd, str)), text[:at]])


def _place(draw: random.Random, document: Any) -> tuple[Any, Any]:
    """A container somewhere in the document and one of its keys; None where there is none."""
    places: list[tuple[Any, Any]] = []
    waiting = [document] if isinstance(document, dict | list) else []
    while waiting:
        one = waiting.pop()
        keys = (
            list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        )
        places += [(one, key) for key in keys]
        waiting += [one[key] for key in keys if isinstance(one[key], dict | list)]
    return draw.choice(places) if places else (None, None)
