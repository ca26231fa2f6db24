#!/usr/bin/env bash
# A model a job of the array, each resumed until it is done (docs/clusters.md).
#   TASKS=alm_bench,multi30k sbatch --array=0-1 deploy/slurm.sh towervision-2b towervision-9b
#SBATCH --job-name=towereval
#SBATCH --nodes=1
#SBATCH --gpus=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# Two minutes before the time is up the run is told to stop, which keeps every answer.
#SBATCH --signal=INT@120
set -uo pipefail

models=("$@")
model="${models[${SLURM_ARRAY_TASK_ID:-0}]}"
# Compute nodes seldom reach the internet: docs/offline.md says what is fetched beforehand, and where to.
export HF_HUB_OFFLINE=1

srun towereval run --model "$model" --tasks "${TASKS:?a,b}" --output "${RESULTS:-results}" --retries 1
status=$?
if [ "$status" -eq 130 ]; then # stopped, not failed: the same command goes on from there
    scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
fi
exit "$status"
