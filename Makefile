# `make demo` and `make test` each start from a bare checkout with Python 3.11 or newer and pip.
PYTHON ?= python3
TASKS := alm_bench,ocrbench,cc_ocr,textvqa,commute,multi30k,vimul_bench
# The tiny model's work is overhead: more threads than one only wait for each other.
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test soak browser check format setup samples clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: setup  ## score the tiny model through vLLM on the bundled samples of all seven tasks
	.venv/bin/towereval run --model tiny --tasks $(TASKS) --split sample
	.venv/bin/towereval leaderboard

test: setup  ## run the whole test suite
	.venv/bin/python -m pytest

soak: setup  ## kill real runs 60 times each at random moments (SEED=0 KILLS=60; about half an hour)
	KILLS=$(or $(KILLS),60) SEED=$(or $(SEED),0) .venv/bin/python -m pytest -v tests/reliability/test_kill.py

browser: setup  ## install Chromium and Playwright, and test the leaderboard page in them
	scripts/browser.sh
	TOWEREVAL_NEEDS_BROWSER=1 .venv/bin/python -m pytest tests/browser

check: setup  ## lint, formatting, types, import rules
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/python -m pytest -q tests/test_architecture.py

format: setup  ## rewrite to the house's format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

setup: .venv/.ready  ## make .venv

.venv/.ready: pyproject.toml requirements/dev.lock scripts/setup.sh scripts/mend_torchvision.py
	PYTHON=$(PYTHON) scripts/setup.sh

samples: setup  ## draw the bundled sample split again (needs the Noto fonts)
	.venv/bin/python scripts/make_samples.py

clean:  ## remove what was made
	rm -rf .venv leaderboard .mypy_cache .pytest_cache .ruff_cache
