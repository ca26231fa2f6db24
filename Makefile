# `make demo` and `make test` each start from a bare checkout with Python 3.11 or newer and pip.
PYTHON ?= python3
TASKS := alm_bench,ocrbench,cc_ocr,textvqa,commute,multi30k,vimul_bench
# The tiny model's work is overhead: more threads than one only wait for each other. But to train it, two are faster.
export OMP_NUM_THREADS ?= 1
# A cache of its own: an installed COMET whose checkpoint is not there would fail the demonstration.
APART := TOWEREVAL_COMET_PYTHON= TOWEREVAL_CACHE=$(CURDIR)/trained/tiny/cache

.PHONY: help demo test soak fuzz audit browser check docs format setup samples wheel clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: setup  ## score a random model on the bundled samples; train one, score it, compare, show it wrong pictures
	.venv/bin/towereval run --model tiny --tasks $(TASKS) --split sample
	.venv/bin/towereval leaderboard
	OMP_NUM_THREADS=2 .venv/bin/towereval train tiny --resume
	$(APART) .venv/bin/towereval run --model tiny:trained/tiny/untrained --config trained/tiny/evaluation/run.toml
	$(APART) .venv/bin/towereval run --model tiny:trained/tiny/model --config trained/tiny/evaluation/run.toml
	$(APART) .venv/bin/towereval run --model tiny:trained/tiny/model --config trained/tiny/evaluation/wrong-pictures.toml
	.venv/bin/towereval compare trained/tiny/scores/*untrained/* trained/tiny/scores/*model/*
	.venv/bin/python scripts/demo_table.py trained/tiny

# A file's tests stay in one process, which share its engine; tests/conftest.py says which files are begun first.
test: setup  ## run the whole test suite, in as many processes as cores but at most four (WORKERS=1)
	.venv/bin/python -m pytest --numprocesses $(or $(WORKERS),logical) --maxprocesses 4 \
	    --dist loadfile --no-loadscope-reorder

soak: setup  ## kill real runs at random moments (SEED=0 KILLS=60 MODEL_KILLS=10; an hour)
	KILLS=$(or $(KILLS),60) SEED=$(or $(SEED),0) .venv/bin/python -m pytest -v tests/reliability/test_kill.py
	KILLS=$(or $(MODEL_KILLS),10) SEED=$(or $(SEED),0) .venv/bin/python -m pytest -v tests/reliability/test_kill_models.py

fuzz: setup  ## fuzz the readers of pictures, logs and results, ten minutes each (SECONDS_EACH=600)
	.venv/bin/python -m pip install --quiet --constraint requirements/dev.lock --editable '.[fuzz]'
	for what in media logs results; do \
	    .venv/bin/python -W ignore -m tests.reliability.fuzz.$$what .fuzz/$$what -artifact_prefix=.fuzz/$$what- \
	        -rss_limit_mb=3000 -timeout=60 -max_len=8192 -max_total_time=$(or $(SECONDS_EACH),600) || exit 1; \
	done

wheel: setup  ## build dist/, and score the tiny model from its wheel in an empty environment
	PYTHON=$(PYTHON) scripts/wheel.sh $(TASKS)

audit:  ## look for known holes in the pinned packages (needs the network)
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet pip-audit==2.10.1
	.audit/bin/pip-audit --requirement requirements/dev.lock --no-deps --disable-pip --strict

browser: setup  ## install Chromium and Playwright, and test the leaderboard page in them
	scripts/browser.sh
	TOWEREVAL_NEEDS_BROWSER=1 .venv/bin/python -m pytest tests/browser

check: setup  ## lint, formatting, types, import rules
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/python -m pytest -q tests/test_architecture.py

docs: .docs/.ready  ## build the pages into site/; a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=1 .docs/bin/mkdocs build

.docs/.ready: requirements/docs.txt
	$(PYTHON) -m venv .docs
	.docs/bin/python -m pip install --quiet --requirement requirements/docs.txt
	touch $@

format: setup  ## rewrite to the house's format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

setup: .venv/.ready  ## make .venv

.venv/.ready: pyproject.toml requirements/dev.lock scripts/setup.sh scripts/mend_torchvision.py
	PYTHON=$(PYTHON) scripts/setup.sh

samples: setup  ## draw the bundled sample split again (needs the Noto fonts)
	.venv/bin/python scripts/make_samples.py

clean:  ## remove what was made
	rm -rf .venv .audit .docs .fuzz .ci/cache dist leaderboard site .mypy_cache .pytest_cache .ruff_cache
