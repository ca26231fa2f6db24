"""How often the identifier of language fidelity is right on human text, and what it confuses.

    python benchmarks/language_identifier.py FOLDER

FOLDER holds `multi30k/` and `commute/` as their repositories lay them out. Every text is in the
language of its file: what is called wrong here is the identifier's error. The last lines are the
errors the other way round: English texts as answers to requests for another language.
"""

from __future__ import annotations

import gzip
import sys
import time
from collections import Counter
from pathlib import Path

from towereval.metrics.fidelity import LanguageFidelity, verdicts

UNDECIDED = "?"


def texts(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Language and text of every line, by data set."""
    raw = folder / "multi30k/data/task1/raw"
    found: dict[str, list[tuple[str, str]]] = {"multi30k": [], "commute": []}
    for file in sorted(raw.glob("test_*.gz")):
        lines = gzip.decompress(file.read_bytes()).decode().splitlines()
        found["multi30k"] += [(file.name.split(".")[1], line) for line in lines]
    for pair in sorted((folder / "commute").glob("en-??")):
        language = pair.name[-2:]
        for name, code in ((f"correct.{language}", language), ("src.en", "en")):
            lines = (pair / name).read_text("utf-8").splitlines()
            found["commute"] += [(code, line) for line in dict.fromkeys(lines)]
    return found


def show_confusion(asked: list[tuple[str, str]]) -> None:
    """A row a language, a column for each that its texts were taken for."""
    counts: dict[str, Counter[str]] = {}
    for (language, _), verdict in zip(asked, verdicts(asked), strict=True):
        taken = UNDECIDED if verdict.right is None else verdict.language
        counts.setdefault(language, Counter())[taken] += 1
    rows = sorted(counts)
    taken_for = {code for row in counts.values() for code in row} - {UNDECIDED}
    columns = [*rows, *sorted(taken_for.difference(rows)), UNDECIDED]
    width = max(6, *map(len, columns))
    print("      " + "".join(f"{code:>{width + 1}}" for code in columns) + "  right, of decided")
    for language in rows:
        row = counts[language]
        cells = "".join(f"{row[code] or '.':>{width + 1}}" for code in columns)
        decided = row.total() - row[UNDECIDED]
        print(f"  {language:4}{cells}  {row[language] / max(decided, 1):6.1%}")


def show_missed(asked: list[tuple[str, str]]) -> None:
    """English texts where another language was asked for: found wrong, undecided, called right."""
    english = [text for language, text in asked if language == "en"]
    for language in sorted({language for language, _ in asked} - {"en"}):
        found = Counter(verdict.right for verdict in verdicts([(language, t) for t in english]))
        decided = found[True] + found[False]
        print(
            f"  English for {language}: found in {found[False] / max(decided, 1):6.1%} of decided,"
            f" {found[None]} of {len(english)} undecided"
        )


def main() -> None:
    print(LanguageFidelity().signature)
    for name, asked in texts(Path(sys.argv[1])).items():
        started = time.perf_counter()
        print(f"\n{name}: {len(asked):,} texts")
        show_confusion(asked)
        print(f"  in {time.perf_counter() - started:.0f} s")
        show_missed(asked)


if __name__ == "__main__":
    main()
