# make demo and make test are the two that matter; `make help` lists the rest.
# PYTHON is the interpreter that the virtual environment is made with, VENV the folder that it lives in.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 3000
# A file of constraints for pip, such as the lowest versions that the metadata allows (.ci/lowest.py).
CONSTRAINTS ?=

# Python compiles a module when it is first imported. Compiling all files of all packages takes longer than the rest of
# an installation, and most of them are never imported.
export PIP_COMPILE := 0
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
# Quiet twice: once leaves the remarks of setuptools about editable installations.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
# Our packages are built with the setuptools of the environment. pip would make an environment for each of them.
INSTALL := $(PIP) install --no-build-isolation
# What the installed packages depend on: when one of these changes, they are installed again.
METADATA := setup.cfg pyproject.toml st_verify/pyproject.toml

# Two targets at a time, the output of each in one piece where make can do that (4.0 and newer).
BESIDE := $(MAKE) --no-print-directory -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: help demo test lint ruff layers mypy public-types unit exhaustive bench reference api pictures suffixes build clean
.DEFAULT_GOAL := help

help: ## show this list
	@echo "st-wsgi: SuperTokens for any WSGI app. Python 3.10 or newer is needed, nothing else."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PYTHON=python3.12 chooses the interpreter, VENV=folder the virtual environment, PORT=8000 the demo's port."

demo: $(VENV)/.demo ## set everything up and serve the Flask example on http://127.0.0.1:3000
	@echo
	@echo "  Open http://127.0.0.1:$(PORT) and sign up. Mails are printed here: open their links."
	@echo "  Users are kept in auth.db. Ctrl+C stops the server. The whole app is examples/flask_app.py."
	@echo
	@exec env PORT=$(PORT) $(BIN)/python examples/flask_app.py

test: $(VENV)/.test ruff layers ## linters, types, import layers, and the tests beside what takes longest of these
	+@$(BESIDE) unit mypy public-types

lint: $(VENV)/.test ruff layers ## ruff, mypy --strict, types of public names, import layers
	+@$(BESIDE) mypy public-types

ruff: $(VENV)/.test
	@echo "== ruff" && $(BIN)/ruff check . && $(BIN)/ruff format --check .

layers: $(VENV)/.test
	@echo "== import layers" && $(BIN)/lint-imports --no-cache

mypy: $(VENV)/.test
	@echo "== mypy" && $(BIN)/mypy

public-types: $(VENV)/.test
	@echo "== types of public names" && .ci/public-types $(BIN)

# The plus sign makes the progress of the tests appear at once, and not in one piece. It also has make run the line in a
# dry run, in which nothing is to be done.
DRY = $(findstring n,$(filter-out -%,$(firstword $(MAKEFLAGS))))
PYTEST = $(if $(DRY),:,echo "== pytest" && $(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder)
unit: $(VENV)/.compiled ## the tests of make test alone, in parallel; PYTEST_ADDOPTS is handed on
	+@$(PYTEST) -m "not exhaustive"

exhaustive: $(VENV)/.compiled ## the tests that make test leaves out: the rest of long tables
	+@$(PYTEST) -m exhaustive

bench: ## the benchmarks, beside what one would take instead; BENCH="--quick" and more is handed on
	@$(MAKE) --no-print-directory VENV=$(VENV)-bench $(VENV)-bench/.bench
	@$(VENV)-bench/bin/python -m benchmarks $(BENCH)

reference: $(VENV)/.test ## the pages in docs/reference, from the code
	@$(BIN)/python .ci/reference.py

api: ## the API reference as HTML, into build/api; a warning of Sphinx is an error
	@$(MAKE) --no-print-directory VENV=$(VENV)-api $(VENV)-api/.api
	@$(VENV)-api/bin/python -W ignore::UserWarning:pyramid.asset .ci/api.py build/api
	@echo "Open build/api/index.html"

pictures: $(VENV)/.test ## the pictures of the pages in docs/pictures, by Chromium
	@$(BIN)/python .ci/pictures.py

suffixes: $(VENV)/.test ## the newest Public Suffix List, which a release needs
	@$(PIP) install --upgrade publicsuffixlist
	@$(BIN)/python .ci/suffix_list.py renew

build: $(VENV)/.test ## both distributions, into dist/
	@$(BIN)/python .ci/suffix_list.py check
	$(BIN)/python -m build --outdir dist st_verify
	$(BIN)/python -m build --outdir dist .

clean: ## remove the virtual environments and everything that was made
	rm -rf $(VENV) $(VENV)-* build dist *.egg-info st_verify/build st_verify/*.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.10 or newer, or name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Python 3.10 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another one: make PYTHON=python3.12"; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The pip that comes with older Pythons takes twice as long to find and install what the tests need.
$(VENV)/.tools: $(VENV)/.python
	@$(PIP) install --upgrade pip setuptools
	@touch $@

$(VENV)/.demo: $(VENV)/.tools $(METADATA)
	@echo "Installing st-verify, st-wsgi and Flask"
	@$(INSTALL) -e ./st_verify -e . Flask
	@touch $@

$(VENV)/.test: $(VENV)/.tools $(METADATA)
	@echo "Installing st-verify, st-wsgi and what the tests need (about a minute the first time)"
	@$(INSTALL) $(addprefix -c ,$(CONSTRAINTS)) -e ./st_verify -e '.[test]'
	@touch $@

# Each worker imports all tests. In a fresh clone every one would compile them, so one process does it first. What fails
# here fails in the tests, with its message.
$(VENV)/.compiled: $(VENV)/.test
	@echo "Compiling the tests"
	@$(BIN)/python -m pytest -qq --collect-only >/dev/null 2>&1 || true
	@touch $@

$(VENV)/.bench: $(VENV)/.tools $(METADATA) benchmarks/requirements.txt
	@echo "Installing st-verify, st-wsgi and what they are measured against"
	@$(INSTALL) -e ./st_verify -e . -r benchmarks/requirements.txt
	@touch $@

$(VENV)/.api: $(VENV)/.tools $(METADATA) .ci/api-requirements.txt
	@echo "Installing st-verify, st-wsgi, Sphinx and the frameworks (about a minute the first time)"
	@$(INSTALL) -e ./st_verify -e . -r .ci/api-requirements.txt
	@touch $@
