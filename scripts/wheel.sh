#!/usr/bin/env bash
# Build sdist and wheel into dist/, install the wheel into an empty environment, and make the sample run from there,
# with nothing of the checkout in reach. PYTHON names the interpreter. Asks package indexes, no hub.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tasks=$1
rm -rf dist
.venv/bin/python -m build --outdir dist >/dev/null # the wheel is made from the sdist
wheel=$(echo "$root"/dist/*.whl)

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/environment"
python=$place/environment/bin/python
# Compiled as they are imported: most of what is installed never is.
"$python" -m pip install --quiet --no-compile --constraint requirements/dev.lock "$wheel[cpu,metrics]"
unset PYTHONDONTWRITEBYTECODE PYTHONPATH TOWEREVAL_PATH
"$root/scripts/beside_cpu_torch.sh" "$python"

export TOWEREVAL_CACHE=$place/cache HF_HOME=$place/hub HF_HUB_OFFLINE=1 PATH=$place/environment/bin:$PATH
mkdir "$place/empty"
cd "$place/empty"
at=$(python -c 'import towereval; print(towereval.__file__)')
case $at in "$place"/*) ;; *) echo "towereval comes from $at, not from the wheel" >&2 && exit 1 ;; esac
towereval --version
towereval tasks >tasks.txt
towereval models >models.txt
diff tasks.txt <("$root/.venv/bin/towereval" tasks)
diff models.txt <("$root/.venv/bin/towereval" models)
towereval run --model tiny --tasks "$tasks" --split sample --quiet
towereval leaderboard >/dev/null
same() { # as these answers: prints the verdict
    local status=0
    towereval compare "$1" results/tiny/sample-* >compared.txt || status=$?
    tail -n 2 compared.txt
    return "$status"
}
status=0
same "$root/results/baselines/tiny-sample.json" || status=$?
if [ "$status" = 3 ]; then # another processor rounds otherwise than the baseline's: then as the checkout on this one
    "$root/.venv/bin/towereval" run --model tiny --tasks "$tasks" --split sample --quiet --output checkout
    status=0
    same checkout/tiny/sample-* || status=$?
fi
exit "$status"
