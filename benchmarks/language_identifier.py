"""How often the identifier of language fidelity is right on human text, and what it confuses.

    python benchmarks/language_identifier.py FOLDER

FOLDER holds `multi30k/` and `commute/` as their repositories lay them out. Every text is in the
language of its file: what is called wrong here is the identifier's error.
"""

from __future__ import annotations

import gzip
import sys
import time
from collections import Counter
from pathlib import Path

from towereval.metrics.fidelity import LanguageFidelity, verdicts


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


def main() -> None:
    print(LanguageFidelity().signature)
    for name, asked in texts(Path(sys.argv[1])).items():
        started = time.perf_counter()
        found = verdicts(asked)
        seconds = time.perf_counter() - started
        print(f"\n{name}: {len(asked):,} texts in {seconds:.0f} s")
        for language in sorted({code for code, _ in asked}):
            ours = [v for (code, _), v in zip(asked, found, strict=True) if code == language]
            decided = [v for v in ours if v.right is not None]
            right = sum(bool(v.right) for v in decided)
            wrong = Counter(v.language for v in decided if not v.right).most_common(4)
            print(
                f"  {language}  {len(ours):6}  right {right / max(len(decided), 1):6.1%} of decided"
                f"  undecided {1 - len(decided) / len(ours):6.1%}"
                f"  taken for {', '.join(f'{code} {count}' for code, count in wrong) or '-'}"
            )


if __name__ == "__main__":
    main()
