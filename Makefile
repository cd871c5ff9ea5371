# Every target sets itself up: a machine needs Python >= 3.11, make, a C++ compiler and perl.
# Another interpreter: make PYTHON=python3.13 ...

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SOURCES := bittrue.py sim algorithms reports rtl_models

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help explore test quick lint format pins clean

help:  ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

explore: $(READY)  ## Explore the design space: which widths suffice to train, and what they cost (the main job).
	$(BIN)/bittrue explore

test: $(READY)  ## Run every suite, each with its time, and a closing summary.
	@$(BIN)/python tests/run_suites.py all

quick: $(READY)  ## Run all but co-simulation and the tests marked slow (at most 3 minutes).
	@$(BIN)/python tests/run_suites.py quick

lint: $(READY)  ## Check style, types, spelling, the layers and the SystemVerilog.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/codespell
	$(BIN)/python -m pytest -q -n 0 tests/cosim/test_lint.py

format: $(READY)  ## Format the code and repair what ruff can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pins:  ## Write constraints.txt anew from the newest versions that fit together.
	@rm -rf build/pins
	$(PYTHON) -m venv build/pins
	build/pins/bin/pip install --quiet --upgrade -e '.[dev,proof,cosim]'
	@echo '# The exact versions that `make` installs. Written by `make pins`.' > constraints.txt
	build/pins/bin/pip freeze --all --exclude pip --exclude-editable >> constraints.txt

clean:  ## Remove the environment, caches and builds.
	rm -rf .venv build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment without the stamp is from an interrupted set-up and starts anew; changed pins are installed over the old.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "bittrue needs Python >= 3.11, which $(PYTHON) is not; name another one: make PYTHON=python3.13" >&2; exit 1; }
	@echo "setting up .venv (a minute or two, once)"
	@test -e $@ || rm -rf .venv
	@rm -f $@
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,proof,cosim]'
	@touch $@
