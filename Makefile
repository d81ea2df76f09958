# SPDX-License-Identifier: Apache-2.0
# `make demo` runs the main job, `make test` passes the tests: both set up what they need.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
# Most tests wait more than they compute, so twice as many workers as cores pay off. A file stays on one worker, with the
# servers that its tests share; tests/conftest.py sorts the files. What is marked "quiet" runs before, two at a time.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 4 ? 2 * cores : 8)))
BY_FILE = $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
QUIET = -n 2 -m quiet
BUSY = -n $(WORKERS) -m "not quiet"
# Unit tests share no servers, so any worker takes any of them
QUICKLY = $(BIN)/python -m pytest -n $$(($(WORKERS) * 3 / 2)) --dist worksteal
BENCH_ARGS ?=
export PYTHON VENV
# An environment of the caller must not change what is installed or imported here.
unexport PYTHONPATH PYTHONHOME

BIN = $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lowest quick coverage bench lint types docs clean venv

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo:  ## install the package and run systests/demo: on the sandbox if this machine can make one, else on localhost
	@.ci/prepare run
	@if reason="$$($(BIN)/ducktape doctor --cluster sandbox 2>&1)"; then cluster=sandbox; \
		printf 'demo: on the sandbox, with nodes that are made for each test\n'; \
	else cluster=localhost; \
		printf '%s\ndemo: no sandbox here, so on the localhost cluster, whose nodes all are this machine\n' "$$reason"; \
	fi; \
	$(BIN)/ducktape systests/demo --cluster "$$cluster"; status=$$?; \
	[ ! -e results/latest ] || printf '\nThe report: %s\n' "$$(cd results/latest && pwd -P)/report.html"; \
	exit $$status

test:  ## everything that .ci/run runs
	@.ci/prepare test
	@.ci/lowest
	@$(BY_FILE) $(QUIET) $(PYTEST_ARGS)
	@$(BY_FILE) $(BUSY) $(PYTEST_ARGS)

lowest:  ## unit and contract tests with every requirement at its lower bound in pyproject.toml
	@.ci/prepare test
	@.ci/lowest $(PYTEST_ARGS)

quick:  ## style, types, architecture and unit tests, for every change
	@.ci/prepare test
	@$(QUICKLY) tests/style tests/architecture tests/unit $(PYTEST_ARGS)

coverage:  ## unit and contract tests, and how much of the package they run; fails below the floor in pyproject.toml
	@.ci/prepare test
	@$(BY_FILE) $(BUSY) --cov tests/unit tests/contract $(PYTEST_ARGS)

bench:  ## compare with the published release, in turn
	@.ci/prepare run
	@$(BIN)/python -m benchmarks.run $(BENCH_ARGS)

lint:  ## style alone
	@.ci/prepare test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types:  ## types alone
	@.ci/prepare test
	@$(BIN)/mypy --strict ducktape tests

docs:  ## build the documentation into docs/_build/html
	@.ci/prepare docs
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@printf 'The documentation: %s\n' "$(CURDIR)/docs/_build/html/index.html"

venv:  ## the virtual environment alone
	@.ci/prepare test

clean:  ## remove everything that the other targets made, environments included
	rm -rf $(VENV) .venv-lowest .bench build dist *.egg-info docs/_build results .ducktape/metadata
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
