# One command each; `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
TEMPLATE := <<cookiecutter.project_slug>>
FIRST := install --quiet --disable-pip-version-check --no-compile --require-hashes -r "$(TEMPLATE)/requirements/build.txt"
# uv with this machine's settings of pip.
UV := PYTHONPATH=src $(BIN)/python -m gitops_ml.uv
PIN := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
LOCKS := build serve train dev
# The tests' environment includes the packages of the demo.
DEMO := $(if $(wildcard .venv/dev),.venv/dev,.venv/demo)
CODE := src tests hooks benchmarks hatch_build.py
PYTEST := $(BIN)/pytest --no-loadscope-reorder --numprocesses
# Many slow tests wait for servers, so that there is work for more processes than processors.
MORE = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(DEMO) ## Generate a repository, push it to a local GitHub, and watch its workflows ship two models
	$(BIN)/python tests/demo.py

picture: setup ## Photograph the demo's promotion pull request for README.md; needs Chromium
	$(BIN)/python tests/picture.py

# Tests start hundreds of processes; each would compile all modules again that it imports.
unexport PYTHONDONTWRITEBYTECODE
# One process for each processor: more threads would only slow them down.
check test part sabotage: export OMP_NUM_THREADS := 1
check: setup ## Lint, types, and the quick tests of library and template, in two minutes
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(PYTEST) auto -m "not slow" tests/unit tests/template

# Tests in other folders than these two are slow (tests/conftest.py), so that each test runs exactly once.
test: STARTED := $(shell date +%s)
test: check tools ## Run every test
	$(PYTEST) $(MORE) -m slow
	@echo "Every test passed, in $$((($$(date +%s) - $(STARTED)) / 60)) minutes with set-up and tools."

part: setup tools ## Run the tests with some markers: make part MARKERS="journey and not faults"
	$(PYTEST) $(MORE) -m "$(MARKERS)"

sabotage: setup tools ## Push every saboteur through the workflows; `make test` does so with one of each family
	$(PYTEST) $(MORE) --all-in-workflows tests/sabotage

bench: setup ## Measure the costs of the library, as a table
	PYTHONPATH=tests $(BIN)/python -m benchmarks

setup: .venv/dev ## Install hash-pinned packages, and the library from src, into .venv
.venv/dev: requirements/dev.txt pyproject.toml
.venv/demo: requirements/demo.txt
.venv/dev .venv/demo:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip $(FIRST)
	$(UV) pip install --quiet --require-hashes --python $(BIN)/python -r requirements/$(@F).txt
	$(if $(filter dev,$(@F)),$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .)
	@touch $@

tools: ## Install programs for the tests: a browser, an SSH server, container engines
	@tests/install-tools

# A generated repository makes the locks; the template copies them.
lock: setup ## Pin the newest packages that the requirements of library and template allow
	rm -rf .lock
	$(BIN)/cookiecutter --no-input --default-config --output-dir .lock . project_slug=locked
	$(MAKE) --directory .lock/locked lock BIN=$(abspath $(BIN)) --old-file setup
	for lock in $(LOCKS); do cp .lock/locked/requirements/$$lock.txt "$(TEMPLATE)/requirements" || exit 1; done
	rm -rf .lock
	$(UV) $(PIN) --upgrade requirements/evidently.in --output-file src/gitops_ml/data/evidently.txt
	$(UV) $(PIN) --upgrade --extra update pyproject.toml --output-file src/gitops_ml/data/update.txt
	$(UV) $(PIN) --upgrade --extra test pyproject.toml requirements/dev.in \
		--constraint "$(TEMPLATE)/requirements/dev.txt" --output-file requirements/dev.txt
	$(UV) $(PIN) --upgrade requirements/demo.in --constraint requirements/dev.txt --output-file requirements/demo.txt
	$(MAKE) setup
	$(BIN)/python tests/module_names.py > hooks/modules.txt

.PHONY: help demo picture check test part bench setup tools lock
