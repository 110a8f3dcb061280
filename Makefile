# What a person and CI run. `make help` lists the targets.
SHELL := /bin/bash
export PATH := $(HOME)/.local/bin:$(PATH)
UV_RUN := uv run --quiet
QUICKSTART := output/quickstart

.PHONY: help setup megatron quickstart test check format benchmark clean

help:
	@echo "make quickstart   set everything up, then train, tune, merge and evaluate a small model"
	@echo "make test         set everything up, then run the checks and the tests"
	@echo "make setup        uv, the command line, the AutoModel library; installs nothing twice"
	@echo "make megatron     the Megatron-Bridge library beside it; installs nothing twice"
	@echo "make check        ruff and mypy"
	@echo "make benchmark    the numbers of the README that need no GPU"

setup:
	@scripts/install-uv
	@uv sync --quiet --compile-bytecode
	@$(UV_RUN) python -m compileall -q src/nemotron
	@$(UV_RUN) nemotron library install automodel

megatron: setup
	@$(UV_RUN) nemotron library install megatron_bridge

quickstart: setup
	@$(UV_RUN) python examples/quickstart/run.py $(QUICKSTART)

check:
	@scripts/install-uv
	$(UV_RUN) ruff check .
	$(UV_RUN) ruff format --check .
	$(UV_RUN) mypy

test: setup megatron check
	$(UV_RUN) pytest

format:
	$(UV_RUN) ruff format .
	$(UV_RUN) ruff check --fix .

benchmark:
	$(UV_RUN) python benchmarks/steps_list.py
	$(UV_RUN) python benchmarks/dry_run.py
	$(UV_RUN) python benchmarks/catalog_check.py
	$(UV_RUN) python benchmarks/plan_search.py
