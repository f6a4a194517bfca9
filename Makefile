# Everything a newcomer needs: run, test. The rest is for those who change realbot.
PYTHON ?= python3
VENV   ?= .venv
PIP     = $(VENV)/bin/pip --disable-pip-version-check
# The CPU build where one is offered; for CUDA: make run TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cu130"
TORCH  ?= torch==2.13.0
# Test processes at a time; each has one thread to paint with.
WORKERS ?= 2

.PHONY: run test lint bench messages lock mini clean

run: $(VENV)/.run
	$(VENV)/bin/realbot run

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/.dev
	for script in benchmarks/*.py; do echo "== $$script"; $(VENV)/bin/python $$script || exit 1; done

# Brings the translations in src/realbot/locale up to date with the sentences in the code.
messages: $(VENV)/.dev
	$(VENV)/bin/python recipes/messages.py

# Every package with the hashes of its files, and the bill of materials, into deploy/; after a change of constraints.txt.
lock: $(VENV)/.dev
	$(PIP) install --quiet -c constraints.txt -e '.[lock,upscale,safety,meaning]'
	$(VENV)/bin/python recipes/lock.py

# Draws, trains and evaluates the bundled model; about three and a half hours on two cores, and goes on where it was stopped.
mini: $(VENV)/.dev
	$(PIP) install --quiet -c constraints.txt -e '.[mini]'
	$(VENV)/bin/python recipes/mini/build.py

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(TORCH)
	$(PIP) install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
