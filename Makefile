# Two commands, each a short wrapper over plain ones that README.md spells out.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test check format dictionary bench validation

demo: $(VENV)/.demo
	$(BIN)/python workflows/demo.py
	$(BIN)/python workflows/demo_valley.py

test: $(VENV)/.dev check
	$(BIN)/pytest

check: $(VENV)/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/mypy

# Rewrites benchmarks/README.md; wants a quiet machine and about half an hour.
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.county

# Commands that each rewrite their own section of docs/validation.md, one a line.
SECTIONS := \
	benchmarks.patch_memory \
	benchmarks.casework \
	benchmarks.twin_accuracy \
	benchmarks.refinement \
	benchmarks.real_labels \
	benchmarks.patch_accuracy \
	benchmarks.romania_change

# Rewrites docs/validation.md; wants a quiet machine and about an hour.
validation: $(VENV)/.dev
	$(BIN)/python workflows/validate_real_pixels.py
	set -e; for module in $(SECTIONS); do $(BIN)/python -m $$module; done

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Pages that are generated from the program itself; a test compares them with it.
dictionary: $(VENV)/.dev
	$(BIN)/python workflows/write_reference.py

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.demo: pyproject.toml requirements.txt | $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml requirements.txt | $(VENV)/.venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -e '.[dev]'
	touch $@ $(VENV)/.demo
