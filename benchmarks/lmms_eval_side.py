"""lmms-eval's own command line, unchanged but for a clock: one side of against_lmms_eval.py.

    PYTHONPATH=. LMMS_PYTHON benchmarks/lmms_eval_side.py TEST.jsonl [lmms-eval's options]

Run under the interpreter that has lmms-eval and vLLM; prints one line of JSON last. The clock runs
from its model's first request to the end of the command, as the harness's does: building messages,
asking, scoring and saving are in it; starting, reading the data and listing the requests are not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from measure import Clock, peak_gb

from towereval.types import digest


class Seen:
    """What came by: when the model was first asked, what about, and what the engine answered."""

    began: Clock
    documents: list[int]
    outputs: list[Any]
    tokenizer: Any


def main() -> None:
    rows = [json.loads(line) for line in Path(sys.argv.pop(1)).read_text().splitlines()]
    seen = Seen()
    _watch(seen)
    from lmms_eval.__main__ import cli_evaluate

    cli_evaluate()
    used = Clock.now() - seen.began
    # The same tokens as text: vLLM's own detokenizer holds back a last character that is cut off.
    answers = {}
    for document, output in zip(seen.documents, seen.outputs, strict=True):
        name = f"{Path(rows[document]['picture']).stem}/{rows[document]['language']}"
        tokens = output.outputs[0].token_ids
        answers[name] = seen.tokenizer.decode(tokens, skip_special_tokens=True)
    measured = {"wall": used.wall, "cpu": used.cpu, "peak_gb": peak_gb()}
    print(json.dumps({"requests": len(answers), "answers": digest(answers), **measured}))


def _watch(seen: Seen) -> None:
    """Their models take `LLM` from vllm when they are imported, so it is replaced before."""
    import vllm

    class Watched(vllm.LLM):
        def generate(self, *args: Any, **settings: Any) -> Any:
            seen.outputs = super().generate(*args, **settings)
            return seen.outputs

        def chat(self, *args: Any, **settings: Any) -> Any:
            seen.outputs = super().chat(*args, **settings)
            return seen.outputs

    vllm.LLM = Watched
    from lmms_eval.models.chat import vllm as chat
    from lmms_eval.models.chat import vllm_generate

    for model in (chat.VLLM, vllm_generate.VLLMGenerate):
        model.generate_until = _clocked(model.generate_until, seen)


def _clocked(generate_until: Any, seen: Seen) -> Any:
    def clocked(self: Any, requests: list[Any]) -> Any:
        seen.documents = [request.arguments[3] for request in requests]
        seen.tokenizer = self.client.get_tokenizer()
        seen.began = Clock.now()
        return generate_until(self, requests)

    return clocked


if __name__ == "__main__":
    main()
