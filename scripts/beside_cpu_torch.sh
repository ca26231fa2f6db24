#!/usr/bin/env bash
# Make an environment with the CPU engine whole: beside_cpu_torch.sh PYTHON, its interpreter.
set -euo pipefail
# vLLM's dependencies bring CUDA builds of these; beside a CPU torch they fail on import or are dead weight.
if ! "$1" -c 'import torchaudio' 2>/dev/null; then
    "$1" -m pip uninstall --quiet --yes torchaudio torchcodec triton
fi
if ! "$1" -W ignore -c 'import torchvision' 2>/dev/null; then
    "$1" "$(dirname "$0")/mend_torchvision.py"
fi
"$1" -W ignore -c 'import torchvision, vllm' 2>/dev/null ||
    { echo "the CPU engine cannot be imported; run: $1 -c 'import vllm'" >&2; exit 1; }
