# One command each; `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup ## Generate a repository, push it to a GitHub on this machine, and watch its workflows ship two models
	$(BIN)/python tests/demo.py

test: setup tools ## Run every test
	$(BIN)/ruff check --no-cache tests hooks benchmarks
	$(BIN)/ruff format --no-cache --check tests hooks benchmarks
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --no-loadscope-reorder

bench: setup ## Measure what the machinery costs, as a table
	PYTHONPATH=tests $(BIN)/python -m benchmarks

setup: .venv/ready
.venv/ready: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

tools: ## Programs that the tests need beside Python: a browser and an SSH server
	@tests/install-tools

lock: setup ## Pin the newest packages that requirements/dev.in allows
	$(BIN)/$(LOCK) --upgrade requirements/dev.in --output-file requirements/dev.txt

.PHONY: help demo test bench setup tools lock
