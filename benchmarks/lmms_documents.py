"""What serving a document of a task of lmms-eval costs above lmms-eval's own handling of it.

    TOWEREVAL_LMMS_EVAL_PYTHON benchmarks/lmms_documents.py [COUNT]

Run under the interpreter that has lmms-eval. Their part is reading a row and `doc_to_messages`,
which decodes its picture (1024x768 JPEG); served are the same messages as a line of JSON with the
picture's file and hash. CPU ms a document, three times in turns.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

PAGE = 32  # as many as lmms_tasks.py asks for at once
ROOT = Path(__file__).parents[1]
sys.path[:] = [*sys.path[1:], str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "towereval/bridges")]


def main() -> None:
    import lmms_worker
    from against_lmms_eval import TASK, write_task

    count = int(sys.argv[1]) if sys.argv[1:] else 200
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["HF_HOME"] = f"{temporary}/hub"
        write_task(Path(temporary) / "task", count, ("en",))
        question = {"task": TASK, "include": [f"{temporary}/task"], "data": ""}
        question |= {"media": f"{temporary}/media"}
        served = lmms_worker.Served()
        task, _ = served._task(question)
        for _ in range(3):
            began = time.process_time()
            for number in range(count):
                task.doc_to_messages(task.eval_docs[number])
            between = time.process_time()
            for first in range(0, count, PAGE):
                json.dumps(served.documents({**question, "first": first, "count": PAGE}))
            spent = time.process_time() - between
            theirs, ours = 1e3 * (between - began) / count, 1e3 * spent / count
            print(f"theirs {theirs:.2f}, served {ours:.2f}, above {ours - theirs:.2f} ms")


if __name__ == "__main__":
    main()
