"""Which conversations stay English and which are to be translated into what, by seed.

TowerVision (arXiv 2510.21849, section 3.2): a random half of LLaVA-Video's conversations stays
English, the other half is spread uniformly over the languages.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from towereval.corpus.files import check_suffix, read, writing
from towereval.corpus.records import Record
from towereval.corpus.translate import check_languages
from towereval.errors import DataError, UsageError

ENGLISH = "en"


def split(
    file: Path, english: float, languages: Sequence[str], seed: int, output: Path
) -> Mapping[str, int]:
    """Write `OUTPUT/<language>.<suffix>`, all in English still; how many records each has.

    Shares are exact to one record and drawn from ids and seed: in another order the file is split
    in the same way. Raises `TowerevalError`.
    """
    if not 0 <= english <= 1:
        raise UsageError(f"--english is a share from 0 to 1, not {english}")
    check_languages(languages)
    if ENGLISH in languages or len(set(languages)) < len(languages):
        raise UsageError("--languages are those to translate into, each once and without en")
    if not languages and english < 1:
        raise UsageError("--languages is empty: name what the rest is translated into")
    check_suffix(file)
    ranks = _ranks(file, seed)
    # A float's own decimals: 0.3 of 10 are 3.
    stay = int(Fraction(str(english)) * len(ranks) + Fraction(1, 2))
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        writers = {
            code: stack.enter_context(writing(output / f"{code}{file.suffix}"))
            for code in (ENGLISH, *languages)
        }
        for _, record in read(file):
            rank = ranks[_draw(record, seed)]
            code = ENGLISH if rank < stay else languages[(rank - stay) % len(languages)]
            counts[code] += 1
            writers[code].add(record)
    return {code: counts[code] for code in writers}


def _ranks(file: Path, seed: int) -> dict[bytes, int]:
    """Each record's place in the order that the seed draws."""
    draws: list[bytes] = []
    for number, record in read(file):
        if record.language != ENGLISH:
            raise DataError(f"{file}:{number}: {record.language!r}, wanted a record in English")
        draws.append(_draw(record, seed))
    ranks = {draw: rank for rank, draw in enumerate(sorted(draws))}
    if len(ranks) < len(draws):
        raise DataError(f"{file}: two records have the same id; towereval data validate names them")
    return ranks


def _draw(record: Record, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {record.id}".encode("utf-8", errors="replace")).digest()[:16]
