# `make` checks everything on the Python in use; `.ci/run` does so on every Python there is.

PYTHON ?= python

.PHONY: check format lint types test demo bench bench-quick bench-baseline

check: lint types test

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest

demo:
	$(PYTHON) -m otel_langsmith.cli demo

bench:
	$(PYTHON) -m bench --document docs/performance.md

bench-quick:
	$(PYTHON) -m bench --quick

bench-baseline:
	$(PYTHON) -m bench.instructions --write
