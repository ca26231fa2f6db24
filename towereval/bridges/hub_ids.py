"""What the hub takes for a repository's name."""

from __future__ import annotations

import re

# As huggingface_hub checks it: ORG/NAME in ASCII, no part begins or ends with a dot or dash.
_PART = r"[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?!.*(?:--|\.\.)){_PART}/{_PART}", re.ASCII)


def is_hub_id(text: str) -> bool:
    """Whether it may be ORG/NAME; a relative path of two parts looks the same."""
    return len(text) <= 96 and _HUB_ID.fullmatch(text) is not None
