"""lmms-eval's generation settings as a request here says them.

Imported here and, by lmms_worker.py, under lmms-eval's interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Where a task says nothing; lmms-eval's models then go by limits of their own, from 16 to 32,768.
MAX_TOKENS = 1024


def decoding_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ValueError for settings that a request cannot say; reads on from the task's name."""
    greedy = given.get("do_sample") is False or not float(given.get("temperature") or 0)
    refused = {
        "num_beams": given.get("num_beams", 1) not in (1, None),
        "top_p": not greedy and given.get("top_p") not in (None, 1, 1.0),
        "top_k": not greedy and given.get("top_k") not in (None, 0, -1),
        "repetition_penalty": given.get("repetition_penalty", 1) not in (None, 1, 1.0),
    }
    for key, refuse in refused.items():
        if refuse:
            raise ValueError(f"asks for {key}={given[key]}, which a request here cannot say")
    stop = given.get("until") or []
    return {
        "max_tokens": int(given.get("max_new_tokens") or given.get("max_gen_toks") or MAX_TOKENS),
        "temperature": 0.0 if greedy else float(given["temperature"]),
        "stop": [stop] if isinstance(stop, str) else list(stop),
    }
