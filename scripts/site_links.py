"""mkdocs' hook: pages link to files of the checkout, which the site does not hold.

Such a link becomes its text. One to a file that is not there is left, and fails the build.
"""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    return LINK.sub(lambda m: m[1] if (ROOT / "docs" / m[2]).exists() else m[0], markdown)
