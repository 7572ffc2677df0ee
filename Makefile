# make repro   install what is locked, then run whatever of the pipeline is out of date
# make test    install, then run the tests
# make lint    formatting, lint and types
# make plan    list what the studies train, what is left of it, and how long that takes here
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test lint plan lock clean

repro: $(INSTALLED)
	dvc repro

test: $(INSTALLED)
	OMP_NUM_THREADS=1 python -m pytest -n auto $(ARGS)

lint: $(INSTALLED)
	ruff format --check .
	ruff check .
	mypy

plan: $(INSTALLED)
	MGSL_ARTIFACTS=studies/artifacts python -m mgsl plan

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "mgsl needs Python 3.11 or newer; name one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# The closure of pyproject.toml's ranges as of today, in a fresh environment.
lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet '.[develop]'
	{ sed -n '/^#/p' requirements.txt; $(VENV)-lock/bin/pip freeze --exclude mgsl | sed 's/+cpu$$//'; } > requirements.new
	mv requirements.new requirements.txt && rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) artifacts data
