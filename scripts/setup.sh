#!/usr/bin/env bash
# Make .venv with the CPU engine and the development tools, pinned by requirements/dev.lock.
# PYTHON names the interpreter (3.11 to 3.14). torch comes as a CPU build where pip finds one: where it does not,
# set PIP_EXTRA_INDEX_URL to PyTorch's CPU wheel index.
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" - <<'PY'
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit(f"towereval needs Python 3.11 to 3.14, this is {sys.version.split()[0]}: set PYTHON=...")
PY
"${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --constraint requirements/dev.lock --editable '.[cpu,train,dev]'
scripts/beside_cpu_torch.sh .venv/bin/python
touch .venv/.ready
